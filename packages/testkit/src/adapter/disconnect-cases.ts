import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { type CatalogRow, perMillion } from '@farebox/core'
import type { AdapterCase } from './adapter-host.ts'
import { eventually } from './eventually.ts'
import type { OpenExchange } from './http-client.ts'
import { chat, streamedChat } from './questions.ts'
import { accountId, adapterCase, expectNothingUnderWay, type Rig } from './rig.ts'

const model = 'openai/gpt-oss-120b:together'

/** A model that can write more than the buffers of any socket hold. */
const talkative: CatalogRow = {
  providerId: 'together',
  providerModel: 'openai/gpt-oss-20b',
  model: 'openai/gpt-oss-20b',
  operation: 'chat',
  price: { input_token: perMillion('0.05'), output_token: perMillion('0.2') },
  limits: { contextTokens: 2_000_000, outputTokens: 1_000_000 },
  source: 'the simulator',
  readOn: '2026-11-01',
}

/** A caller who leaves stops the work and ends the hold, at whatever moment. */
export const disconnectCases: readonly AdapterCase[] = [
  adapterCase(
    'stops the provider when a caller who had stopped reading leaves',
    { gateway: { catalog: [talkative] } },
    async (rig) => {
      const exchange = rig.client.open(streamedChat({ model: talkative.model, say: 400_000 }))
      await exchange.reads('"content"')
      exchange.stall()
      // Long enough for a gateway that does not wait for its reader to take in all of it.
      await delay(500)
      exchange.leave()

      const receipt = await rig.onlyReceipt()
      const [served] = rig.simulator.served
      assert.equal(served?.outcome, 'aborted')
      assert.ok((served.usage['completion_tokens'] ?? 0) < 400_000)
      assert.equal(receipt.attempts[0]?.outcome, 'aborted')
      assert.ok(receipt.charged > 0n)
    },
  ),

  adapterCase('stops the provider when the caller leaves in the middle of a stream', {}, async (rig) => {
    rig.simulator.fault('together', { kind: 'stall', afterChunks: 2 })
    const exchange = rig.client.open(streamedChat({ model }))
    await exchange.reads('answer:')
    exchange.leave()

    assert.equal((await rig.onlyReceipt()).attempts[0]?.outcome, 'aborted')
  }),

  adapterCase(
    'charges callers who leave after any chunk what the provider has counted, each once',
    { tellsCosts: true },
    async (rig) => {
      const chunks = Array.from({ length: 9 }, (_, index) => index)
      rig.simulator.script(
        'together',
        chunks.map((afterChunks) => ({ kind: 'stall', afterChunks })),
      )
      for (const afterChunks of chunks) {
        const exchange = rig.client.open(streamedChat({ model, say: 20 }))
        await eventually('the provider is asked', () => rig.simulator.requests.length > afterChunks)
        await eventually('all chunks are read', () => contentEvents(exchange) === afterChunks)
        exchange.leave()
      }

      await eventually('all are settled', () => rig.receipts.length === chunks.length)
      await rig.quiet()
      const { served } = rig.simulator
      assert.deepEqual(served.map(({ usage }) => usage['completion_tokens']).toSorted(), chunks)
      assert.deepEqual(
        rig.receipts.map(({ charged }) => charged).toSorted(),
        served.map(({ costNanoUsd }) => costNanoUsd).toSorted(),
      )
      // Whoever leaves takes the connection along; the next request makes another.
      assert.equal((await rig.client.ask(chat({ model }))).status, 200)
    },
  ),

  adapterCase(
    'stops the provider when the caller leaves before the first byte of a stream',
    {},
    async (rig) => {
      rig.simulator.fault('together', { kind: 'hang' })
      const exchange = rig.client.open(streamedChat({ model }))
      await eventually('the provider is asked', () => rig.simulator.activeRequests() === 1)
      exchange.leave()

      await rig.onlyReceipt()
    },
  ),

  adapterCase('stops the provider when the caller leaves before a whole answer', {}, async (rig) => {
    rig.simulator.fault('together', { kind: 'hang' })
    const exchange = rig.client.open(chat({ model }))
    await eventually('the provider is asked', () => rig.simulator.activeRequests() === 1)
    exchange.leave()

    await rig.onlyReceipt()
  }),

  ...[true, false].map((isStreaming) => {
    let hasAnswered = false
    return adapterCase(
      isStreaming
        ? 'settles once when a stream is dropped before it is read'
        : 'settles once when a whole answer is dropped before it is written',
      {
        wrap: (gateway) => ({
          ...gateway,
          async handle(request) {
            const response = await gateway.handle(request)
            hasAnswered = true
            await eventually('the caller has left', () => request.signal.aborted)
            return response
          },
          async fetch(request, options) {
            const response = await gateway.fetch(request, options)
            hasAnswered = true
            return response
          },
        }),
      },
      async (rig) => {
        // The case runs for one host after the other.
        hasAnswered = false
        const exchange = rig.client.open(isStreaming ? streamedChat({ model, say: 50 }) : chat({ model }))
        await eventually('the gateway has answered', () => hasAnswered)
        exchange.leave()

        assert.ok((await rig.onlyReceipt()).charged > 0n)
      },
    )
  }),

  ...[true, false].map((parsesJson) =>
    adapterCase(
      parsesJson
        ? 'forgets a request whose caller left while the host was at work'
        : 'forgets a request whose caller left while the host was at work and nobody had read the body',
      {
        mount: {
          parsesJson,
          before: (_message, reply) => eventually('the caller has left', () => reply.destroyed),
        },
      },
      async (rig) => {
        await leaveWhenStarted(rig)

        await delay(50)
        assert.deepEqual(rig.simulator.requests, [])
        assert.deepEqual(rig.receipts, [])
        assert.equal((await rig.balance()).held, 0n)
        await expectNothingUnderWay(rig)
      },
    ),
  ),

  ...[true, false].map((parsesJson) =>
    adapterCase(
      parsesJson
        ? 'charges nothing to a caller who left while being authenticated'
        : 'charges nothing to a caller who left while being authenticated and nobody had read the body',
      {
        mount: { parsesJson },
        gateway: {
          async authenticate({ signal }) {
            await eventually('the caller has left', () => signal.aborted)
            return { accountId }
          },
        },
      },
      async (rig) => {
        const exchange = rig.client.open(chat({ model }))
        await eventually('the caller is being authenticated', () => rig.seen === 1)
        exchange.leave()

        await eventually('the request has ended', () =>
          rig.events.some((event) => event.kind === 'request.refused' && event.code === 'client_closed'),
        )
        assert.deepEqual(rig.simulator.requests, [])
        const { held, charged } = await rig.balance()
        assert.deepEqual({ held, charged }, { held: 0n, charged: 0n })
        await expectNothingUnderWay(rig)
      },
    ),
  ),

  ...[true, false].map((isStreaming) => {
    let hasNoticed = () => false
    return adapterCase(
      isStreaming
        ? 'gives a stream that a caller left before its first byte to the retry of their SDK'
        : 'gives a whole answer that a caller left to the retry of their SDK',
      {
        wrap: (gateway) => ({
          ...gateway,
          handle(request) {
            hasNoticed = () => request.signal.aborted
            return gateway.handle(request)
          },
          fetch(request, options) {
            hasNoticed = () => request.signal.aborted
            return gateway.fetch(request, options)
          },
        }),
      },
      async (rig) => {
        const tried = (count: string) =>
          chat({ model, stream: isStreaming }, { 'x-stainless-retry-count': count })
        rig.simulator.script('together', [{ kind: 'slow', firstTokenMs: 300, tokenMs: 0 }])
        const exchange = rig.client.open(tried('0'))
        await eventually('the provider is asked', () => rig.simulator.activeRequests() === 1)
        exchange.leave()
        await eventually('the gateway has noticed', () => hasNoticed())
        const { headers, text } = await rig.client.ask(tried('1'))

        assert.equal(headers['idempotent-replayed'], 'true')
        assert.match(text, /answer:/)
        assert.equal((await rig.onlyReceipt()).charged, rig.simulator.served[0]?.costNanoUsd)
        assert.equal(rig.simulator.requests.length, 1)
      },
    )
  }),

  adapterCase('does not blame a provider for callers who leave', {}, async (rig) => {
    rig.simulator.fault('together', { kind: 'stall', afterChunks: 1 })
    for (let left = 1; left <= 5; left += 1) {
      const exchange = rig.client.open(streamedChat({ model }))
      await exchange.reads('"content"')
      exchange.leave()
      await eventually('the request is settled', () => rig.receipts.length === left)
    }

    const { text } = await rig.client.ask({ path: '/v1/models/openai/gpt-oss-120b' })
    assert.doesNotMatch(text, /"status":"error"/)
    assert.ok(rig.events.every((event) => event.kind !== 'circuit.changed'))
  }),
]

/** Leaves as soon as the request has reached the server. */
async function leaveWhenStarted(rig: Rig): Promise<void> {
  const exchange = rig.client.open(chat({ model }))
  await delay(100)
  exchange.leave()
  await exchange.over()
}

function contentEvents({ text }: OpenExchange): number {
  return text.match(/"content":"[^"]/g)?.length ?? 0
}
