import { memoryStorage, usd } from '@farebox/core'
import {
  accountId,
  apiKey,
  chat,
  chatModel,
  eventually,
  type Question,
  type Rig,
  type RigOptions,
} from '@farebox/testkit/adapter'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { barePlans } from './bare-plans.ts'
import { onExpress } from './on-express.ts'

const keyed = { 'idempotency-key': 'order-1' }
const model = `${chatModel}:together`

describe.each([
  { mode: 'whole answer', isStreaming: false },
  { mode: 'stream', isStreaming: true },
])('failure 16: a $mode with an idempotency key', ({ isStreaming }) => {
  const question = (members: Parameters<typeof chat>[0] = {}): Question =>
    chat({ model, stream: isStreaming, ...members }, keyed)

  it('is dispatched and charged once, and a repeat gets the same bytes', async () => {
    await withRig({}, async (rig) => {
      const first = await rig.client.ask(question())
      const again = await rig.client.ask(question())

      expect(first.status).toBe(200)
      expect(again.text).toBe(first.text)
      expect(again.headers).toMatchObject({
        'idempotent-replayed': 'true',
        'x-request-id': first.headers['x-request-id'],
        'x-farebox-receipt': first.headers['x-farebox-receipt'],
        'content-type': first.headers['content-type'],
      })
      expect(first.headers).not.toHaveProperty('idempotent-replayed')
      await expectOnce(rig)
    })
  })

  it('is dispatched once when twenty copies of it come at the same time', async () => {
    await withRig({}, async (rig) => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => rig.client.ask(question())))

      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
      expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1)
      await expectOnce(rig)
    })
  })

  it('is dispatched once when two servers over one store get it at the same time', async () => {
    const storage = memoryStorage()
    await withRig({ gateway: { storage } }, async (rig) => {
      await withRig({ gateway: { storage } }, async (other) => {
        const answers = await Promise.all([rig, other].map(({ client }) => client.ask(question())))

        expect(answers[0]?.text).toBe(answers[1]?.text)
        expect(rig.simulator.served.length + other.simulator.served.length).toBe(1)
        expect(rig.receipts.length + other.receipts.length).toBe(1)
      })
    })
  })

  it('is finished for a repeat when its caller leaves', async () => {
    await withRig({}, async (rig) => {
      rig.simulator.fault('together', { kind: 'slow', firstTokenMs: 50, tokenMs: 5 })
      const exchange = rig.client.open(question({ say: 20 }))
      await eventually('the provider is at work', () => rig.simulator.activeRequests() === 1)
      exchange.leave()

      const again = await rig.client.ask(question({ say: 20 }))

      expect(again.status).toBe(200)
      if (isStreaming) expect(again.text.endsWith('data: [DONE]\n\n')).toBe(true)
      await expectOnce(rig)
      expect(rig.simulator.served[0]?.usage['completion_tokens']).toBe(20)
    })
  })

  it('is a conflict when its key comes with another body', async () => {
    await withRig({}, async (rig) => {
      await rig.client.ask(question())
      const other = await rig.client.ask(question({ say: 6 }))

      expect(other.status).toBe(409)
      expect(other.json()).toMatchObject({ error: { code: 'idempotency_key_reused' } })
      expect(other.headers['x-should-retry']).toBe('false')
      await expectOnce(rig)
    })
  })

  it('leaves its key free when it is refused for lack of credit', async () => {
    await withRig({}, async (rig) => {
      const broke = { ...question(), headers: { ...question().headers, authorization: 'Bearer broke' } }
      expect((await rig.client.ask(broke)).status).toBe(402)

      await rig.gateway.credits.grant({ grantId: 'g', accountId: 'broke', amount: usd('1.00') })
      expect((await rig.client.ask(broke)).status).toBe(200)
      expect(rig.simulator.served).toHaveLength(1)
    })
  })

  it('leaves its key free when no provider served it', async () => {
    await withRig({}, async (rig) => {
      rig.simulator.script('together', [{ kind: 'status', status: 500 }])
      expect((await rig.client.ask(question())).status).toBe(502)

      const again = await rig.client.ask(question())
      expect(again.status).toBe(200)
      expect(again.headers).not.toHaveProperty('idempotent-replayed')
    })
  })
})

describe('failure 16: the openai SDK', () => {
  it('is billed once when it gives up waiting and sends its request again', async () => {
    await withRig({}, async (rig) => {
      rig.simulator.script('together', [{ kind: 'slow', firstTokenMs: 600, tokenMs: 0 }])
      const client = new OpenAI({ apiKey, baseURL: `${rig.url}/v1`, maxRetries: 3, timeout: 250 })

      const completion = await client.chat.completions.create(
        { model, messages: [{ role: 'user', content: 'say 5 tokens' }] },
        { headers: { 'Idempotency-Key': 'sdk-1' } },
      )

      expect(completion.choices[0]?.message.content).toMatch(/^Simulated answer:/)
      expect(rig.seen).toBeGreaterThan(1)
      await expectOnce(rig)
    })
  })

  it('raises a conflict, at once, for a key that was used for another request', async () => {
    await withRig({}, async (rig) => {
      const client = new OpenAI({ apiKey, baseURL: `${rig.url}/v1` })
      const ask = (content: string) =>
        client.chat.completions.create(
          { model, messages: [{ role: 'user', content }] },
          { headers: { 'Idempotency-Key': 'sdk-2' } },
        )
      await ask('say 5 tokens')

      await expect(ask('say 6 tokens')).rejects.toBeInstanceOf(OpenAI.ConflictError)
      expect(rig.seen).toBe(2)
    })
  })
})

it('gives embeddings and images again as well', async () => {
  await withRig({}, async (rig) => {
    const ask = (path: string, body: object) =>
      rig.client.ask({ ...chat({}, { 'idempotency-key': path }), path, body })
    for (const [path, body] of [
      ['/v1/embeddings', { model: 'intfloat/multilingual-e5-large-instruct', input: 'a fare' }],
      ['/v1/images/generations', { model: 'black-forest-labs/FLUX.1-schnell', prompt: 'a fare box' }],
    ] as const) {
      const first = await ask(path, body)
      const again = await ask(path, body)
      expect(first.status).toBe(200)
      expect(again.text).toBe(first.text)
      expect(again.headers['idempotent-replayed']).toBe('true')
    }
    expect(rig.receipts).toHaveLength(2)
  })
})

it('does not replay an answer to a request without a key', async () => {
  await withRig({}, async (rig) => {
    await rig.client.ask(chat({ model }))
    await rig.client.ask(chat({ model }))
    expect(rig.simulator.served).toHaveLength(2)
  })
})

/** One dispatch, one charge, and the charge is what the provider counted. */
async function expectOnce(rig: Rig): Promise<void> {
  const receipt = await rig.onlyReceipt()
  expect(rig.simulator.served).toHaveLength(1)
  expect(receipt.charged).toBe(rig.simulator.served[0]?.costNanoUsd)
  const { purchased } = await rig.balance()
  expect(usd('5.00') - receipt.charged).toBe(purchased)
}

async function withRig(options: RigOptions, check: (rig: Rig) => Promise<void>): Promise<void> {
  await onExpress(
    {
      ...options,
      gateway: {
        authenticate: ({ headers }) =>
          headers['authorization'] === 'Bearer broke' ? { accountId: 'broke' } : { accountId },
        plans: barePlans,
        ...options.gateway,
      },
    },
    check,
  )
}
