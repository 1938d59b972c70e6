import type { Gateway } from '@farebox/core'
import { middleware } from '@farebox/express'
import type { AdapterHost, MountOptions } from '@farebox/testkit/adapter'
import express, { type ErrorRequestHandler, type Express } from 'express'
import { listening } from './hosts/listening.ts'

/** Express 5 with the gateway mounted, as `AdapterHost` describes. */
export const expressHost: AdapterHost = createExpressHost(express)

/** The same for any Express: 4 has the same interface, but does not look at promises. */
export function createExpressHost(create: () => Express): AdapterHost {
  return { mount: (gateway, options) => listening(gateway, appOf(create(), gateway, options)) }
}

function appOf(
  app: Express,
  gateway: Gateway,
  { prefix, parsesJson, headers, trustsProxy, before }: MountOptions,
): Express {
  app.set('trust proxy', trustsProxy)
  app.use((_req, res, next) => {
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
    next()
  })
  if (parsesJson) app.use(express.json())
  if (before !== undefined) {
    app.use((req, res, next) => {
      Promise.resolve(before(req, res)).then(() => next(), next)
    })
  }
  app.use(prefix === '' ? '/' : prefix, middleware(gateway))
  app.use((req, res) => {
    res.status(req.method === 'OPTIONS' ? 204 : 404).set('x-answered-by', 'host')
    res.end()
  })
  app.use(answerFault)
  return app
}

const answerFault: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent) return next(error)
  res.status(500).set('x-answered-by', 'host').send('The host apologises.')
}
