// A product that resells inference, in Fastify with Express-style middleware: its own sign-in and API keys say who pays, and
// Farebox does the rest at /ai. A new server takes the plugin; this is for one that has its middleware in middie already.
import { createProduct, readSettings, serveUntilStopped, stopListening } from '@farebox/example-saas'
import { middleware } from '@farebox/fastify'
import middie from '@fastify/middie'
// biome-ignore lint/correctness/noUnresolvedImports: the package has a `main` that is not followed.
import cors from 'cors'
import Fastify from 'fastify'

const settings = readSettings('fastify-middie')
// `request.host` is Node's own request: here it is asked for what the middleware below has put on it.
const product = await createProduct(settings, (message) => message.principal)
const { gateway, log, sessions } = product

const app = Fastify({ loggerInstance: log })
await app.register(middie)
// The CORS of Express: headers that @fastify/cors sets on Fastify's reply never reach what middleware writes.
app.use(cors({ origin: settings.allowedOrigin, exposedHeaders: ['x-request-id', 'x-farebox-cost'] }))
app.use((message, _reply, next) => {
  sessions.whoSends(message.headers).then((principal) => {
    message.principal = principal
    next()
  }, next)
})
app.use('/ai', middleware(gateway))

app.post('/sign-in', async (request, reply) => {
  const token = await sessions.signIn(request.body)
  if (token === undefined) return reply.code(401).send({ error: 'The email or the password is wrong.' })
  return reply.type('text/plain').send(token)
})

app.get('/credit', async ({ raw }, reply) => {
  if (raw.principal === undefined) return reply.code(401).send({ error: 'Sign in first.' })
  return product.credit(raw.principal)
})

const url = await app.listen({ port: settings.port, host: '127.0.0.1' })
serveUntilStopped({ product, url, stopServer: () => stopListening(app.server, () => app.close()) })
