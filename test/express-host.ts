import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { middleware } from '@farebox/express'
import type { AdapterHost } from '@farebox/testkit/adapter'
import express, { type ErrorRequestHandler } from 'express'

/** Express 5 with the gateway mounted, as `AdapterHost` describes. */
export const expressHost: AdapterHost = {
  async mount(gateway, { prefix, parsesJson, headers, before }) {
    const app = express()
    app.use((_req, res, next) => {
      for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
      next()
    })
    if (parsesJson) app.use(express.json())
    if (before !== undefined) {
      app.use(async (req, res, next) => {
        await before(req, res)
        next()
      })
    }
    app.use(prefix === '' ? '/' : prefix, middleware(gateway))
    app.use((req, res) => {
      res.status(req.method === 'OPTIONS' ? 204 : 404).set('x-answered-by', 'host')
      res.end()
    })
    app.use(answerFault)
    const server = await listen(app)
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve())
          server.closeAllConnections()
        }),
    }
  },
}

const answerFault: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent) return next(error)
  res.status(500).set('x-answered-by', 'host').send('The host apologises.')
}

function listen(app: express.Express): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = app.listen(0, '127.0.0.1', (error) => {
      if (error === undefined) resolve(server)
      else reject(error)
    })
  })
}
