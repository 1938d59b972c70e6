import { formatUsd, type Receipt } from '@farebox/core'
import {
  type Answer,
  accountId,
  authorization,
  chat,
  chatModel,
  type Rig,
  type RigOptions,
} from '@farebox/testkit/adapter'
import type { Fault } from '@farebox/testkit/simulator'
import { describe, expect, it } from 'vitest'
import { onExpress } from './on-express.ts'

type ChatProvider = 'cerebras' | 'together'

const other = { cerebras: 'together', together: 'cerebras' } as const

/** Everything that is a provider's own trouble and comes before its first byte of an answer. */
const troubles: readonly Fault[] = [
  { kind: 'status', status: 500 },
  { kind: 'status', status: 503 },
  { kind: 'status', status: 429 },
  { kind: 'status', status: 402 },
  { kind: 'status', status: 401 },
  { kind: 'reset' },
  { kind: 'hang' },
  { kind: 'close-mid-headers' },
  { kind: 'empty' },
  { kind: 'html' },
  { kind: 'html', status: 200 },
  { kind: 'error-in-200' },
]

const timeouts = { firstByteMs: 200, replyMs: 200 }

const cases = (['cerebras', 'together'] as const).flatMap((bad) =>
  troubles.map((fault) => ({ bad, good: other[bad], fault, trouble: Object.values(fault).join(' ') })),
)

describe('a whole answer', () => {
  it.each(cases)(
    'comes from $good, at its price, when $bad has trouble: $trouble',
    async ({ bad, good, fault }) => {
      await using({ bad, fault }, async (rig) => {
        const answer = await rig.client.ask(preferring({}))

        expect(contentOf(answer)).toMatch(/^Simulated answer:/)
        await expectServedBy(rig, answer, { bad, good })
      })
    },
  )
})

describe('a stream', () => {
  it.each(cases)(
    'comes from $good, at its price, when $bad has trouble: $trouble',
    async ({ bad, good, fault }) => {
      await using({ bad, fault }, async (rig) => {
        const answer = await rig.client.ask(preferring({ stream: true }))

        expect(answer.text.match(/"content":"[^"]/g)).toHaveLength(5)
        expect(answer.text).not.toContain('"error"')
        expect(answer.text.endsWith('data: [DONE]\n\n')).toBe(true)
        await expectServedBy(rig, answer, { bad, good })
      })
    },
  )
})

describe('a stream whose first event is an error', () => {
  it('comes from the other provider instead', async () => {
    await using({ bad: 'together', fault: { kind: 'error-event', afterChunks: 0 } }, async (rig) => {
      const answer = await rig.client.ask(preferring({ stream: true }))

      expect(answer.text.endsWith('data: [DONE]\n\n')).toBe(true)
      expect(answer.headers['x-inference-provider']).toBe('cerebras')
      expect((await rig.onlyReceipt()).charged).toBe(costOf(rig, 'cerebras'))
    })
  })
})

describe('a whole answer that breaks off', () => {
  it.each<Fault>([{ kind: 'truncate' }, { kind: 'end-early' }, { kind: 'malformed' }, { kind: 'stall' }])(
    'comes from the other provider instead: $kind',
    async (fault) => {
      await using({ bad: 'together', fault, idleMs: 200 }, async (rig) => {
        const answer = await rig.client.ask(preferring({}))

        expect(answer.status).toBe(200)
        const receipt = await rig.onlyReceipt()
        expect(outcomes(receipt)).toEqual(['together failed', 'cerebras served'])
        // The first provider did generate, and may want money for it: that is not the caller's.
        expect(receipt.charged).toBe(costOf(rig, 'cerebras'))
        expect((await rig.balance()).charged).toBe(receipt.charged)
      })
    },
  )
})

describe('images', () => {
  const image = {
    path: '/v1/images/generations',
    headers: authorization,
    body: { model: 'black-forest-labs/FLUX.1-schnell:preferred', prompt: 'a lighthouse', n: 2 },
  }

  it.each([
    { bad: 'together', good: 'replicate', fault: { kind: 'status', status: 500 } },
    { bad: 'replicate', good: 'together', fault: { kind: 'status', status: 429 } },
  ] as const)('go from $bad ($fault.kind) to $good, at the price of $good', async ({ bad, good, fault }) => {
    await using({ bad, fault }, async (rig) => {
      const answer = await rig.client.ask(image)

      expect(answer.status, answer.text).toBe(200)
      expect((answer.json() as { data: unknown[] }).data).toHaveLength(2)
      const receipt = await rig.onlyReceipt()
      expect(outcomes(receipt)).toEqual([`${bad} failed`, `${good} served`])
      expect(receipt.charged).toBe(costOf(rig, good))
    })
  })
})

describe('when every provider fails', () => {
  it('answers 502, names each with its reason, charges nothing and holds nothing', async () => {
    await usingBoth({ kind: 'status', status: 500 }, async (rig) => {
      const answer = await rig.client.ask(chat())

      expect(answer.status).toBe(502)
      expect(answer.json()).toEqual({
        error: {
          type: 'server_error',
          code: 'provider_failed',
          param: null,
          message: expect.stringMatching(/cerebras answered 500 .*together answered 500 /) as unknown,
          tried: [
            { provider: 'cerebras', reason: 'status', status: 500 },
            { provider: 'together', reason: 'status', status: 500 },
          ],
        },
      })
      await expectNothingCharged(rig, ['cerebras failed', 'together failed'])
    })
  })

  it('answers 504 when all of them were silent', async () => {
    await usingBoth({ kind: 'hang' }, async (rig) => {
      for (const question of [chat(), chat({ stream: true })]) {
        const answer = await rig.client.ask(question)
        expect(answer.status).toBe(504)
        expect(answer.headers['x-error-code']).toBe('provider_timeout')
      }
      await rig.quiet()
      expect((await rig.balance()).charged).toBe(0n)
    })
  })

  it('says when to come again when all of them said so', async () => {
    const limited: Fault = { kind: 'status', status: 429, headers: { 'retry-after': '7' } }
    await usingBoth(limited, async (rig) => {
      const { status, headers } = await rig.client.ask(chat())

      expect(status).toBe(502)
      expect(headers['retry-after']).toBe('7')
      await expectNothingCharged(rig, ['cerebras failed', 'together failed'])
    })
  })

  it('does not show the keys or addresses of providers', async () => {
    await usingBoth({ kind: 'status', status: 401 }, async (rig) => {
      const { text, headers } = await rig.client.ask(chat())

      expect(text + JSON.stringify(headers)).not.toMatch(/provider-key|127\.0\.0\.1/)
    })
  })
})

describe('a pinned provider', () => {
  it('is the only one that is asked', async () => {
    await using({ bad: 'together', fault: { kind: 'status', status: 500 } }, async (rig) => {
      const answer = await rig.client.ask(chat({ model: `${chatModel}:together` }))

      expect(answer.status).toBe(502)
      expect(rig.simulator.requests.map(({ provider }) => provider)).toEqual(['together'])
      await expectNothingCharged(rig, ['together failed'])
    })
  })

  it('is asked once more after a reset, because a kept connection may just have been closed', async () => {
    await using({}, async (rig) => {
      rig.simulator.script('together', [{ kind: 'reset' }, undefined])
      const answer = await rig.client.ask(chat({ model: `${chatModel}:together` }))

      expect(answer.status).toBe(200)
      const receipt = await rig.onlyReceipt()
      expect(outcomes(receipt)).toEqual(['together failed', 'together served'])
      expect(receipt.charged).toBe(costOf(rig, 'together'))
    })
  })
})

describe('a request that is itself at fault', () => {
  it('is not tried elsewhere, and is refused in the shape of OpenAI', async () => {
    await using({ bad: 'together', fault: { kind: 'status', status: 400 } }, async (rig) => {
      const answer = await rig.client.ask(preferring({}))

      expect(answer.status).toBe(400)
      expect(answer.json()).toEqual({
        error: {
          type: 'invalid_request_error',
          code: 'provider_rejected',
          param: null,
          message: 'together refused the request: Bad request',
          provider: 'together',
        },
      })
      expect(rig.simulator.requests).toHaveLength(1)
      await expectNothingCharged(rig, ['together failed'])
    })
  })

  it('names the member that a flat error blames', async () => {
    const body = JSON.stringify({
      message: 'temperature: must be at most 1.5',
      type: 'invalid_request_error',
      param: 'temperature',
      code: 'out_of_range',
    })
    await using({ bad: 'cerebras', fault: { kind: 'status', status: 422, body } }, async (rig) => {
      const answer = await rig.client.ask(preferring({ stream: true }))

      expect(answer.status).toBe(422)
      expect(answer.json()).toMatchObject({
        error: { code: 'provider_rejected', param: 'temperature', provider_code: 'out_of_range' },
      })
      expect(rig.simulator.requests).toHaveLength(1)
    })
  })

  it('is told apart from a provider that is stricter than others', async () => {
    await using({ bad: 'cerebras' }, async (rig) => {
      // Cerebras refuses members it does not know; Together ignores them.
      const answer = await rig.client.ask(preferring({ some_extension: true }))

      expect(answer.status).toBe(200)
      expect(answer.headers['x-inference-provider']).toBe('together')
      expect((await rig.onlyReceipt()).charged).toBe(costOf(rig, 'together'))
    })
  })

  it('says that the context is too long in the words clients look for', async () => {
    const body = JSON.stringify({ error: { message: 'This model has a maximum context length of 131072.' } })
    await using({ bad: 'together', fault: { kind: 'status', status: 400, body } }, async (rig) => {
      const { status, headers } = await rig.client.ask(preferring({}))

      expect(status).toBe(400)
      expect(headers['x-error-code']).toBe('context_length_exceeded')
    })
  })
})

describe('a provider that keeps failing', () => {
  it('is no longer asked first, and nobody pays for the tries', async () => {
    await using({ bad: 'cerebras', fault: { kind: 'status', status: 500 } }, async (rig) => {
      for (let request = 0; request < 6; request += 1) {
        expect((await rig.client.ask(preferring({}))).status).toBe(200)
      }
      await rig.quiet()

      const asked = rig.simulator.requests.filter(({ provider }) => provider === 'cerebras')
      expect(asked).toHaveLength(3)
      expect(rig.events).toContainEqual(
        expect.objectContaining({ kind: 'circuit.changed', providerId: 'cerebras', state: 'open' }),
      )
      const total = rig.simulator.served.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n)
      expect((await rig.balance()).charged).toBe(total)
      expect(rig.simulator.served).toHaveLength(6)
    })
  })
})

interface Trouble {
  /** The provider that is asked first. */
  readonly bad?: ChatProvider | 'replicate'
  readonly fault?: Fault
  readonly idleMs?: number
}

/** A rig whose account prefers the provider with the trouble. */
async function using(
  { bad = 'together', fault, idleMs = 60_000 }: Trouble,
  check: (rig: Rig) => Promise<void>,
): Promise<void> {
  const principal = { accountId, preferredProviders: [bad] }
  await withRig({ authenticate: () => principal, timeouts: { ...timeouts, idleMs } }, async (rig) => {
    rig.simulator.fault(bad, fault)
    await check(rig)
  })
}

async function usingBoth(fault: Fault, check: (rig: Rig) => Promise<void>): Promise<void> {
  await withRig({ timeouts }, async (rig) => {
    rig.simulator.fault('cerebras', fault)
    rig.simulator.fault('together', fault)
    await check(rig)
  })
}

async function withRig(
  gateway: NonNullable<RigOptions['gateway']>,
  check: (rig: Rig) => Promise<void>,
): Promise<void> {
  await onExpress({ gateway }, check)
}

function preferring(members: Parameters<typeof chat>[0]) {
  return chat({ model: `${chatModel}:preferred`, ...members })
}

/** What the provider itself says it served, which must be one request. */
function costOf({ simulator }: Rig, provider: string): bigint {
  const served = simulator.served.filter((entry) => entry.provider === provider)
  expect(served).toHaveLength(1)
  return served[0]?.costNanoUsd ?? -1n
}

async function expectServedBy(
  rig: Rig,
  answer: Answer,
  { bad, good }: { readonly bad: string; readonly good: string },
): Promise<void> {
  expect(answer.status).toBe(200)
  expect(answer.headers['x-inference-provider']).toBe(good)
  const receipt = await rig.onlyReceipt()
  expect(rig.simulator.served).toHaveLength(1)
  expect(receipt.charged).toBe(costOf(rig, good))
  expect(receipt.absorbed).toBe(0n)
  expect(outcomes(receipt)).toEqual([`${bad} failed`, `${good} served`])
  expect(receipt.attempts[0]).toMatchObject({ charged: 0n, cost: null })
  expect(receipt.attempts[1]).toMatchObject({ charged: receipt.charged, costSource: 'price-book' })
  expect((await rig.balance()).charged).toBe(receipt.charged)
  const shown = await rig.client.ask({ path: `/v1/receipts/${receipt.requestId}`, headers: authorization })
  expect(shown.json()).toMatchObject({
    charged: formatUsd(receipt.charged),
    attempts: [
      { provider: bad, outcome: 'failed', charged: '0.00' },
      { provider: good, outcome: 'served', charged: formatUsd(receipt.charged) },
    ],
  })
}

async function expectNothingCharged(rig: Rig, tried: readonly string[]): Promise<void> {
  const receipt = await rig.onlyReceipt()
  expect(outcomes(receipt)).toEqual(tried)
  expect(receipt.charged).toBe(0n)
  const { held, charged, spendable } = await rig.balance()
  expect({ held, charged }).toEqual({ held: 0n, charged: 0n })
  expect(spendable).toBeGreaterThanOrEqual(5_000_000_000n)
}

function outcomes({ attempts }: Receipt): readonly string[] {
  return attempts.map(({ providerId, outcome }) => `${providerId} ${outcome}`)
}

function contentOf(answer: Answer): string | undefined {
  const { choices } = answer.json() as { choices?: { message: { content: string } }[] }
  return choices?.[0]?.message.content
}
