import type { Gateway } from '@farebox/core'
import { answer } from '@farebox/core/node'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'

export interface PluginOptions {
  readonly gateway: Gateway
  /** Whether closing Fastify closes the gateway. @default true */
  readonly closesGateway?: boolean
}

/**
 * A gateway as a Fastify plugin: `app.register(plugin, { prefix: '/ai', gateway })`. Paths that are not the gateway's get
 * Fastify's own 404; faults of the gateway itself go to Fastify's error handler. Hooks, logs and headers of the host apply.
 *
 * Bodies are read by the gateway, within its own limit: Fastify's parsers and `bodyLimit` do not apply below the prefix.
 */
export const plugin: FastifyPluginAsync<PluginOptions> = async (
  app,
  { gateway, closesGateway = true },
): Promise<void> => {
  // Only inside this plugin: the host's other routes keep their parsers.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  if (closesGateway) app.addHook('onClose', () => gateway.close())
  app.addHook('preClose', async () => closeIdleConnections(app.server))
  const respond = (request: FastifyRequest, reply: FastifyReply) =>
    answerTo(gateway, app.prefix, request, reply)
  app.all('/', respond)
  app.all('/*', respond)
}

async function answerTo(
  gateway: Gateway,
  prefix: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const url = request.url.slice(prefix.length)
  const given = await answer(gateway, request.raw, reply.raw, { url, host: request })
  if (given === undefined) {
    reply.callNotFound()
    return reply
  }
  return reply.code(given.status).headers(given.headers).send(given.body)
}

/**
 * Fastify closes idle connections once, as it begins to close. One whose stream ends after that would keep it from closing
 * for as long as connections are kept alive, 72 seconds by default.
 */
function closeIdleConnections(server: FastifyInstance['server']): void {
  // A server of HTTP/2 has no such method, and needs none: its sessions are told to go.
  if (!server.listening || typeof server.closeIdleConnections !== 'function') return
  const sweeping = setInterval(() => server.closeIdleConnections(), 100)
  server.once('close', () => clearInterval(sweeping))
}
