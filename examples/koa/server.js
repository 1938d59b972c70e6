// A product that resells inference, in Koa: its own sign-in and API keys say who pays, and Farebox does the rest at /ai.
import { createProduct, readSettings, serveUntilStopped, stopListening } from '@farebox/example-saas'
import { middleware } from '@farebox/koa'
import { bodyParser } from '@koa/bodyparser'
import cors from '@koa/cors'
import Router from '@koa/router'
import Koa from 'koa'
import { pinoHttp } from 'pino-http'

const settings = readSettings('koa')
// `request.host` is Koa's own context: here it is asked for what the middleware below has put into its state.
const product = await createProduct(settings, (ctx) => ctx.state.principal)
const { gateway, log, sessions } = product

const app = new Koa()
const logRequest = pinoHttp({ logger: log })
app.use((ctx, next) => {
  logRequest(ctx.req, ctx.res)
  return next()
})
app.use(cors({ origin: settings.allowedOrigin, exposeHeaders: ['x-request-id', 'x-farebox-cost'] }))
app.use(async (ctx, next) => {
  ctx.state.principal = await sessions.whoSends(ctx.headers)
  await next()
})

// Before body parsers: bodies for the gateway stay the bytes that came.
app.use(middleware(gateway, { prefix: '/ai' }))

const router = new Router()
router.post('/sign-in', bodyParser(), async (ctx) => {
  const token = await sessions.signIn(ctx.request.body)
  if (token === undefined) ctx.throw(401, 'The email or the password is wrong.')
  ctx.body = token
})
router.get('/credit', async (ctx) => {
  if (ctx.state.principal === undefined) ctx.throw(401, 'Sign in first.')
  ctx.body = await product.credit(ctx.state.principal)
})
app.use(router.routes())

app.on('error', (error) => {
  // How Koa tells that a caller left in the middle of a stream.
  if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') log.error(error)
})

const server = app.listen(settings.port, '127.0.0.1', () => {
  serveUntilStopped({
    product,
    url: `http://127.0.0.1:${server.address().port}`,
    stopServer: () => stopListening(server),
  })
})
