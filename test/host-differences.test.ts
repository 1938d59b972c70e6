import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { bearerKey, createGateway, type Gateway } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { middleware, plugin } from '@farebox/fastify'
import {
  type AdapterHost,
  authorization,
  chat,
  chatBody,
  eventually,
  type Rig,
  type RigOptions,
  startRig,
  streamedChat,
} from '@farebox/testkit/adapter'
import { startSimulator } from '@farebox/testkit/simulator'
import middie from '@fastify/middie'
import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import { expressHost } from './express-host.ts'
import { fastifyMiddieHost, fastifyPluginHost } from './hosts/fastify.ts'
import { fetchHost } from './hosts/fetch.ts'
import { koaHost } from './hosts/koa.ts'

// The hosts are not alike everywhere. Here is where not, cell by cell of the table in docs/hosts/README.md.

const hosts = {
  'Express 5, 4': expressHost,
  'Koa 3': koaHost,
  'Fastify plugin': fastifyPluginHost,
  'Fastify middie': fastifyMiddieHost,
  '`gateway.fetch`': fetchHost,
}

type HostName = keyof typeof hosts

interface Cell {
  /** As the table has it. */
  readonly says: string
  prove(host: AdapterHost): Promise<void>
}

type Row = Readonly<Record<HostName, Cell>>

const path = '/v1/chat/completions'

/** A row whose hosts behave alike but for some. */
function row(usual: Cell, others: Partial<Row>): Row {
  return {
    'Express 5, 4': usual,
    'Koa 3': usual,
    'Fastify plugin': usual,
    'Fastify middie': usual,
    '`gateway.fetch`': usual,
    ...others,
  }
}

const table: Readonly<Record<string, Row>> = {
  '`/AI` where the mount is `/ai`': row(
    { says: "the host's", prove: (host) => answersAt(host, { '/AI': 'host', '/%61i': 'host' }) },
    {
      'Express 5, 4': {
        says: "the gateway's",
        prove: (host) => answersAt(host, { '/AI': 'gateway', '/%61i': 'host', '/airplane': 'host' }),
      },
      'Fastify middie': {
        says: "the gateway's, and `/%61i` too",
        prove: (host) => answersAt(host, { '/AI': 'gateway', '/%61i': 'gateway', '/airplane': 'host' }),
      },
    },
  ),

  'headers the host set before': row(
    {
      says: 'stay',
      async prove(host) {
        const { client } = await rigOn(host, { mount: { headers: { 'x-of-the-host': 'kept' } } })
        for (const question of [chat(), streamedChat()]) {
          expect((await client.ask(question)).headers['x-of-the-host']).toBe('kept')
        }
      },
    },
    {
      'Fastify middie': {
        says: 'lost if set on `reply`',
        async prove() {
          const app = Fastify()
          app.addHook('onRequest', async (_request, reply) => {
            reply.header('x-on-reply', 'lost')
            reply.raw.setHeader('x-on-raw', 'kept')
          })
          await mountMiddie(app, gatewayOf())
          const { headers } = await fetch(`${await listening(app)}/ai/v1/models`)
          expect([headers.get('x-on-reply'), headers.get('x-on-raw')]).toEqual([null, 'kept'])
        },
      },
      '`gateway.fetch`': {
        says: "the host's to add",
        async prove() {
          const response = await gatewayOf().fetch(new Request('http://host/v1/models'))
          response?.headers.set('x-of-the-host', 'added')
          expect(response?.headers.get('x-of-the-host')).toBe('added')
        },
      },
    },
  ),

  "behind the host's JSON parser": row(
    {
      says: 'takes what it parsed',
      async prove(host) {
        // A number that JSON cannot keep tells who has parsed the body.
        const { client, simulator } = await rigOn(host, { mount: { parsesJson: true } })
        const body = JSON.stringify(chatBody({ seed: 0 })).replace('"seed":0', '"seed":9007199254740993')
        expect((await client.ask({ ...chat(), body })).status).toBe(200)
        expect(simulator.requests[0]?.body).toContain('"seed":9007199254740992')
      },
    },
    {
      'Fastify plugin': {
        says: 'parsers do not apply',
        async prove() {
          const app = Fastify({ bodyLimit: 10 })
          await app.register(plugin, { prefix: '/ai', gateway: gatewayOf() })
          app.post('/own', async (request) => request.body)
          const url = await listening(app)
          expect((await post(`${url}/ai${path}`)).status).toBe(401)
          expect((await post(`${url}/own`)).status).toBe(413)
        },
      },
      'Fastify middie': {
        says: 'takes it with `preHandler` only',
        async prove() {
          for (const [hook, code] of [
            ['preHandler', 'invalid_request'],
            ['onRequest', 'invalid_json'],
          ] as const) {
            const app = Fastify()
            app.removeAllContentTypeParsers()
            app.addContentTypeParser('*', (_request, payload, done) => {
              payload.resume().once('end', () => done(null, { parsedBy: 'the host' }))
            })
            await mountMiddie(app, gatewayOf(), hook)
            const response = await fetch(`${await listening(app)}/ai${path}`, {
              method: 'POST',
              headers: { ...authorization, 'content-type': 'text/plain' },
              body: 'no JSON',
            })
            expect(await response.json()).toMatchObject({ error: { code } })
          }
        },
      },
      '`gateway.fetch`': {
        says: 'body must be unread',
        async prove() {
          const request = new Request(`http://host${path}`, {
            method: 'POST',
            headers: authorization,
            body: JSON.stringify(chatBody()),
          })
          await request.json()
          const response = await gatewayOf().fetch(request)
          expect(await response?.json()).toMatchObject({ error: { code: 'body_already_read' } })
        },
      },
    },
  ),

  'a caller who left, a body that is gone': row(
    {
      says: 'seen on the connection',
      async prove(host) {
        const rig = await rigOn(host, {
          mount: { before: (message) => void (message.url?.endsWith('?drained') && message.resume()) },
        })
        const drained = await rig.client.ask({ ...chat(), path: `${path}?drained` })
        expect(drained.json()).toMatchObject({ error: { code: 'body_already_read' } })
        rig.simulator.fault('cerebras', { kind: 'stall', afterChunks: 1 })
        const exchange = rig.client.open(streamedChat({ model: 'openai/gpt-oss-120b:cerebras' }))
        await exchange.reads('"content"')
        exchange.leave()
        expect((await rig.onlyReceipt()).attempts[0]?.outcome).toBe('aborted')
      },
    },
    {
      '`gateway.fetch`': {
        says: 'as `signal` and `bodyUsed` tell',
        async prove() {
          const simulator = await startSimulator()
          onTestFinished(() => simulator.close())
          simulator.fault('cerebras', { kind: 'stall', afterChunks: 1 })
          const gateway = gatewayOf(simulator.baseUrl('cerebras'))
          const leaving = new AbortController()
          const response = await gateway.fetch(
            new Request(`http://host${path}`, {
              method: 'POST',
              headers: authorization,
              body: JSON.stringify(chatBody({ stream: true })),
              signal: leaving.signal,
            }),
          )
          expect(response?.status).toBe(200)
          expect((await gateway.accounts.balance('key-alice')).held).toBeGreaterThan(0n)
          leaving.abort()
          await eventually('the hold is ended', async () => {
            return (await gateway.accounts.balance('key-alice')).held === 0n
          })
          await simulator.idle()
          expect(simulator.served.map(({ outcome }) => outcome)).toEqual(['aborted'])
        },
      },
    },
  ),

  "the caller's address, for `authenticate`": row(
    {
      says: '`host.ip`',
      async prove(host) {
        expect(await addressOn(host)).toMatch(/127\.0\.0\.1$/)
      },
    },
    {
      '`gateway.fetch`': {
        says: 'not told',
        async prove(host) {
          expect(await addressOn(host)).toBeUndefined()
        },
      },
    },
  ),

  'closes with the host': row(
    {
      says: 'no',
      async prove(host) {
        const gateway = gatewayOf()
        const { close } = await host.mount(gateway, {
          prefix: '/ai',
          parsesJson: false,
          headers: {},
          trustsProxy: false,
          before: undefined,
        })
        await close()
        expect((await gateway.fetch(new Request('http://host/v1/models')))?.status).toBe(200)
      },
    },
    {
      'Fastify plugin': {
        says: 'yes',
        async prove() {
          const gateway = gatewayOf()
          const app = Fastify()
          await app.register(plugin, { prefix: '/ai', gateway })
          await app.close()
          expect((await gateway.fetch(new Request('http://host/v1/models')))?.status).toBe(503)
        },
      },
    },
  ),
}

describe.each(Object.entries(table))('%s', (_name, cells) => {
  it.each(Object.entries(cells) as [HostName, Cell][])('%s: $says', async (host, { prove }) => {
    await prove(hosts[host])
  })
})

it('docs/hosts/README.md has these differences, and no others', () => {
  const text = readFileSync(new URL('../docs/hosts/README.md', import.meta.url), 'utf8')
  const lines = text.split('\n').filter((line) => line.startsWith('|'))
  const [head, , ...rows] = lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
  expect(head).toEqual(['', ...Object.keys(hosts)])
  expect(rows).toEqual(
    Object.entries(table).map(([name, cells]) => [name, ...Object.values(cells).map(({ says }) => says)]),
  )
})

describe('middie', () => {
  const withoutRoute: FastifyPluginAsync = (inner) => mountMiddie(inner, gatewayOf())
  const withRoute: FastifyPluginAsync = (inner) => {
    inner.all('/ai/*', (_request, reply) => reply.callNotFound())
    return mountMiddie(inner, gatewayOf())
  }

  it.each([
    {
      what: 'never runs the gateway inside a plugin that declares no routes',
      inner: withoutRoute,
      status: 404,
    },
    { what: 'runs the gateway inside a plugin that declares a route', inner: withRoute, status: 200 },
  ])('$what', async ({ inner, status }) => {
    const app = Fastify()
    await app.register(inner)
    expect((await fetch(`${await listening(app)}/ai/v1/models`)).status).toBe(status)
  })
})

async function answersAt(
  host: AdapterHost,
  expected: Readonly<Record<string, 'host' | 'gateway'>>,
): Promise<void> {
  const { url } = await rigOn(host, {})
  for (const [prefix, who] of Object.entries(expected)) {
    const { headers } = await fetch(`${new URL(url).origin}${prefix}/v1/models`)
    expect(headers.get('x-answered-by') ?? 'gateway', prefix).toBe(who)
  }
}

async function addressOn(host: AdapterHost): Promise<string | undefined> {
  const seen: (string | undefined)[] = []
  const { client } = await rigOn(host, {
    gateway: {
      authenticate(request) {
        seen.push((request.host as { readonly ip?: string }).ip)
        return undefined
      },
    },
  })
  await client.ask(chat())
  expect(seen).toHaveLength(1)
  return seen[0]
}

async function rigOn(host: AdapterHost, options: RigOptions): Promise<Rig> {
  const rig = await startRig(host, options)
  onTestFinished(() => rig.close())
  return rig
}

function gatewayOf(baseUrl = 'http://127.0.0.1:1/v1'): Gateway {
  const gateway = createGateway({
    providers: [cerebras({ apiKey: 'provider-key', baseUrl })],
    authenticate(request) {
      const accountId = bearerKey(request)
      return accountId === undefined ? undefined : { accountId }
    },
  })
  onTestFinished(() => gateway.close())
  return gateway
}

async function mountMiddie(
  app: FastifyInstance,
  gateway: Gateway,
  hook: 'onRequest' | 'preHandler' = 'onRequest',
): Promise<void> {
  await app.register(middie, { hook })
  app.use('/ai', middleware(gateway))
}

async function listening(app: FastifyInstance): Promise<string> {
  onTestFinished(async () => {
    const closed = once(app.server, 'close')
    app.server.closeAllConnections()
    await Promise.all([app.close(), closed])
  })
  return app.listen({ port: 0, host: '127.0.0.1' })
}

/** A chat question that names nobody who pays. */
function post(url: string): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(chatBody()),
  })
}
