import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { type Authenticate, createGateway } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import express, { type ErrorRequestHandler, type Express, type Request, Router } from 'express'
import { describe, expect, it } from 'vitest'
import { middleware } from './index.ts'

/** A question whose answer names the model: who sees that name has read the body. */
const question = JSON.stringify({ model: 'nobody/nothing', messages: [{ role: 'user', content: 'hello' }] })
const json = { 'content-type': 'application/json' }

describe('middleware', () => {
  it('takes three arguments, because Express takes four for an error handler', () => {
    expect(middleware(gatewayOf())).toHaveLength(3)
  })

  it('answers below a router below a router with a parameter', async () => {
    const app = express()
    app.use('/tenants/:tenant', Router().use('/ai', middleware(gatewayOf())))

    await serving(app, async (url) => {
      expect((await fetch(`${url}/tenants/7/ai/v1/models`)).status).toBe(200)
    })
  })

  it('answers at two places of one app', async () => {
    const app = express()
    const gateway = gatewayOf()
    app.use('/ai', middleware(gateway))
    app.use('/v2/ai', middleware(gateway))

    await serving(app, async (url) => {
      expect((await fetch(`${url}/ai/v1/models`)).status).toBe(200)
      expect((await fetch(`${url}/v2/ai/v1/models`)).status).toBe(200)
    })
  })

  it('leaves the routes of the app below the same prefix alone', async () => {
    const app = express()
    app.use('/ai', middleware(gatewayOf()))
    app.post('/ai/v1/own', express.json(), (req, res) => void res.json(req.body))

    await serving(app, async (url) => {
      const response = await fetch(`${url}/ai/v1/own`, { method: 'POST', headers: json, body: '{"a":1}' })
      expect(await response.json()).toEqual({ a: 1 })
    })
  })

  it('shows authenticate what the app has put on the request', async () => {
    const app = express()
    const authenticate: Authenticate = ({ host }) => {
      const { user } = host as Request & { user?: { id: string } }
      return user === undefined ? undefined : { accountId: user.id }
    }
    app.use((req, _res, next) => {
      Object.assign(req, { user: { id: 'ada' } })
      next()
    })
    app.use('/ai', middleware(gatewayOf(authenticate)))

    await serving(app, async (url) => {
      const response = await fetch(`${url}/ai/v1/credits`)
      expect(await response.json()).toMatchObject({ account: 'ada' })
    })
  })

  it('hands the very error of the application to the error handler of the app', async () => {
    const app = express()
    const fault = new Error('The session store is down.')
    let handled: unknown
    app.use(
      '/ai',
      middleware(
        gatewayOf(() => {
          throw fault
        }),
      ),
    )
    const answerFault: ErrorRequestHandler = (error, _req, res, _next) => {
      handled = error
      res.sendStatus(503)
    }
    app.use(answerFault)

    await serving(app, async (url) => {
      expect((await fetch(`${url}/ai/v1/credits`)).status).toBe(503)
      expect(handled).toBe(fault)
    })
  })

  it('reads more than the parser of the app would, when it is mounted before it', async () => {
    const app = express()
    app.use('/ai', middleware(gatewayOf()))
    app.use(express.json({ limit: '100kb' }))

    await serving(app, async (url) => {
      const body = JSON.stringify({ model: 'nobody/nothing', messages: [{ content: 'x'.repeat(1_000_000) }] })
      expect(await ask(url, { body })).toMatchObject({ status: 404, code: 'model_not_found' })
    })
  })

  it('takes a body that the parser of the app has unpacked, whose headers still say it is packed', async () => {
    const app = express()
    app.use(express.json())
    app.use('/ai', middleware(gatewayOf()))

    await serving(app, async (url) => {
      const headers = { ...json, 'content-encoding': 'gzip' }
      expect(await ask(url, { headers, body: gzipSync(question) })).toMatchObject({ code: 'model_not_found' })
    })
  })

  it('takes the bytes that express.raw() has kept', async () => {
    const app = express()
    app.use(express.raw({ type: () => true }))
    app.use('/ai', middleware(gatewayOf()))

    await serving(app, async (url) => {
      expect(await ask(url, { body: question })).toMatchObject({ status: 404, code: 'model_not_found' })
    })
  })

  it('refuses what express.urlencoded() has made of JSON without a content type of its own', async () => {
    const app = express()
    app.use(express.urlencoded())
    app.use('/ai', middleware(gatewayOf()))

    await serving(app, async (url) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      expect(await ask(url, { headers, body: question })).toMatchObject({
        status: 400,
        code: 'invalid_request',
      })
    })
  })
})

function gatewayOf(authenticate: Authenticate = () => ({ accountId: 'alice' })) {
  return createGateway({ providers: [cerebras()], authenticate })
}

async function ask(url: string, init: RequestInit): Promise<{ status: number; code: unknown }> {
  const response = await fetch(`${url}/ai/v1/chat/completions`, { method: 'POST', headers: json, ...init })
  const { error } = (await response.json()) as { error: { code: unknown } }
  return { status: response.status, code: error.code }
}

async function serving(app: Express, check: (url: string) => Promise<void>): Promise<void> {
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  try {
    await check(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}
