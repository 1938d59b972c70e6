import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { noOwnKeys, type OwnKey } from '../auth/own-keys.ts'
import { createCatalog } from '../catalog/catalog.ts'
import { bookOf } from '../catalog/price-book.ts'
import type { Target } from '../catalog/target.ts'
import { type Clock, fakeClock, systemClock } from '../clock.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { openaiImages } from '../dialects/openai-images.ts'
import { type GatewayError, isGatewayError } from '../errors.ts'
import type { ByteStream } from '../http/byte-stream.ts'
import type { Attempt } from '../metering/attempt.ts'
import { perMillion, perUnit } from '../money.ts'
import { openaiCompatible } from '../providers/openai-compatible.ts'
import type { Provider } from '../providers/provider.ts'
import { replicate } from '../providers/replicate.ts'
import { createHealth } from '../routing/health.ts'
import { createDispatch, type DispatchTimeouts } from './dispatch.ts'
import { createTransport } from './transport.ts'
import type { Upstream } from './upstream.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

interface FakeProvider {
  readonly baseUrl: string
  /** Bodies and ids of the requests that came. */
  readonly requests: {
    readonly id: string | undefined
    readonly url: string | undefined
    readonly key: string | undefined
  }[]
  readonly sockets: Set<object>
}

/** A provider on a real socket. */
async function serve(listener: RequestListener): Promise<FakeProvider> {
  const requests: FakeProvider['requests'] = []
  const sockets = new Set<object>()
  const server = createServer((request, response) => {
    const { 'x-request-id': id, authorization: key } = request.headers
    requests.push({ id: id as string | undefined, url: request.url, key })
    request.resume()
    listener(request, response)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests, sockets }
}

const reply = '{"id":"x","choices":[{"index":0}],"usage":{"prompt_tokens":9,"completion_tokens":2}}'
const chunk = 'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
const done = 'data: [DONE]\n\n'

const eventStream = { 'content-type': 'text/event-stream; charset=utf-8' }

/** Answers well, as a stream when one is asked for. */
const well: RequestListener = (request, response) => {
  let body = ''
  request.on('data', (data) => {
    body += data
  })
  request.on('end', () => {
    if (body.includes('"stream":true')) response.writeHead(200, eventStream).end(chunk + done)
    else response.writeHead(200, { 'content-type': 'application/json' }).end(reply)
  })
}

const refuse =
  (
    status: number,
    body: unknown = { error: { message: `no ${status}` } },
    headers: Record<string, string> = {},
  ): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  }

const streamOf =
  (...writes: string[]): RequestListener =>
  (_request, response) => {
    response.writeHead(200, eventStream)
    writeSlowly(response, writes)
  }

function writeSlowly(response: ServerResponse, [first, ...rest]: readonly string[]): void {
  if (first === undefined) {
    response.end()
    return
  }
  response.write(first)
  setTimeout(() => writeSlowly(response, rest), 20)
}

const patient: DispatchTimeouts = { firstByteMs: 20_000, replyMs: 20_000, idleMs: 20_000, totalMs: 60_000 }

interface Options {
  /** More of the chat's body. */
  readonly members?: object
  readonly timeouts?: Partial<DispatchTimeouts>
  readonly clock?: Clock
  readonly attemptsMax?: number
  readonly signal?: AbortSignal
  readonly stream?: boolean
  readonly providers?: readonly Provider[]
  readonly ownKeys?: ReadonlyMap<string, OwnKey>
}

function setUp(bases: readonly string[], options: Options) {
  const clock = options.clock ?? systemClock
  const providers =
    options.providers ??
    bases.map((baseUrl, index) => openaiCompatible({ id: `p${index}`, baseUrl, apiKey: 'gateway-key' }))
  const { targets } = createCatalog({
    books: [
      bookOf(
        providers.map(({ id }) => ({
          providerId: id,
          providerModel: 'm',
          model: 'acme/m',
          operation: 'chat',
          price: { input_token: perMillion('1'), output_token: perMillion('1') },
          source: 'https://example.com/pricing',
          readOn: '2026-01-31',
        })),
      ),
    ],
    providerIds: providers.map(({ id }) => id),
    now: () => 0,
  })
  const transport = createTransport({ connectionsMax: 8, connectTimeoutMs: 2000, clock })
  open.push(() => transport.close())
  const health = createHealth({ clock, onCircuit: () => undefined })
  const failures: string[] = []
  const dispatch = createDispatch({
    providers: new Map(providers.map((provider) => [provider.id, provider])),
    transport,
    health,
    clock,
    attemptsMax: options.attemptsMax ?? 4,
    replyBytesMax: 100_000,
    timeouts: { ...patient, ...options.timeouts },
    onAttemptFailed: (attempt) => failures.push(`${attempt.attemptId} ${attempt.failure?.reason}`),
  })
  return { dispatch, targets, failures, health }
}

/** Sends one chat call to these providers in turn. */
async function run(bases: readonly string[], options: Options = {}) {
  const { dispatch, targets, failures, health } = setUp(bases, options)
  const attempts: Attempt[] = []
  const value = {
    model: 'acme/m',
    messages: [{ role: 'user', content: 'Hi' }],
    stream: options.stream ?? false,
    ...options.members,
  }
  let upstream: Upstream | undefined
  let error: unknown
  try {
    upstream = await dispatch({
      requestId: 'r',
      call: openaiChat.parse({ value, source: undefined, byteLength: 100 }),
      targets,
      outputTokens: () => undefined,
      ownKeys: options.ownKeys ?? noOwnKeys.ready,
      attempts,
      signal: options.signal ?? new AbortController().signal,
    })
  } catch (thrown) {
    error = thrown
  }
  return { upstream, error: error as GatewayError, attempts, failures, health, targets }
}

async function text(upstream: Upstream | undefined): Promise<string> {
  if (upstream === undefined) return 'nothing'
  if (upstream.kind === 'reply') return upstream.reply.toString()
  return readText(upstream.stream)
}

async function readText(stream: ByteStream): Promise<string> {
  let all = ''
  for await (const bytes of stream) all += Buffer.from(bytes).toString()
  return all
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate)
}

const hang: RequestListener = () => undefined

describe.each([
  ['a reply', false],
  ['a stream', true],
] as const)('%s', (_kind, stream) => {
  const answer = stream ? chunk + done : reply

  it('comes from the first target when that serves', async () => {
    const provider = await serve(well)
    const { upstream, attempts, failures } = await run([provider.baseUrl, 'http://127.0.0.1:1/v1'], {
      stream,
    })
    expect(upstream?.kind).toBe(stream ? 'stream' : 'reply')
    expect(await text(upstream)).toBe(answer)
    expect(attempts).toHaveLength(1)
    expect(attempts[0]).toMatchObject({
      attemptId: 'r.1',
      outcome: 'running',
      firstByteMs: expect.any(Number),
      replyBytes: stream ? 0 : answer.length,
    })
    expect(provider.requests).toMatchObject([{ id: 'r.1', url: '/v1/chat/completions' }])
    expect(failures).toEqual([])
  })

  const html = '<html><h1>502 Bad Gateway</h1></html>'
  it.each<[string, RequestListener, object]>([
    ['500', refuse(500), { reason: 'status', status: 500, message: 'answered 500 (no 500)' }],
    ['429', refuse(429), { reason: 'status', status: 429 }],
    ['402', refuse(402), { reason: 'status', status: 402 }],
    ['401', refuse(401), { reason: 'status', status: 401 }],
    ['404', refuse(404), { reason: 'status', status: 404 }],
    ['a redirect', refuse(302, '', { location: '/login' }), { reason: 'status', status: 302 }],
    [
      'a page of HTML with 502',
      refuse(502, html),
      { reason: 'status', status: 502, message: 'answered 502' },
    ],
    ['503 without a word', refuse(503, ''), { reason: 'status', status: 503 }],
    ['a reset', (_request, response) => void response.destroy(), { reason: 'reset' }],
    [
      'half a head',
      (_request, response) => void response.socket?.end('HTTP/1.1 200 OK\r\nconte'),
      { reason: 'reset' },
    ],
    ['an empty 200', refuse(200, '', stream ? eventStream : {}), { reason: 'malformed' }],
    [
      'an error inside a 200',
      refuse(200, { error: { message: 'no' } }, { 'content-type': 'application/json' }),
      { reason: 'status', status: 200 },
    ],
  ])(
    'comes from the next target after %s, and the failure is on record',
    async (_trouble, trouble, failure) => {
      const [bad, good] = [await serve(trouble), await serve(well)]
      const { upstream, attempts, failures, health } = await run([bad.baseUrl, good.baseUrl], { stream })
      expect(await text(upstream)).toBe(answer)
      expect(attempts.map(({ attemptId, outcome }) => [attemptId, outcome])).toEqual([
        ['r.1', 'failed'],
        ['r.2', 'running'],
      ])
      expect(attempts[0]?.failure).toMatchObject(failure)
      expect(attempts[0]?.endedMs).toEqual(expect.any(Number))
      expect(failures).toEqual([`r.1 ${attempts[0]?.failure?.reason}`])
      expect(good.requests).toHaveLength(1)
      for (let time = 0; time < 2; time += 1) health.recordFailure(attempts[0]?.target as Target)
      expect(health.stats(attempts[0]?.target as Target).isHealthy).toBe(false)
    },
  )

  it('comes from the next target when nobody listens or nothing comes in time', async () => {
    const [silent, good] = [await serve(hang), await serve(well)]
    const { upstream, attempts } = await run(['http://127.0.0.1:1/v1', silent.baseUrl, good.baseUrl], {
      stream,
      timeouts: { firstByteMs: 50, replyMs: 50 },
    })
    expect(await text(upstream)).toBe(answer)
    expect(attempts.map(({ failure, mayHaveCost }) => [failure?.reason, mayHaveCost])).toEqual([
      ['connect', false],
      ['timeout', true],
      [undefined, true],
    ])
    await until(() => silent.sockets.size === 0)
  })

  it.each([
    [400, { error: { message: 'bad role', param: 'messages', code: 'bad' } }, 400, 'provider_rejected'],
    [422, { error: { message: 'bad value' } }, 422, 'provider_rejected'],
    [413, '', 413, 'provider_rejected'],
    [
      400,
      { error: { message: "This model's maximum context length is 8192 tokens." } },
      400,
      'context_length_exceeded',
    ],
  ])(
    'is not asked for elsewhere when a provider says %i: the request itself is at fault',
    async (status, body, shown, code) => {
      const [bad, good] = [await serve(refuse(status, body)), await serve(well)]
      const { error, attempts, failures, health } = await run([bad.baseUrl, good.baseUrl], { stream })
      expect(error).toMatchObject({ code, status: shown })
      expect(good.requests).toEqual([])
      expect(attempts).toHaveLength(1)
      expect(attempts[0]).toMatchObject({ outcome: 'failed', mayHaveCost: false })
      // It says nothing about the provider.
      expect(failures).toEqual([])
      expect(health.stats(attempts[0]?.target as Target).isHealthy).toBe(true)
    },
  )

  it('that nobody can give fails with an error that names everyone who was tried', async () => {
    const limited = await serve(refuse(429, { error: { message: 'slow down' } }))
    const broken = await serve(refuse(500, ''))
    const { error, attempts } = await run([limited.baseUrl, broken.baseUrl, 'http://127.0.0.1:1/v1'], {
      stream,
    })
    expect(isGatewayError(error)).toBe(true)
    expect(error).toMatchObject({
      code: 'provider_failed',
      status: 502,
      message:
        'No provider could serve this request: p0 answered 429 (slow down); p1 answered 500; p2 could not be reached.',
      facts: {
        tried: [
          { provider: 'p0', reason: 'status', status: 429 },
          { provider: 'p1', reason: 'status', status: 500 },
          { provider: 'p2', reason: 'connect' },
        ],
      },
    })
    expect(error.retryAfterSeconds).toBeUndefined()
    expect(attempts.map(({ outcome, mayHaveCost }) => [outcome, mayHaveCost])).toEqual([
      ['failed', false],
      ['failed', false],
      ['failed', false],
    ])
  })

  it('that everyone is late with is a time-out', async () => {
    const silent = await serve(hang)
    const { error } = await run([silent.baseUrl, silent.baseUrl], {
      stream,
      timeouts: { firstByteMs: 50, replyMs: 50 },
    })
    expect(error).toMatchObject({ code: 'provider_timeout', status: 504 })
  })

  it('may be asked for again after the shortest wait, if everyone named one', async () => {
    const half = await serve(refuse(429, '', { 'retry-after': '7.2' }))
    const body = await serve(refuse(429, { detail: 'throttled', retry_after: 30 }))
    const both = await run([half.baseUrl, body.baseUrl], { stream })
    expect(both.error.retryAfterSeconds).toBe(8)
    expect(both.attempts.map(({ failure }) => failure?.retryAfterSeconds)).toEqual([8, 30])
    const silent = await serve(refuse(503, ''))
    expect((await run([half.baseUrl, silent.baseUrl], { stream })).error.retryAfterSeconds).toBeUndefined()
  })

  it('is tried for no more often than allowed', async () => {
    const broken = await serve(refuse(500))
    const { attempts } = await run(Array(5).fill(broken.baseUrl), { stream, attemptsMax: 3 })
    expect(attempts.map(({ attemptId }) => attemptId)).toEqual(['r.1', 'r.2', 'r.3'])
    expect(broken.requests.map(({ id }) => id)).toEqual(['r.1', 'r.2', 'r.3'])
  })

  it('is tried for once more at a single target whose connection was closed, and not after an answer', async () => {
    let requests = 0
    const flaky = await serve((request, response) => {
      requests += 1
      if (requests === 1) response.destroy()
      else well(request, response)
    })
    const second = await run([flaky.baseUrl], { stream })
    expect(await text(second.upstream)).toBe(answer)
    expect(second.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'running'])
    const broken = await serve(refuse(500))
    expect((await run([broken.baseUrl], { stream })).attempts).toHaveLength(1)
    const dead = await serve((_request, response) => void response.destroy())
    expect((await run([dead.baseUrl], { stream })).attempts).toHaveLength(2)
  })

  it('is not waited for any more when the caller leaves, and the provider’s connection is closed', async () => {
    const silent = await serve(hang)
    const good = await serve(well)
    const controller = new AbortController()
    const running = run([silent.baseUrl, good.baseUrl], { stream, signal: controller.signal })
    await until(() => silent.requests.length === 1)
    controller.abort()
    const { error, attempts, failures } = await running
    expect(error).toMatchObject({ code: 'client_closed', status: 499 })
    expect(attempts).toHaveLength(1)
    expect(attempts[0]).toMatchObject({ outcome: 'aborted', mayHaveCost: true })
    expect(good.requests).toEqual([])
    expect(failures).toEqual([])
    await until(() => silent.sockets.size === 0)
  })

  it('costs nothing when the caller left before anything was sent', async () => {
    const provider = await serve(well)
    const { error, attempts } = await run([provider.baseUrl], { stream, signal: AbortSignal.abort() })
    expect(error).toMatchObject({ code: 'client_closed' })
    expect(attempts.every(({ outcome, mayHaveCost }) => outcome === 'failed' && !mayHaveCost)).toBe(true)
    expect(provider.requests).toEqual([])
  })

  it('is waited for no longer than all attempts together may take', async () => {
    const clock = fakeClock(0)
    const silent = await serve(hang)
    const running = run([silent.baseUrl, silent.baseUrl], { stream, clock })
    await until(() => silent.requests.length === 1)
    clock.advance(60_000)
    const { error, attempts } = await running
    expect(error.code).toBe('provider_timeout')
    // There is no time left for the second target.
    expect(attempts).toHaveLength(1)
  })

  it('leaves its connection to the next request', async () => {
    const provider = await serve(well)
    const { dispatch, targets } = setUp([provider.baseUrl], {})
    const value = { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }], stream }
    for (const requestId of ['a', 'b', 'c']) {
      const upstream = await dispatch({
        requestId,
        call: openaiChat.parse({ value, source: undefined, byteLength: 100 }),
        targets,
        outputTokens: () => undefined,
        ownKeys: noOwnKeys.ready,
        attempts: [],
        signal: new AbortController().signal,
      })
      await text(upstream)
      await new Promise(setImmediate)
    }
    expect(provider.requests).toHaveLength(3)
    expect(provider.sockets.size).toBe(1)
  })
})

describe('a reply', () => {
  it.each<[string, RequestListener]>([
    ['that is no JSON', refuse(200, 'Hello')],
    ['that is an array', refuse(200, '[]')],
    ['that is cut off', refuse(200, reply.slice(0, -5))],
    ['that is empty', refuse(200, '{}')],
    ['that holds no answer', refuse(200, '{"choices":[ ],"usage":{"prompt_tokens":9}}')],
    ['that is larger than allowed', refuse(200, `{"choices":"${'x'.repeat(100_000)}"}`)],
  ])('%s is no answer, and the next target is tried', async (_case, trouble) => {
    const [bad, good] = [await serve(trouble), await serve(well)]
    const { upstream, attempts } = await run([bad.baseUrl, good.baseUrl])
    expect(await text(upstream)).toBe(reply)
    // It may well have been charged.
    expect(attempts[0]).toMatchObject({
      outcome: 'failed',
      mayHaveCost: true,
      failure: { reason: 'malformed' },
    })
  })

  it('that breaks off is no answer, and the next target is tried', async () => {
    const bad = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"id"')
      setTimeout(() => response.destroy(), 20)
    })
    const good = await serve(well)
    const { upstream, attempts } = await run([bad.baseUrl, good.baseUrl])
    expect(await text(upstream)).toBe(reply)
    expect(attempts[0]).toMatchObject({ outcome: 'failed', mayHaveCost: true, failure: { reason: 'reset' } })
  })

  it('with an error that is null, or behind blank lines, is an answer', async () => {
    const body = `\n\n {"error":null,${reply.slice(1)}`
    const provider = await serve(refuse(200, body))
    expect(await text((await run([provider.baseUrl])).upstream)).toBe(body)
  })
})

describe('a stream', () => {
  const failed = 'data: {"error":{"message":"overloaded","code":"c"}}\n\n'

  it.each<[string, string[]]>([
    ['at once', [failed]],
    ['with an event name', [`event: error\n${failed}`]],
    ['with CRLF', [failed.replaceAll('\n', '\r\n')]],
    ['and [DONE]', [failed + done]],
    ['cut in two by the network', [failed.slice(0, 9), failed.slice(9)]],
    ['cut in three, the last one its blank line', [failed.slice(0, 12), failed.slice(12, -1), '\n']],
    ['without its blank line', [failed.trimEnd()]],
  ])('that begins with an error (%s) is no answer, and the next target is tried', async (_case, writes) => {
    const [bad, good] = [await serve(streamOf(...writes)), await serve(well)]
    const { upstream, attempts } = await run([bad.baseUrl, good.baseUrl], { stream: true })
    expect(await text(upstream)).toBe(chunk + done)
    expect(attempts[0]).toMatchObject({
      outcome: 'failed',
      mayHaveCost: true,
      failure: { reason: 'status', status: 200, message: 'answered with an error (overloaded)' },
    })
  })

  it('that breaks off within its first event is no answer: nobody has seen any of it', async () => {
    const bad = await serve((_request, response) => {
      response.writeHead(200, eventStream).write(chunk.slice(0, 20))
      setTimeout(() => response.destroy(), 20)
    })
    const good = await serve(well)
    const { upstream, attempts } = await run([bad.baseUrl, good.baseUrl], { stream: true })
    expect(await text(upstream)).toBe(chunk + done)
    expect(attempts[0]?.failure?.reason).toBe('reset')
  })

  it('whose head comes but nothing else in time is no answer', async () => {
    const clock = fakeClock(0)
    const silent = await serve((_request, response) => {
      response.writeHead(200, eventStream).flushHeaders()
    })
    const good = await serve(well)
    const running = run([silent.baseUrl, good.baseUrl], { stream: true, clock })
    await until(() => silent.requests.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    clock.advance(19_999)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(good.requests).toEqual([])
    clock.advance(1)
    const { upstream, attempts } = await running
    expect(await text(upstream)).toBe(chunk + done)
    expect(attempts[0]).toMatchObject({
      outcome: 'failed',
      mayHaveCost: true,
      failure: { reason: 'timeout' },
    })
    await until(() => silent.sockets.size === 0)
  })

  it('that has begun is never begun elsewhere, whatever becomes of it', async () => {
    const bad = await serve((_request, response) => {
      response.writeHead(200, eventStream).write(chunk)
      setTimeout(() => response.destroy(), 20)
    })
    const good = await serve(well)
    const { upstream, attempts } = await run([bad.baseUrl, good.baseUrl], { stream: true })
    await expect(text(upstream)).rejects.toThrow('reset')
    expect(attempts).toHaveLength(1)
    expect(good.requests).toEqual([])
  })

  it('that fails after it began hands the error on', async () => {
    const provider = await serve(streamOf(chunk, failed))
    const { upstream } = await run([provider.baseUrl], { stream: true })
    expect(await text(upstream)).toBe(chunk + failed)
  })

  it('gives every byte once and in order, however it comes', async () => {
    const writes = Array.from({ length: 20 }, (_, index) => chunk.replace('Hi', `piece ${index}`))
    const all = writes.join('') + done
    const provider = await serve(
      streamOf(all.slice(0, 5), all.slice(5, 300), all.slice(300, 301), all.slice(301)),
    )
    const { upstream } = await run([provider.baseUrl], { stream: true })
    expect(await text(upstream)).toBe(all)
  })

  it('may begin with a comment, or talk of errors', async () => {
    const talk = ': keep-alive\n\ndata: {"choices":[{"delta":{"content":"\\"error\\""}}],"error":null}\n\n'
    const provider = await serve(streamOf(talk, done))
    expect(await text((await run([provider.baseUrl], { stream: true })).upstream)).toBe(talk + done)
  })

  it('may have its content type in capitals', async () => {
    const provider = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'Text/Event-Stream' }).end(chunk + done)
    })
    expect(await text((await run([provider.baseUrl], { stream: true })).upstream)).toBe(chunk + done)
  })

  it('may lack a content type', async () => {
    const provider = await serve((_request, response) => void response.end(chunk + done))
    expect(await text((await run([provider.baseUrl], { stream: true })).upstream)).toBe(chunk + done)
  })

  it('that is a whole reply instead is no answer', async () => {
    const whole = await serve(refuse(200, reply, { 'content-type': 'application/json' }))
    const good = await serve(well)
    const { upstream, attempts } = await run([whole.baseUrl, good.baseUrl], { stream: true })
    expect(await text(upstream)).toBe(chunk + done)
    expect(attempts[0]).toMatchObject({ outcome: 'failed', mayHaveCost: true })
  })

  it('that the caller leaves has its connection closed', async () => {
    const provider = await serve((_request, response) => {
      response.writeHead(200, eventStream).write(chunk)
    })
    const { upstream } = await run([provider.baseUrl], { stream: true })
    if (upstream?.kind === 'stream') upstream.stream.cancel()
    await until(() => provider.sockets.size === 0)
  })
})

describe('a job that is polled', () => {
  const job = (status: string, more: object = {}) =>
    JSON.stringify({ id: 'job-1', status, output: null, error: null, ...more })
  const finished = job('succeeded', {
    output: ['https://replicate.delivery/a.webp'],
    metrics: { predict_time: 0.5, image_count: 1 },
  })

  /** Plays one answer for each poll; the creation gets the first. */
  async function play(
    script: readonly (readonly [number, string])[],
    options: { clock?: Clock; signal?: AbortSignal } = {},
  ) {
    let turn = 0
    const cancelled: string[] = []
    const provider = await serve((request, response) => {
      if (request.url?.endsWith('/cancel')) {
        cancelled.push(request.url)
        response.end(job('canceled', { metrics: { predict_time: 1.5 } }))
        return
      }
      const [status, body] = script[Math.min(turn, script.length - 1)] ?? [500, '']
      turn += 1
      response.writeHead(status).end(body)
    })
    const clock = options.clock ?? {
      ...systemClock,
      after: (_delayMs: number, task: () => void) => systemClock.after(1, task),
    }
    const upstreams = replicate({ baseUrl: provider.baseUrl })
    const transport = createTransport({ connectionsMax: 8, connectTimeoutMs: 2000, clock: systemClock })
    open.push(() => transport.close())
    const dispatch = createDispatch({
      providers: new Map([[upstreams.id, upstreams]]),
      transport,
      health: createHealth({ clock, onCircuit: () => undefined }),
      clock,
      attemptsMax: 4,
      replyBytesMax: 100_000,
      timeouts: patient,
      onAttemptFailed: () => undefined,
    })
    const { targets } = createCatalog({
      books: [
        bookOf([
          {
            providerId: 'replicate',
            providerModel: 'acme/flux',
            model: 'acme/flux',
            operation: 'images',
            price: { output_image: perUnit('0.003') },
            source: 'https://example.com/pricing',
            readOn: '2026-01-31',
          },
        ]),
      ],
      providerIds: ['replicate'],
      now: () => 0,
    })
    const attempts: Attempt[] = []
    const value = { model: 'acme/flux', prompt: 'a cat' }
    const running = dispatch({
      requestId: 'r',
      call: openaiImages.parse({ value, source: undefined, byteLength: 100 }),
      targets,
      outputTokens: () => undefined,
      ownKeys: noOwnKeys.ready,
      attempts,
      signal: options.signal ?? new AbortController().signal,
    })
    return { running, attempts, provider, cancelled }
  }

  it('gives its answer and its usage once it is over, also when the output came first', async () => {
    const early = job('processing', { output: ['https://replicate.delivery/a.webp'] })
    const { running, attempts, provider, cancelled } = await play([
      [201, job('starting')],
      [200, early],
      [200, finished],
    ])
    const upstream = await running
    expect(JSON.parse(await text(upstream)).data).toEqual([{ url: 'https://replicate.delivery/a.webp' }])
    expect(attempts[0]?.reported).toMatchObject({ output_image: 1n, compute_second: '0.5' })
    expect(provider.requests.map(({ url }) => url)).toEqual([
      '/v1/models/acme/flux/predictions',
      '/v1/predictions/job-1',
      '/v1/predictions/job-1',
    ])
    expect(cancelled).toEqual([])
  })

  it('survives polls that fail now and then, or answer with anything but the job', async () => {
    const { running } = await play([
      [201, job('starting')],
      [500, ''],
      [429, '{"detail":"throttled"}'],
      [200, '<html>maintenance</html>'],
      [200, job('processing')],
      [502, ''],
      [200, finished],
    ])
    expect(JSON.parse(await text(await running)).data).toHaveLength(1)
  })

  it('is cancelled when it stops telling', async () => {
    const { running, attempts, cancelled } = await play([
      [201, job('starting')],
      [500, ''],
    ])
    await expect(running).rejects.toMatchObject({ code: 'provider_failed' })
    expect(cancelled).toEqual(['/v1/predictions/job-1/cancel'])
    expect(attempts[0]).toMatchObject({
      failure: { reason: 'malformed' },
      reported: { compute_second: '1.5' },
    })
  })

  it('is cancelled when the caller leaves between two polls, and what it used is known', async () => {
    const controller = new AbortController()
    let pauses = 0
    const clock: Clock = {
      ...fakeClock(0),
      after() {
        pauses += 1
        return () => undefined
      },
    }
    const { running, attempts, cancelled } = await play([[201, job('starting')]], {
      clock,
      signal: controller.signal,
    })
    running.catch(() => undefined)
    await until(() => pauses === 1)
    controller.abort()
    await expect(running).rejects.toMatchObject({ code: 'client_closed' })
    expect(cancelled).toEqual(['/v1/predictions/job-1/cancel'])
    expect(attempts[0]).toMatchObject({ outcome: 'aborted', reported: { compute_second: '1.5' } })
  })

  it('that failed is the provider’s trouble, and what it used is still known', async () => {
    const broken = job('failed', { error: 'CUDA out of memory', metrics: { predict_time: 2 } })
    const { running, attempts } = await play([[201, broken]])
    await expect(running).rejects.toMatchObject({
      code: 'provider_failed',
      message: expect.stringContaining('CUDA out of memory'),
    })
    expect(attempts[0]).toMatchObject({
      outcome: 'failed',
      mayHaveCost: true,
      reported: { compute_second: '2' },
    })
  })

  it('that was flagged is the request’s own fault', async () => {
    const flagged = job('failed', { error: 'flagged as sensitive (E005)', metrics: { predict_time: 0.2 } })
    const { running, attempts } = await play([[201, flagged]])
    await expect(running).rejects.toMatchObject({ code: 'provider_rejected', status: 400 })
    expect(attempts[0]).toMatchObject({ outcome: 'failed', reported: { compute_second: '0.2' } })
  })

  it('that cannot be created is refused like any request', async () => {
    const limited = await play([[429, '{"detail":"throttled","retry_after":9}']])
    await expect(limited.running).rejects.toMatchObject({ code: 'provider_failed', retryAfterSeconds: 9 })
    const wrong = await play([[422, '{"detail":"- input.n: too many\\n","status":422}']])
    await expect(wrong.running).rejects.toMatchObject({
      code: 'provider_rejected',
      status: 422,
      message: 'replicate refused the request: - input.n: too many',
    })
  })
})

it('never asks a provider that is not configured', async () => {
  const { dispatch, targets } = setUp(['http://127.0.0.1:1/v1'], {})
  const stranger = targets.map((target) => ({ ...target, providerId: 'stranger' }))
  const value = { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }] }
  const running = dispatch({
    requestId: 'r',
    call: openaiChat.parse({ value, source: undefined, byteLength: 100 }),
    targets: stranger,
    outputTokens: () => undefined,
    ownKeys: noOwnKeys.ready,
    attempts: [],
    signal: new AbortController().signal,
  })
  await expect(running).rejects.toThrow('No provider "stranger" is configured.')
})

describe('an account’s own key', () => {
  const apiKey = 'own-key-0123456789'

  function ownKeysFor(...bases: readonly (string | undefined)[]): ReadonlyMap<string, OwnKey> {
    const keys = bases.flatMap((baseUrl, index): [string, OwnKey][] => {
      if (baseUrl === undefined) return []
      const provider = openaiCompatible({ id: `p${index}`, baseUrl, apiKey })
      return [[`p${index}`, { provider, hide: (text) => text.replaceAll(apiKey, '[key]') }]]
    })
    return new Map(keys)
  }

  it.each([false, true])(
    'is sent in place of the gateway’s, to its provider only (stream: %s)',
    async (stream) => {
      const [first, second] = [await serve(refuse(500)), await serve(well)]
      const ownKeys = ownKeysFor(undefined, second.baseUrl)
      const { attempts } = await run([first.baseUrl, second.baseUrl], { ownKeys, stream })

      expect(first.requests.map(({ key }) => key)).toEqual(['Bearer gateway-key'])
      expect(second.requests.map(({ key }) => key)).toEqual([`Bearer ${apiKey}`])
      expect(attempts.map(({ isOwnKey }) => isOwnKey)).toEqual([false, true])
    },
  )

  it.each([401, 402, 403, 404, 429])(
    'that is answered %i gives way to the next target, and never to the gateway’s key at this one',
    async (status) => {
      const [first, second] = [await serve(refuse(status)), await serve(well)]
      const { upstream, attempts } = await run([first.baseUrl, second.baseUrl], {
        ownKeys: ownKeysFor(first.baseUrl),
      })

      expect(upstream?.attempt.target.providerId).toBe('p1')
      expect(attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'running'])
      expect(first.requests.map(({ key }) => key)).toEqual([`Bearer ${apiKey}`])
      expect(second.requests.map(({ key }) => key)).toEqual(['Bearer gateway-key'])
    },
  )

  it('that does not work is named when nobody could serve, with what to do', async () => {
    const [first, second] = [await serve(refuse(401)), await serve(refuse(503, 'down'))]
    const { error } = await run([first.baseUrl, second.baseUrl], {
      ownKeys: ownKeysFor(first.baseUrl, second.baseUrl),
    })

    expect(error.message).toBe(
      'No provider could serve this request: p0 answered 401 with your own key; p1 answered 503 with your own key. ' +
        'Check your own key for p0.',
    )
    expect(error.facts).toEqual({
      tried: [
        { provider: 'p0', reason: 'status', status: 401, own_key: true },
        { provider: 'p1', reason: 'status', status: 503, own_key: true },
      ],
    })
  })

  it('that is refused does not close the target for others; a provider that is down does', async () => {
    for (const [status, isHealthy] of [
      [401, true],
      [402, true],
      [429, true],
      [500, false],
    ] as const) {
      const provider = await serve(refuse(status))
      const { dispatch, targets, health } = setUp([provider.baseUrl], {})
      const value = { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }] }
      for (const requestId of ['a', 'b', 'c']) {
        const failing = dispatch({
          requestId,
          call: openaiChat.parse({ value, source: undefined, byteLength: 100 }),
          targets,
          outputTokens: () => undefined,
          ownKeys: ownKeysFor(provider.baseUrl),
          attempts: [],
          signal: new AbortController().signal,
        })
        await expect(failing).rejects.toThrow('with your own key')
      }
      expect(targets.map((target) => health.stats(target).isHealthy)).toEqual([isHealthy])
    }
  })

  it.each([
    ['a refusal', refuse(400, { error: { message: `Bad ${apiKey}`, code: apiKey, param: apiKey } }), false],
    ['a failure', refuse(500, { error: { message: `Bad ${apiKey}` } }), false],
    ['an error in 200', refuse(200, { error: { message: `Bad ${apiKey}` } }), false],
    ['a refused stream', refuse(400, { error: { message: `Bad ${apiKey}` } }), true],
    ['an error as first event', streamOf(`data: {"error":{"message":"Bad ${apiKey}"}}\n\n`), true],
  ])('is not told when the provider quotes it, in %s', async (_what, listener, stream) => {
    const provider = await serve(listener)
    const { error, attempts } = await run([provider.baseUrl], {
      ownKeys: ownKeysFor(provider.baseUrl),
      stream,
    })

    expect(isGatewayError(error)).toBe(true)
    expect(error.message).toContain('Bad [key]')
    expect(JSON.stringify([error.message, error.facts, error.param, attempts[0]?.failure])).not.toContain(
      apiKey,
    )
  })
})

describe('an answer that is longer than any that is passed on', () => {
  const long = JSON.stringify({ choices: [{ index: 0, message: { content: 'x'.repeat(200_000) } }] })

  it.each([{ n: 2 }, { logprobs: true, top_logprobs: 20 }, { prompt_logprobs: 1 }])(
    'is asked for once by %j: it would be as long from the next target, which has to be paid as well',
    async (members) => {
      const first = await serve(refuse(200, long, { 'content-type': 'application/json' }))
      const next = await serve(well)
      const { error, attempts } = await run([first.baseUrl, next.baseUrl], { members })
      expect(error).toMatchObject({ code: 'invalid_request', status: 400, facts: { bytes_max: 100_000 } })
      expect(attempts).toMatchObject([{ outcome: 'failed', mayHaveCost: true }])
      expect(next.requests).toHaveLength(0)
    },
  )

  it('is no more than a failure where it is none but an error', async () => {
    const first = await serve(refuse(500, long))
    const next = await serve(well)
    const { upstream, attempts } = await run([first.baseUrl, next.baseUrl], { members: { n: 2 } })
    expect(await text(upstream)).toBe(reply)
    expect(attempts[0]).toMatchObject({ outcome: 'failed', failure: { reason: 'malformed' } })
  })
})
