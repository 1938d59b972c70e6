import type { Gateway } from '@farebox/core'
import { answer } from '@farebox/core/node'
import type { Middleware } from 'koa'

export interface MiddlewareOptions {
  /** Where the gateway is mounted: `/ai`. @default the root */
  readonly prefix?: string
}

/**
 * Mounts a gateway in Koa: `app.use(middleware(gateway, { prefix: '/ai' }))`. Paths that are not the gateway's go on to the
 * next middleware; faults of the gateway itself are thrown, for the middleware before it or for Koa.
 *
 * Mount it before body parsers: bodies then stay bytes. Behind `@koa/bodyparser` it works as well, within that parser's limit.
 *
 * @throws RangeError when the prefix does not begin with a slash, or ends with one.
 */
export function middleware(gateway: Gateway, { prefix = '' }: MiddlewareOptions = {}): Middleware {
  if (prefix !== '' && !/^\/.*[^/]$/.test(prefix)) {
    throw new RangeError(
      `The prefix "${prefix}" has to begin with a slash and not to end with one, like "/ai".`,
    )
  }
  return async function farebox(ctx, next) {
    const url = below(prefix, ctx.url)
    const given =
      url === undefined
        ? undefined
        : await answer(gateway, ctx.req, ctx.res, { url, parsedBody: bodyOf(ctx.request), host: ctx })
    if (given === undefined) return next()
    ctx.status = given.status
    // The body first: Koa takes a content type and a length from it, and ours are to stand.
    ctx.body = given.body
    ctx.set(given.headers)
  }
}

/** The path below the mount; `undefined` when it is not below it. */
function below(prefix: string, url: string): string | undefined {
  if (!url.startsWith(prefix)) return undefined
  const rest = url.slice(prefix.length)
  return rest === '' || rest.startsWith('/') || rest.startsWith('?') ? rest : undefined
}

function bodyOf(request: object): unknown {
  return (request as { readonly body?: unknown }).body
}
