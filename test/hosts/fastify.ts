import { middleware, plugin } from '@farebox/fastify'
import type { AdapterHost, MountedHost, MountOptions } from '@farebox/testkit/adapter'
import middie from '@fastify/middie'
import Fastify, { type FastifyInstance } from 'fastify'

/** Fastify 5 with the gateway as middleware of @fastify/middie. With a parser it runs behind it, as middie's `preHandler`. */
export const fastifyMiddieHost: AdapterHost = {
  async mount(gateway, options) {
    const app = createApp(options)
    await app.register(middie, options.parsesJson ? { hook: 'preHandler' } : {})
    // Headers of `reply` never reach a response that middleware writes itself.
    app.use((_request, reply, next) => {
      for (const [name, value] of Object.entries(options.headers)) reply.setHeader(name, value)
      next()
    })
    if (options.before !== undefined) {
      const { before } = options
      app.use((request, reply, next) => void Promise.resolve(before(request, reply)).then(() => next(), next))
    }
    app.use(options.prefix === '' ? '/' : options.prefix, middleware(gateway))
    return listen(app, async () => {
      await closeSoon(app)
      await gateway.close()
    })
  },
}

/** Fastify 5 with the gateway as a plugin. Parsers of the host do not apply below its prefix. */
export const fastifyPluginHost: AdapterHost = {
  async mount(gateway, options) {
    const app = createApp(options)
    app.addHook('onRequest', async (request, reply) => {
      reply.headers(options.headers)
      await options.before?.(request.raw, reply.raw)
    })
    await app.register(plugin, { prefix: options.prefix, gateway, closesGateway: false })
    return listen(app, async () => {
      await app.close()
      await gateway.close()
    })
  },
}

function createApp({ parsesJson, trustsProxy }: MountOptions): FastifyInstance {
  const app = Fastify({ trustProxy: trustsProxy })
  if (parsesJson) acceptAnyJson(app)
  app.setErrorHandler((_error, _request, reply) =>
    reply.code(500).header('x-answered-by', 'host').send('The host apologises.'),
  )
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(request.method === 'OPTIONS' ? 204 : 404)
      .header('x-answered-by', 'host')
      .send(),
  )
  return app
}

/** Like Express' parser: JSON is parsed, whatever is something else goes on unread. */
function acceptAnyJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(/^application\/json/, { parseAs: 'string' }, (_request, body, done) => {
    done(null, body === '' ? {} : JSON.parse(String(body)))
  })
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
}

async function listen(app: FastifyInstance, stop: () => Promise<void>): Promise<MountedHost> {
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    url,
    stop,
    async close() {
      const closed = app.close()
      app.server.closeAllConnections()
      await closed
    },
  }
}

/** Fastify closes idle connections once: one whose stream ends later has to be closed by whoever has no plugin to do it. */
async function closeSoon(app: FastifyInstance): Promise<void> {
  const sweeping = setInterval(() => app.server.closeIdleConnections(), 100)
  await app.close()
  clearInterval(sweeping)
}
