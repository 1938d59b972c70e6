import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  type CatalogRow,
  createGateway,
  type Gateway,
  type GatewayEvent,
  type GatewayRequest,
  isUnavailable,
  type KeyStore,
  perMillion,
  type RingKey,
  Unavailable,
} from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { sqlite } from '@farebox/sqlite'
import Database from 'libsql'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const secret = 'sk-own-SECRET-0123456789abcdefWXYZ'
/** What an output may show of the secret at most. */
const hint = 'WXYZ'

const ringKey = Buffer.alloc(32, 42).toString('base64')
const keyRing: readonly RingKey[] = [{ id: 'ring', key: ringKey }]

/** How a provider answers that quotes the key it was sent, in each of the places where one could. */
type Quote = (key: string, response: ServerResponse) => void

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Quote => {
  return (key, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body).replaceAll('KEY', key))
  }
}
const stream = (...events: readonly string[]): Quote => {
  return (key, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(events.map((event) => `data: ${event.replaceAll('KEY', key)}\n\n`).join(''))
  }
}
const error = { message: 'The key KEY is bad.', type: 'KEY', code: 'KEY', param: 'KEY' }
const chunk = '{"choices":[{"index":0,"delta":{"content":"Hi"}}]}'

const quotes: Readonly<Record<string, Quote>> = {
  'a 400': json(400, { error }),
  'a 401': json(401, { error }, { 'www-authenticate': 'Bearer KEY' }),
  'a 402': json(402, { error }),
  'a 403': json(403, { error: { ...error, message: 'maximum context of KEY' } }),
  'a 404': json(404, error),
  'a 413': json(413, { error }),
  'a 422': json(422, { error: 'KEY' }),
  'a 429': json(429, { error }, { 'retry-after': '1' }),
  'a 500': json(500, { error }),
  'a 503 in plain text': (key, response) => response.writeHead(503).end(`no ${key}`),
  'an error in a 200': json(200, { error }),
  'an answer that is none': json(200, { note: 'KEY' }),
  'an error as the first event': stream(JSON.stringify({ error })),
  'an error in the middle of a stream': stream(chunk, JSON.stringify({ error })),
  'an error in the middle of a stream, and its end': stream(chunk, JSON.stringify({ error }), '[DONE]'),
  'a broken connection': (key, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-key': key })
    response.write(`data: ${chunk}\n\n`, () => response.destroy())
  },
  'a good answer': json(200, {
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' } }],
    usage: { prompt_tokens: 3, completion_tokens: 1 },
  }),
}

const row: CatalogRow = {
  providerId: 'quoting',
  providerModel: 'm',
  model: 'acme/m',
  operation: 'chat',
  price: { input_token: perMillion('1'), output_token: perMillion('1') },
  source: 'https://example.com/test',
  readOn: '2026-11-22',
}

let folder: string
let answer: Quote = json(200, {})
let seenKeys: (string | undefined)[]
let baseUrl: string
let close: () => Promise<void>
let printed: string[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'farebox-leaks-'))
  seenKeys = []
  printed = []
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, method).mockImplementation(
      (...values) => void printed.push(inspect(values, { depth: 20 })),
    )
  }
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void printed.push(String(warning)))
  const server = createServer((request: IncomingMessage, response) => {
    const key = request.headers.authorization?.slice('Bearer '.length)
    seenKeys.push(key)
    request.resume().once('end', () => answer(key ?? '', response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

afterEach(async () => {
  vi.restoreAllMocks()
  await close()
  rmSync(folder, { recursive: true, force: true })
})

interface Subject {
  readonly gateway: Gateway
  readonly events: GatewayEvent[]
  /** Everything that has come out so far, in any way. */
  readonly outputs: unknown[]
  ask(isStreaming: boolean): Promise<void>
}

function open(
  options: {
    readonly keyRing?: readonly RingKey[]
    readonly keys?: (keys: KeyStore) => KeyStore
    readonly apiKey?: string
  } = {},
): Subject {
  const database = new Database(join(folder, 'credits.db'))
  const { ledger, keys } = sqlite(database)
  if (keys === undefined) throw new Error('There are no documents.')
  const events: GatewayEvent[] = []
  const outputs: unknown[] = [events, printed]
  const gateway = createGateway({
    providers: [openaiCompatible({ id: 'quoting', baseUrl, apiKey: options.apiKey ?? 'gateway-key' })],
    storage: { ledger, keys: options.keys?.(keys) ?? keys },
    keyRing: options.keyRing ?? keyRing,
    authenticate: () => ({ accountId: 'alice' }),
    catalog: [row],
    onEvent: (event) => void events.push(event),
  })
  return {
    gateway,
    events,
    outputs,
    async ask(isStreaming) {
      const body = { model: 'acme/m', stream: isStreaming, messages: [{ role: 'user', content: 'Hi' }] }
      const request: GatewayRequest = {
        method: 'POST',
        path: '/v1/chat/completions',
        headers: {},
        body: { kind: 'parsed', value: body },
        signal: new AbortController().signal,
      }
      try {
        const response = await gateway.handle(request)
        outputs.push(response?.status, response?.headers)
        if (typeof response?.body === 'string') outputs.push(response.body)
        else
          for await (const piece of asPieces(response?.body))
            outputs.push(Buffer.from(piece).toString('latin1'))
      } catch (thrown) {
        // What the host's error handler gets, and may log with everything in it.
        outputs.push(inspect(thrown, { depth: 20, showHidden: true }))
      }
    },
  }
}

async function* asPieces(body: unknown): AsyncIterable<Uint8Array> {
  if (body instanceof Uint8Array) yield body
  else if (body !== undefined) yield* body as AsyncIterable<Uint8Array>
}

/** Everything that an account, a host or a thief of the database can see. */
async function everything({ gateway, outputs }: Subject): Promise<string> {
  const journal = await gateway.accounts.journal({ accountId: 'alice' })
  const receipts = await Promise.all(
    journal.map(({ requestId = '' }) => gateway.receipts.get({ accountId: 'alice', requestId })),
  )
  const keys = await gateway.providerKeys.list('alice')
  const settings = await gateway.accounts.settings('alice')
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)).toString('latin1'))
  const seen = [
    ...outputs,
    journal,
    receipts,
    keys,
    settings,
    await gateway.accounts.balance('alice'),
    gateway,
  ]
  return (
    inspect(seen, { depth: 30, maxArrayLength: null, maxStringLength: null, showHidden: true }) + files.join()
  )
}

function expectNothingOf(text: string): void {
  // Any eight characters of it in a row would be too much.
  for (let start = 0; start + 8 <= secret.length; start += 1)
    expect(text).not.toContain(secret.slice(start, start + 8))
  expect(text).not.toContain(ringKey)
  expect(text).not.toContain(Buffer.from(secret).toString('base64').slice(0, 16))
  expect(text).not.toContain(Buffer.from(secret).toString('hex'))
}

describe('the key that the gateway itself pays with is in no answer, event, receipt, journal, log or file', () => {
  it.each(Object.keys(quotes))('when the provider quotes it in %s', async (name) => {
    answer = quotes[name] as Quote
    const subject = open({ apiKey: secret })
    for (const isStreaming of [false, true]) await subject.ask(isStreaming)

    expect(seenKeys.length).toBeGreaterThanOrEqual(2)
    expect(new Set(seenKeys)).toEqual(new Set([secret]))
    expectNothingOf(await everything(subject))
    await subject.gateway.close()
  })
})

describe('an account’s own key is in no answer, event, receipt, journal, log or file', () => {
  it.each(Object.keys(quotes))('when the provider quotes it in %s', async (name) => {
    answer = quotes[name] as Quote
    const subject = open()
    await subject.gateway.providerKeys.set({ accountId: 'alice', providerId: 'quoting', apiKey: secret })
    for (const isStreaming of [false, true]) await subject.ask(isStreaming)

    // It was used: nothing is proved by a request that was never made.
    expect(seenKeys.length).toBeGreaterThanOrEqual(2)
    expect(new Set(seenKeys)).toEqual(new Set([secret]))
    const text = await everything(subject)
    expect(text).toContain(hint)
    expectNothingOf(text)
    await subject.gateway.close()
  })

  it('when the store fails while it is set, and while requests come', async () => {
    const failing = (message: string) => async () => {
      throw new Unavailable(message)
    }
    const subject = open({ keys: (keys) => ({ ...keys, put: failing('The disk is full.') }) })
    const request = { accountId: 'alice', providerId: 'quoting', apiKey: secret }
    const refused = await subject.gateway.providerKeys.set(request).catch((thrown: unknown) => thrown)
    expect(isUnavailable((refused as Error).cause)).toBe(true)
    subject.outputs.push(refused, inspect(refused, { depth: 20, showHidden: true }))
    expectNothingOf(await everything(subject))

    const down = open({ keys: (keys) => ({ ...keys, get: failing('The store is down.') }) })
    await down.ask(false)
    expect(down.events.at(-1)).toMatchObject({ kind: 'request.refused', code: 'store_unavailable' })
    expect(seenKeys).toEqual([])
  })

  it.each([
    ['its provider is unknown', { providerId: 'nobody' }],
    ['it is no key', { apiKey: `${secret} with a space` }],
    ['it is too long', { apiKey: secret.repeat(100) }],
  ])('when it is refused because %s', async (_why, members) => {
    const subject = open()
    const request = { accountId: 'alice', providerId: 'quoting', apiKey: secret, ...members }
    const refused = await subject.gateway.providerKeys.set(request).catch((thrown: unknown) => thrown)
    expect(refused).toBeInstanceOf(RangeError)
    subject.outputs.push(refused, inspect(refused, { depth: 20, showHidden: true }))
    expectNothingOf(await everything(subject))
  })

  it('when it cannot be opened: the account’s requests stop, and the operator hears of it', async () => {
    const before = open()
    await before.gateway.providerKeys.set({ accountId: 'alice', providerId: 'quoting', apiKey: secret })
    await before.gateway.close()

    const after = open({ keyRing: [{ id: 'other', key: Buffer.alloc(32, 1) }] })
    await after.ask(false)
    await after.ask(true)
    expect(seenKeys).toEqual([])
    expect(after.events.filter(({ kind }) => kind === 'provider-key.locked')).toEqual([
      { kind: 'provider-key.locked', accountId: 'alice', providerId: 'quoting', ringKeyId: 'ring' },
    ])
    const text = await everything(after)
    expect(text).toContain("the keys that 'alice' brought for quoting cannot be read")
    expectNothingOf(text)
  })

  it('when it was rotated and removed', async () => {
    const before = open()
    await before.gateway.providerKeys.set({ accountId: 'alice', providerId: 'quoting', apiKey: secret })
    const after = open({ keyRing: [{ id: 'next', key: Buffer.alloc(32, 1) }, ...keyRing] })
    expect(await after.gateway.providerKeys.rotate()).toEqual({ rotated: 1, unreadable: 0 })
    answer = quotes['a 500'] as Quote
    await after.ask(false)
    expect(new Set(seenKeys)).toEqual(new Set([secret]))
    await after.gateway.providerKeys.remove({ accountId: 'alice', providerId: 'quoting' })
    await after.ask(false)

    expect(seenKeys.at(-1)).toBe('gateway-key')
    expectNothingOf(await everything(after))
  })
})
