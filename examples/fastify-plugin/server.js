// A product that resells inference, in Fastify: its own sign-in and API keys say who pays, and Farebox does the rest at /ai,
// as a plugin. Hooks, logs and headers of the host apply to it.
import { createProduct, readSettings, serveUntilStopped } from '@farebox/example-saas'
import { plugin } from '@farebox/fastify'
import cors from '@fastify/cors'
import Fastify from 'fastify'

const settings = readSettings('fastify-plugin')
// `request.host` is Fastify's own request: here it is asked for what the hook below has put on it.
const product = await createProduct(settings, (request) => request.principal)
const { gateway, log, sessions } = product

const app = Fastify({ loggerInstance: log })
await app.register(cors, {
  origin: settings.allowedOrigin,
  exposedHeaders: ['x-request-id', 'x-farebox-cost'],
})
app.decorateRequest('principal', undefined)
app.addHook('onRequest', async (request) => {
  request.principal = await sessions.whoSends(request.headers)
})

await app.register(plugin, { prefix: '/ai', gateway })

app.post('/sign-in', async (request, reply) => {
  const token = await sessions.signIn(request.body)
  if (token === undefined) return reply.code(401).send({ error: 'The email or the password is wrong.' })
  return reply.type('text/plain').send(token)
})

app.get('/credit', async (request, reply) => {
  if (request.principal === undefined) return reply.code(401).send({ error: 'Sign in first.' })
  return product.credit(request.principal)
})

const url = await app.listen({ port: settings.port, host: '127.0.0.1' })
serveUntilStopped({ product, url, stopServer: () => app.close() })
