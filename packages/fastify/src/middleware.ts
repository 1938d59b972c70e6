import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gateway } from '@farebox/core'
import { serve } from '@farebox/core/node'

/** What `@fastify/middie` calls. */
export type Middleware = (
  request: IncomingMessage & { readonly body?: unknown },
  reply: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Mounts a gateway through `@fastify/middie`: `app.use('/ai', middleware(gateway))`. Paths that are not the gateway's go on
 * to Fastify, and so do faults of the gateway itself, as `next(error)`.
 *
 * It writes to Node's response, so headers set with `reply.header()` before are lost; `plugin` keeps them. middie matches its
 * path without regard to case: do not take the mount path for a boundary of access.
 */
export function middleware(gateway: Gateway): Middleware {
  return function farebox(request, reply, next) {
    const url = request.url ?? '/'
    // middie does not wait for promises: every end has to reach `next`.
    serve(gateway, request, reply, { url, parsedBody: request.body, host: request }).then((isServed) => {
      if (!isServed) next()
    }, next)
  }
}
