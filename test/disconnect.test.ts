import { memoryStorage, type Receipt, type Storage } from '@farebox/core'
import {
  apiKey,
  authorization,
  chat,
  chatModel,
  eventually,
  type OpenExchange,
  type Rig,
  streamedChat,
} from '@farebox/testkit/adapter'
import type { Fault } from '@farebox/testkit/simulator'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { onExpress } from './on-express.ts'

const providers = ['cerebras', 'together'] as const
type ChatProvider = (typeof providers)[number]

const withUsage = { stream_options: { include_usage: true } }

describe.each(providers)('failure 7: a caller of %s who leaves', (provider) => {
  const model = `${chatModel}:${provider}`
  const costs = { tellsCosts: true }

  it.each([
    { mode: 'stream', isStreaming: true },
    { mode: 'whole answer', isStreaming: false },
  ])('before the first byte of a $mode pays what the provider counted', async ({ isStreaming }) => {
    await onExpress(costs, async (rig) => {
      rig.simulator.fault(provider, { kind: 'slow', firstTokenMs: 20_000, tokenMs: 0 })
      const exchange = rig.client.open(chat({ model, stream: isStreaming }))
      await eventually('the provider is at work', () => rig.simulator.activeRequests() === 1)
      const { held } = await rig.balance()
      exchange.leave()

      await expectCounted(rig, held)
    })
  })

  it.each([1, 2, 5, 9])('after %i chunks pays what the provider counted', async (chunks) => {
    await onExpress(costs, async (rig) => {
      const held = await leaveAfter(rig, { provider, chunks })

      await expectCounted(rig, held)
      expect(rig.simulator.served[0]?.usage['completion_tokens']).toBe(chunks)
    })
  })

  it('in the middle of a whole answer pays what the provider counted', async () => {
    await onExpress(costs, async (rig) => {
      rig.simulator.fault(provider, { kind: 'slow', firstTokenMs: 0, tokenMs: 10 })
      const exchange = rig.client.open(chat({ model, say: 2_000 }))
      await eventually('the provider is at work', () => rig.simulator.activeRequests() === 1)
      const { held } = await rig.balance()
      exchange.leave()

      await expectCounted(rig, held)
    })
  })

  it.each([1, 2, 5, 9])('after %i chunks pays an estimate where nobody can tell the cost', async (chunks) => {
    await onExpress({}, async (rig) => {
      const held = await leaveAfter(rig, { provider, chunks })

      await expectEstimated(rig, held)
    })
  })

  it.each([true, false])(
    'before the first byte pays an estimate where nobody can tell (stream: %s)',
    async (stream) => {
      await onExpress({}, async (rig) => {
        rig.simulator.fault(provider, { kind: 'hang' })
        const exchange = rig.client.open(chat({ model, stream }))
        await eventually('the provider is at work', () => rig.simulator.activeRequests() === 1)
        const { held } = await rig.balance()
        exchange.leave()

        await expectEstimated(rig, held)
      })
    },
  )

  it('pays nothing for the bytes of a picture, which are not tokens, where nobody can tell', async () => {
    await onExpress({}, async (rig) => {
      rig.simulator.fault(provider, { kind: 'stall', afterChunks: 2 })
      const picture = {
        type: 'image_url',
        image_url: { url: `data:image/png;base64,${'A'.repeat(400_000)}` },
      }
      const messages = [{ role: 'user', content: [{ type: 'text', text: 'say 50 tokens' }, picture] }]
      const exchange = rig.client.open(streamedChat({ model, messages, max_tokens: 50 }))
      await eventually('all chunks are read', () => contentEvents(exchange) === 2)
      const { held } = await rig.balance()
      exchange.leave()

      await expectEstimated(rig, held)
    })
  })

  it('after the last data but before the end pays the usage the provider has told', async () => {
    const gate = createGate()
    await onExpress({ gateway: { storage: gate.storage } }, async (rig) => {
      rig.simulator.fault(provider, { kind: 'slow', firstTokenMs: 0, tokenMs: 20 })
      const exchange = rig.client.open(streamedChat({ model, ...withUsage }))
      await exchange.reads('"content"')
      gate.shut()
      await exchange.reads('"usage":{')
      const { held } = await rig.balance()
      expect(exchange.text).not.toContain('[DONE]')
      exchange.leave()
      await exchange.over()
      gate.open()

      const receipt = await expectCharged(rig, held)
      expect(receipt.charged).toBe(rig.simulator.served[0]?.costNanoUsd)
      expect(receipt.attempts[0]).toMatchObject({ costSource: 'price-book', usage: { certainty: 'exact' } })
    })
  })

  it('at any moment around the end pays the usage the provider has told, once', async () => {
    await onExpress({}, async (rig) => {
      const words = ['"usage":{', 'finish_reason":"stop"', '[DONE]']
      for (const [index, word] of words.entries()) {
        const exchange = rig.client.open(streamedChat({ model, ...withUsage, seed: index }))
        await exchange.reads(word)
        exchange.leave()
        await eventually('the request is settled', () => rig.receipts.length === index + 1)
      }
      await rig.quiet()

      const total = rig.simulator.served.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n)
      expect(rig.receipts).toHaveLength(words.length)
      expect((await rig.balance()).charged).toBe(total)
    })
  })
})

describe('a caller of Replicate who leaves', () => {
  it('stops the job, and pays for the seconds it ran', async () => {
    await onExpress({}, async (rig) => {
      rig.simulator.fault('replicate', { kind: 'slow-job', polls: 100 })
      const model = 'stabilityai/stable-diffusion-xl-base-1.0:replicate'
      const body = { model, prompt: 'a lighthouse' }
      const exchange = rig.client.open({ path: '/v1/images/generations', headers: authorization, body })
      await eventually('the job is asked after', () => rig.simulator.requests.length > 1)
      const { held } = await rig.balance()
      exchange.leave()

      const receipt = await expectCharged(rig, held)
      expect(rig.simulator.requests.at(-1)?.path).toMatch(/\/cancel$/)
      expect(rig.simulator.served[0]?.outcome).toBe('aborted')
      expect(receipt.charged).toBe(rig.simulator.served[0]?.costNanoUsd)
    })
  })
})

describe.each([
  { mode: 'a stream', stream: true },
  { mode: 'a whole answer', stream: false },
])('failure 8: usage of $mode', ({ stream }) => {
  const question = chat({ model: `${chatModel}:together`, say: 20, stream })

  it('of zero that the provider reports stays zero', async () => {
    await onExpress({}, async (rig) => {
      rig.simulator.fault('together', { kind: 'zero-usage' })
      await rig.client.ask(question)

      const receipt = await rig.onlyReceipt()
      expect(receipt.charged).toBe(0n)
      expect(receipt.attempts[0]?.usage?.certainty).toBe('exact')
    })
  })

  it.each<Fault>([{ kind: 'no-usage' }, { kind: 'usage-null' }])(
    'that never comes is estimated, and marked as such: $kind',
    async (fault) => {
      await onExpress({}, async (rig) => {
        rig.simulator.fault('together', fault)
        const { text, headers } = await rig.client.ask(question)

        if (stream) expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
        else expect(headers['x-hf-warning']).toMatch(/estimate/)
        const receipt = await rig.onlyReceipt()
        expect(receipt.charged).toBeGreaterThan(0n)
        expect(receipt.attempts[0]).toMatchObject({
          costSource: 'estimate',
          usage: { certainty: 'estimate' },
        })
      })
    },
  )
})

describe.each(providers)('failure 25: a stream of %s that is cut', (provider) => {
  const model = `${chatModel}:${provider}`
  const say = 4
  // Cerebras opens a stream with an event of its own; Together has sent nothing before its first token.
  const first = provider === 'cerebras' ? 0 : 1
  const cuts = (['truncate', 'end-early'] as const).flatMap((kind) =>
    Array.from({ length: say + 1 - first }, (_, index) => ({ kind, afterChunks: first + index })),
  )

  // Side by side, because most of each is a wait for the provider to know what it cost.
  it.concurrent.each(cuts)(
    'by $kind after $afterChunks chunks ends with an error that clients raise',
    async (fault) => {
      await onExpress({ tellsCosts: true }, async (rig) => {
        rig.simulator.fault(provider, fault)
        const { status, text } = await rig.client.ask(streamedChat({ model, say }))

        expect(status).toBe(200)
        expect(text.match(/"content":"[^"]/g) ?? []).toHaveLength(fault.afterChunks)
        expect(text).not.toContain('[DONE]')
        expect(lastEvent(text)).toEqual({
          error: {
            type: 'server_error',
            code: 'provider_failed',
            param: null,
            message: expect.any(String) as unknown,
          },
        })
        const receipt = await rig.onlyReceipt()
        expect(receipt.charged).toBe(rig.simulator.served[0]?.costNanoUsd)
        await expect(readAll(rig, model, say)).rejects.toThrow(OpenAI.APIError)
      })
    },
  )

  it('by silence ends with an error that clients raise', async () => {
    await onExpress({ gateway: { timeouts: { idleMs: 150 } } }, async (rig) => {
      rig.simulator.fault(provider, { kind: 'stall', afterChunks: 2 })

      await expect(readAll(rig, model, say)).rejects.toThrow(OpenAI.APIError)
      expect((await rig.onlyReceipt()).attempts[0]?.outcome).toBe('aborted')
    })
  })

  it('because it never ends is charged and ends with an error that clients raise', async () => {
    await onExpress({ tellsCosts: true, gateway: { timeouts: { totalMs: 300 } } }, async (rig) => {
      rig.simulator.fault(provider, { kind: 'never-ending' })

      await expect(readAll(rig, model, say)).rejects.toThrow(OpenAI.APIError)
      expect((await rig.onlyReceipt()).charged).toBe(rig.simulator.served[0]?.costNanoUsd)
    })
  })

  it('by an error of its own passes that error on, and adds none', async () => {
    await onExpress({}, async (rig) => {
      rig.simulator.fault(provider, { kind: 'error-event', afterChunks: 2 })
      const { text } = await rig.client.ask(streamedChat({ model, say }))

      expect(text.match(/"error":/g)).toHaveLength(1)
      expect(text).not.toContain('[DONE]')
      await expect(readAll(rig, model, say)).rejects.toThrow(OpenAI.APIError)
    })
  })

  it('nowhere is read to its end by the same client', async () => {
    await onExpress({}, async (rig) => {
      expect(await readAll(rig, model, say)).toHaveLength(say)
    })
  })
})

/** Leaves a stream of which only so many chunks exist. Gives what was held for it. */
async function leaveAfter(
  rig: Rig,
  { provider, chunks }: { readonly provider: ChatProvider; readonly chunks: number },
): Promise<bigint> {
  rig.simulator.fault(provider, { kind: 'stall', afterChunks: chunks })
  const exchange = rig.client.open(streamedChat({ model: `${chatModel}:${provider}`, say: 50 }))
  await eventually('all chunks are read', () => contentEvents(exchange) === chunks)
  const { held } = await rig.balance()
  exchange.leave()
  return held
}

function contentEvents({ text }: OpenExchange): number {
  return text.match(/"content":"[^"]/g)?.length ?? 0
}

/** Charged once: more than nothing, less than what was held. */
async function expectCharged(rig: Rig, held: bigint): Promise<Receipt> {
  const receipt = await rig.onlyReceipt()
  expect(receipt.charged).toBeGreaterThan(0n)
  expect(receipt.charged).toBeLessThan(held)
  expect((await rig.balance()).charged).toBe(receipt.charged)
  const journal = await rig.gateway.accounts.journal({ accountId: receipt.accountId })
  expect(journal.filter(({ kind }) => kind === 'settled')).toHaveLength(1)
  return receipt
}

async function expectCounted(rig: Rig, held: bigint): Promise<void> {
  const receipt = await expectCharged(rig, held)
  expect(rig.simulator.served).toHaveLength(1)
  expect(receipt.charged).toBe(rig.simulator.served[0]?.costNanoUsd)
  expect(receipt.attempts[0]).toMatchObject({ outcome: 'aborted', costSource: 'provider' })
}

async function expectEstimated(rig: Rig, held: bigint): Promise<void> {
  const receipt = await expectCharged(rig, held)
  expect(receipt.attempts[0]).toMatchObject({
    outcome: 'aborted',
    costSource: 'estimate',
    usage: { certainty: 'estimate' },
  })
}

/** Reads a stream with OpenAI's own client. */
async function readAll({ url }: Rig, model: string, say: number): Promise<string[]> {
  const openai = new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 })
  const messages = [{ role: 'user' as const, content: `say ${say} tokens` }]
  const pieces: string[] = []
  for await (const chunk of await openai.chat.completions.create({ model, messages, stream: true })) {
    const piece = chunk.choices[0]?.delta.content
    if (piece) pieces.push(piece)
  }
  return pieces
}

function lastEvent(text: string): unknown {
  return JSON.parse(text.trimEnd().split('\n\n').at(-1)?.slice('data: '.length) ?? '')
}

/** A storage that neither holds nor settles while it is shut; balances can be read. */
function createGate(): { readonly storage: Storage; shut(): void; open(): void } {
  const { ledger } = memoryStorage()
  let opened = Promise.resolve()
  let open = () => {}
  const gated: Storage['ledger'] = {
    ...ledger,
    async transact(accountId, keys, reduce, options) {
      if (keys.length > 0) await opened
      return ledger.transact(accountId, keys, reduce, options)
    },
  }
  return {
    storage: { ledger: gated },
    shut() {
      opened = new Promise((resolve) => {
        open = resolve
      })
    },
    open: () => open(),
  }
}
