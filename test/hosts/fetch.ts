import type { AdapterHost } from '@farebox/testkit/adapter'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { listening } from './listening.ts'

/** Hono, whose requests and responses are the web's, with `gateway.fetch` as a route. */
export const fetchHost: AdapterHost = {
  mount(gateway, { prefix, headers, before }) {
    const app = new Hono()
    app.use(async (ctx, next) => {
      await next()
      for (const [name, value] of Object.entries(headers)) ctx.res.headers.set(name, value)
    })
    app.all('*', async (ctx) => (await gateway.fetch(ctx.req.raw, { prefix })) ?? ctx.notFound())
    app.notFound((ctx) =>
      ctx.body(null, ctx.req.method === 'OPTIONS' ? 204 : 404, { 'x-answered-by': 'host' }),
    )
    app.onError((_error, ctx) => ctx.text('The host apologises.', 500, { 'x-answered-by': 'host' }))
    const answer = getRequestListener(app.fetch)
    return listening(gateway, async (message, reply) => {
      await before?.(message, reply)
      await answer(message, reply)
    })
  },
}
