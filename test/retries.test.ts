import type { IncomingMessage } from 'node:http'
import { bearerKey, type CallerSignal, type Gateway, usd } from '@farebox/core'
import {
  accountId,
  apiKey,
  authorization,
  chat,
  chatBody,
  chatModel,
  eventually,
  type Question,
  type Rig,
  type RigOptions,
} from '@farebox/testkit/adapter'
import OpenAI from 'openai'
import { beforeAll, describe, expect, it } from 'vitest'
import { barePlans } from './bare-plans.ts'
import { onExpress } from './on-express.ts'

const model = `${chatModel}:together`
const messages = [{ role: 'user' as const, content: 'say 5 tokens' }]

// What is timed below must not wait for code that runs for the first time.
beforeAll(() =>
  withRig({}, async (rig) => void (await clientOf(rig).chat.completions.create({ model, messages }))),
)

describe.each([
  { mode: 'whole answer', isStreaming: false },
  { mode: 'stream', isStreaming: true },
])('failure 16: a $mode that the openai SDK asks for', ({ isStreaming }) => {
  /** Asks as users do, without any option for this. */
  const askFor = async (client: OpenAI): Promise<string> => {
    if (!isStreaming) {
      const { choices } = await client.chat.completions.create({ model, messages })
      return choices[0]?.message.content ?? ''
    }
    let text = ''
    for await (const { choices } of await client.chat.completions.create({ model, messages, stream: true }))
      text += choices[0]?.delta.content ?? ''
    return text
  }

  it.each([
    // The SDK pauses for 375 to 500 ms: these answers come well away from the ends of its tries.
    { when: 'while the first try is under way', answerMs: 1_900, timeout: 1_000 },
    { when: 'when the first try has been answered', answerMs: 750, timeout: 500 },
  ])('is dispatched and charged once when its time is over and it retries $when', async (times) => {
    await withRig({}, async (rig) => {
      rig.simulator.script('together', [{ kind: 'slow', firstTokenMs: times.answerMs, tokenMs: 0 }])
      const text = await askFor(clientOf(rig, { timeout: times.timeout, maxRetries: 4 }))

      expect(text).toMatch(/^Simulated answer:/)
      expect(rig.seen).toBeGreaterThan(1)
      await expectOnce(rig)
    })
  })

  it('is dispatched and charged once when its connection is reset before the answer', async () => {
    await withRig(resetting(1), async (rig) => {
      rig.simulator.script('together', [{ kind: 'slow', firstTokenMs: 300, tokenMs: 0 }])

      expect(await askFor(clientOf(rig))).toMatch(/^Simulated answer:/)
      expect(rig.seen).toBe(2)
      await expectOnce(rig)
    })
  })

  it('is charged for each of two identical requests at the same time', async () => {
    await withRig({}, async (rig) => {
      const client = clientOf(rig)
      await Promise.all([askFor(client), askFor(client)])
      await expectEach(rig, 2)
    })
  })

  it('is charged for each of three identical requests whose connections are all reset', async () => {
    await withRig(resetting(3), async (rig) => {
      rig.simulator.fault('together', { kind: 'slow', firstTokenMs: 300, tokenMs: 0 })
      const client = clientOf(rig)
      const texts = await Promise.all([1, 2, 3].map(() => askFor(client)))

      expect(texts.every((text) => text.startsWith('Simulated answer:'))).toBe(true)
      expect(rig.seen).toBe(6)
      await expectEach(rig, 3)
    })
  })

  it('is dispatched anew when the first try was answered with an error', async () => {
    await withRig({}, async (rig) => {
      rig.simulator.script('together', [{ kind: 'status', status: 500 }])

      expect(await askFor(clientOf(rig))).toMatch(/^Simulated answer:/)
      expect(rig.seen).toBe(2)
      expect(rig.simulator.requests).toHaveLength(2)
      await expectEach(rig, 1)
    })
  })

  it('ends when its caller aborts and no retry comes', async () => {
    await withRig({ gateway: { timeouts: { retryMs: 100 } } }, async (rig) => {
      rig.simulator.fault('together', { kind: 'hang' })
      const controller = new AbortController()
      const asking = clientOf(rig).chat.completions.create(
        { model, messages, stream: isStreaming },
        { signal: controller.signal },
      )
      await eventually('the provider is asked', () => rig.simulator.activeRequests() === 1)
      controller.abort()

      await expect(asking).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
      expect((await rig.onlyReceipt()).attempts[0]?.outcome).toBe('aborted')
      expect(rig.seen).toBe(1)
    })
  })
})

it('a stream that an SDK stops reading is stopped at once: no SDK sends a request again after its head', async () => {
  await withRig({ gateway: { timeouts: { retryMs: 60_000 } } }, async (rig) => {
    rig.simulator.fault('together', { kind: 'stall', afterChunks: 2 })
    for await (const _ of await clientOf(rig).chat.completions.create({ model, messages, stream: true }))
      break

    expect((await rig.onlyReceipt()).attempts[0]?.outcome).toBe('aborted')
  })
})

describe('failure 16: a retry takes up what was left only when it is the same request:', () => {
  const first = tried(0)
  it.each<[string, Question, number]>([
    ['the same', tried(1), 1],
    ['the same, as the second retry', tried(2), 1],
    ['another body', tried(1, { say: 6 }), 2],
    ['another model', tried(1, { model: `${chatModel}:cerebras` }), 2],
    ['another order in the body', { ...tried(1), body: reversed(tried(1).body as object) }, 2],
    ['another query', { ...tried(1), path: `${first.path}?beta=true` }, 2],
    ['another key of the same account', tried(1, {}, { authorization: 'Bearer key-alice-2' }), 2],
    ['another member of it', tried(1, {}, { authorization: 'Bearer key-ada' }), 2],
    ['another account', tried(1, {}, { authorization: 'Bearer key-bob' }), 2],
    ['another payer', tried(1, {}, { 'x-hf-bill-to': 'acme' }), 2],
    ['a first try again', tried(0), 2],
    ['no count at all', chat({ model }), 2],
    ['a count that is none', tried(1, {}, { 'x-stainless-retry-count': '1.5' }), 2],
    ['a key of its own', tried(1, {}, { 'idempotency-key': 'order-1' }), 2],
  ])('%s', async (_name, second, dispatches) => {
    await withRig({}, async (rig) => {
      for (const provider of ['together', 'cerebras'] as const)
        rig.simulator.fault(provider, { kind: 'slow', firstTokenMs: 300, tokenMs: 0 })
      const exchange = rig.client.open(first)
      await eventually('the provider is asked', () => rig.simulator.activeRequests() === 1)
      exchange.leave()
      await noticed()
      const answer = await rig.client.ask(second)

      expect(answer.status).toBe(200)
      expect(answer.headers['idempotent-replayed']).toBe(dispatches === 1 ? 'true' : undefined)
      await expectEach(rig, dispatches)
      if (dispatches === 1) expect(answer.headers['x-farebox-receipt']).toBe(rig.receipts[0]?.requestId)
    })
  })
})

it('failure 16: SDKs that do not count their tries are billed for each, unless they send a key', async () => {
  await withRig({}, async (rig) => {
    rig.simulator.fault('together', { kind: 'slow', firstTokenMs: 2_000, tokenMs: 0 })
    // As LangChain uses the openai package: its own repeats are first tries. Each has time enough to arrive.
    const client = clientOf(rig, { maxRetries: 0, timeout: 700 })
    const ask = (headers: Record<string, string> = {}) =>
      client.chat.completions.create({ model, messages }, { headers }).catch((error: unknown) => error)

    for (let repeat = 0; repeat < 2; repeat += 1)
      expect(await ask()).toBeInstanceOf(OpenAI.APIConnectionTimeoutError)
    await expectEach(rig, 2)
    for (let repeat = 0; repeat < 6; repeat += 1) await ask({ 'idempotency-key': 'order-1' })
    await expectEach(rig, 3)
  })
})

it('a whole answer whose caller left before all of it was written goes to the retry', async () => {
  const waiting: RigOptions = {
    wrap: (gateway) => ({
      ...gateway,
      async handle(request) {
        const response = await gateway.handle(request)
        if (request.headers['x-stainless-retry-count'] === '0')
          await eventually('the caller has left', () => request.signal.aborted)
        return response
      },
    }),
  }
  await withRig(waiting, async (rig) => {
    const exchange = rig.client.open(tried(0))
    await eventually('the first one is answered', () => rig.receipts.length === 1)
    exchange.leave()
    await noticed()
    const answer = await rig.client.ask(tried(1))

    expect(answer.json()).toMatchObject({ object: 'chat.completion' })
    expect(answer.headers['idempotent-replayed']).toBe('true')
    await expectOnce(rig)
  })
})

it('an answer that is larger than may be kept is not: the retry is a new request', async () => {
  await withRig({ gateway: { limits: { replayBytesMax: 100 } } }, async (rig) => {
    await leave(rig)
    await eventually('the first one is answered', () => rig.receipts.length === 1)
    const answer = await rig.client.ask(tried(1))

    expect(answer.headers['idempotent-replayed']).toBeUndefined()
    await expectEach(rig, 2)
  })
})

it('nothing is recognised when retryMs is 0: a request ends with its caller', async () => {
  await withRig({ gateway: { timeouts: { retryMs: 0 } } }, async (rig) => {
    await leave(rig)
    expect((await rig.onlyReceipt()).attempts[0]?.outcome).toBe('aborted')
    await rig.client.ask(tried(1))
    expect(rig.receipts).toHaveLength(2)
  })
})

it('a retry over web-standard requests is recognised as well', async () => {
  await withRig({}, async (rig) => {
    rig.simulator.script('together', [{ kind: 'slow', firstTokenMs: 200, tokenMs: 0 }])
    const controller = new AbortController()
    const request = (count: string, signal?: AbortSignal) =>
      new Request('http://host/v1/chat/completions', {
        method: 'POST',
        headers: { ...authorization, 'x-stainless-retry-count': count },
        body: JSON.stringify(chatBody({ model })),
        ...(signal === undefined ? {} : { signal }),
      })
    const first = rig.gateway.fetch(request('0', controller.signal))
    await eventually('the provider is asked', () => rig.simulator.activeRequests() === 1)
    controller.abort()
    const answer = await rig.gateway.fetch(request('1'))

    expect((await first)?.status).toBe(499)
    expect(answer?.headers.get('idempotent-replayed')).toBe('true')
    expect(await answer?.json()).toMatchObject({ object: 'chat.completion' })
    await expectOnce(rig)
  })
})

it('closing ends and settles what was left at once, and a retry is told to come again elsewhere', async () => {
  await withRig({ gateway: { timeouts: { retryMs: 60_000 } } }, async (rig) => {
    rig.simulator.fault('together', { kind: 'hang' })
    const exchange = rig.client.open(tried(0))
    await eventually('the provider is asked', () => rig.simulator.activeRequests() === 1)
    exchange.leave()
    await noticed()
    expect(rig.receipts).toEqual([])

    const startMs = performance.now()
    const closing = rig.gateway.close()
    const answer = await rig.client.ask(tried(1))
    await closing

    expect(performance.now() - startMs).toBeLessThan(5_000)
    expect(answer.status).toBe(503)
    expect(answer.headers['x-error-code']).toBe('gateway_closed')
    expect(rig.receipts).toMatchObject([{ attempts: [{ outcome: 'aborted' }] }])
  })
})

/** What a Stainless SDK sends, in its own words. */
function tried(
  count: number,
  members: Parameters<typeof chat>[0] = {},
  headers: Record<string, string> = {},
): Question {
  return chat({ model, ...members }, { 'x-stainless-retry-count': String(count), ...headers })
}

function reversed(body: object): object {
  return Object.fromEntries(Object.entries(body).toReversed())
}

/** Sends a first try and leaves when the provider is at work on it. */
async function leave(rig: Rig): Promise<void> {
  rig.simulator.script('together', [{ kind: 'slow', firstTokenMs: 700, tokenMs: 0 }])
  const exchange = rig.client.open(tried(0))
  await eventually('the provider is asked', () => rig.simulator.activeRequests() === 1)
  exchange.leave()
  await noticed()
}

function clientOf(rig: Rig, options: { maxRetries?: number; timeout?: number } = {}): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${rig.url}/v1`, ...options })
}

/** A host that resets the connections of its first requests while the provider is at work. */
function resetting(count: number): RigOptions {
  let left = count
  return {
    wrap: (gateway) => ({
      ...gateway,
      handle(request) {
        if (left > 0) setTimeout(() => (request.host as IncomingMessage).socket.resetAndDestroy(), 100)
        left -= 1
        return gateway.handle(request)
      },
    }),
  }
}

/** The callers of the requests that came to the rig of this test. */
const callers: CallerSignal[] = []

/** Resolves when the gateway knows that its latest caller has gone. */
function noticed(): Promise<void> {
  return eventually('the gateway has noticed', () => callers.at(-1)?.aborted === true)
}

function watched(gateway: Gateway): Gateway {
  return {
    ...gateway,
    handle(request) {
      callers.push(request.signal)
      return gateway.handle(request)
    },
  }
}

/** One dispatch, one charge, and the charge is what the provider counted. */
async function expectOnce(rig: Rig): Promise<void> {
  await expectEach(rig, 1)
  expect(rig.simulator.requests).toHaveLength(1)
  const { purchased } = await rig.balance()
  expect(usd('5.00') - purchased).toBe(rig.receipts[0]?.charged)
}

/** So many requests were served in full, and each was charged once, for what the provider counted. */
async function expectEach(rig: Rig, count: number): Promise<void> {
  await eventually('everything is settled', () => rig.receipts.filter(hasCharge).length >= count)
  await rig.quiet()
  const charges = rig.receipts.filter(hasCharge).map(({ charged }) => charged)
  const costs = rig.simulator.served.filter(({ costNanoUsd }) => costNanoUsd > 0n)
  expect(charges).toHaveLength(count)
  expect(charges.toSorted(byAmount)).toEqual(costs.map(({ costNanoUsd }) => costNanoUsd).toSorted(byAmount))
}

function hasCharge({ charged }: { readonly charged: bigint }): boolean {
  return charged > 0n
}

function byAmount(a: bigint, b: bigint): number {
  return Number(a - b)
}

async function withRig(options: RigOptions, check: (rig: Rig) => Promise<void>): Promise<void> {
  callers.length = 0
  await onExpress(
    {
      ...options,
      wrap: (gateway) => watched(options.wrap?.(gateway) ?? gateway),
      gateway: {
        authenticate(request) {
          switch (bearerKey(request)) {
            case apiKey:
            case 'key-alice-2':
              return { accountId, payers: ['acme'] }
            case 'key-ada':
              return { accountId, memberId: 'ada' }
            case 'key-bob':
              return { accountId: 'bob' }
            default:
              return undefined
          }
        },
        plans: barePlans,
        ...options.gateway,
      },
    },
    async (rig) => {
      for (const other of ['bob', 'acme'])
        await rig.gateway.credits.grant({ grantId: other, accountId: other, amount: usd('1.00') })
      await check(rig)
    },
  )
}
