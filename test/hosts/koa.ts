import { middleware } from '@farebox/koa'
import type { AdapterHost } from '@farebox/testkit/adapter'
import { bodyParser } from '@koa/bodyparser'
import Koa from 'koa'
import { listening } from './listening.ts'

/** Koa 3 with the gateway mounted, as `AdapterHost` describes. */
export const koaHost: AdapterHost = {
  mount(gateway, { prefix, parsesJson, headers, trustsProxy, before }) {
    const app = new Koa({ proxy: trustsProxy })
    // A caller who leaves in the middle of a stream is an error event of Koa, and no fault.
    app.on('error', () => undefined)
    app.use(async (ctx, next) => {
      ctx.set(headers)
      try {
        await next()
      } catch {
        ctx.status = 500
        ctx.set('x-answered-by', 'host')
        ctx.body = 'The host apologises.'
      }
    })
    if (parsesJson) app.use(bodyParser({ enableTypes: ['json'] }))
    if (before !== undefined) {
      app.use(async (ctx, next) => {
        await before(ctx.req, ctx.res)
        await next()
      })
    }
    app.use(middleware(gateway, { prefix }))
    app.use((ctx) => {
      ctx.status = ctx.method === 'OPTIONS' ? 204 : 404
      ctx.set('x-answered-by', 'host')
    })
    return listening(gateway, app.callback())
  },
}
