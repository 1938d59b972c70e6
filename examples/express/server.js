// A product that resells inference, in Express: its own sign-in and API keys say who pays, and Farebox does the rest at /ai.
import { createProduct, readSettings, serveUntilStopped, stopListening } from '@farebox/example-saas'
import { middleware } from '@farebox/express'
// biome-ignore lint/correctness/noUnresolvedImports: the package has a `main` that is not followed.
import cors from 'cors'
import express from 'express'
import { pinoHttp } from 'pino-http'

const settings = readSettings('express')
// `request.host` is Express's own request: here it is asked for what the middleware below has put on it.
const product = await createProduct(settings, (req) => req.principal)
const { gateway, log, sessions } = product

const app = express()
app.disable('x-powered-by')
app.use(pinoHttp({ logger: log }))
app.use(cors({ origin: settings.allowedOrigin, exposedHeaders: ['x-request-id', 'x-farebox-cost'] }))
app.use(async (req, _res, next) => {
  req.principal = await sessions.whoSends(req.headers)
  next()
})

// Before body parsers: bodies for the gateway stay the bytes that came.
app.use('/ai', middleware(gateway))

app.post('/sign-in', express.json(), async (req, res) => {
  const token = await sessions.signIn(req.body)
  if (token === undefined) res.status(401).json({ error: 'The email or the password is wrong.' })
  else res.type('text').send(token)
})

app.get('/credit', async (req, res) => {
  if (req.principal === undefined) res.status(401).json({ error: 'Sign in first.' })
  else res.json(await product.credit(req.principal))
})

const server = app.listen(settings.port, '127.0.0.1', (error) => {
  if (error) throw error
  serveUntilStopped({
    product,
    url: `http://127.0.0.1:${server.address().port}`,
    stopServer: () => stopListening(server),
  })
})
