import { describe, expect, it } from 'vitest'
import type { Admission } from '../admission/admit.ts'
import { noOwnKeys } from '../auth/own-keys.ts'
import { createCatalog } from '../catalog/catalog.ts'
import { bookOf } from '../catalog/price-book.ts'
import { fakeClock } from '../clock.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import type { Transport } from '../dispatch/transport.ts'
import { createLedger } from '../ledger/ledger.ts'
import { memoryStorage } from '../ledger/memory-storage.ts'
import { planPreset } from '../ledger/plan-presets.ts'
import type { Receipt } from '../ledger/receipt.ts'
import type { Attempt } from '../metering/attempt.ts'
import { perMillion, usd } from '../money.ts'
import { openaiCompatible } from '../providers/openai-compatible.ts'
import { createSettlement } from './settlement.ts'

const now = Date.UTC(2026, 10, 10, 12)
const value = { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }] }
const call = openaiChat.parse({ value, source: undefined, byteLength: 60 })
const [target] = createCatalog({
  books: [
    bookOf([
      {
        providerId: 'example',
        providerModel: 'm',
        model: 'acme/m',
        operation: 'chat',
        price: { input_token: perMillion('1'), output_token: perMillion('2') },
        source: 'https://example.com/pricing',
        readOn: '2026-01-31',
      },
    ]),
  ],
  providerIds: ['example'],
  now: () => 0,
}).targets

const nowhere: Transport = {
  send: () => Promise.reject(new Error('Nobody is asked.')),
  close: () => Promise.resolve(),
}

/** Settles one attempt of a request whose provider can tell no cost afterwards. */
async function settle(members: Partial<Attempt>): Promise<Receipt | undefined> {
  const clock = fakeClock(now)
  const ledger = createLedger({
    store: memoryStorage({ clock }).ledger,
    plans: planPreset('hf-2026-02-04'),
    clock,
  })
  const reserved = await ledger.reserve({
    accountId: 'alice',
    reservationId: 'r1',
    amount: usd('0.05'),
    timeToLiveMs: 60_000,
    subject: { model: 'acme/m', costProviderIds: [], attemptsMax: 1 },
  })
  if (reserved.outcome !== 'reserved' || target === undefined) throw new Error('There is no hold.')
  const admission: Admission = {
    requestId: 'r1',
    accountId: 'alice',
    call,
    reservation: reserved.reservation,
    targets: [target],
    outputTokens: () => undefined,
    loweredTo: undefined,
    ownKeys: noOwnKeys.ready,
    warning: undefined,
  }
  const attempt: Attempt = {
    attemptId: 'r1.1',
    target,
    isOwnKey: false,
    startedMs: 0,
    outcome: 'aborted',
    mayHaveCost: true,
    isReportFinal: false,
    outputEvents: 3,
    replyBytes: 0,
    ...members,
  }
  const provider = openaiCompatible({ id: 'example', baseUrl: 'https://example.com/v1' })
  const settlement = createSettlement({
    ledger,
    providers: new Map([['example', provider]]),
    transport: nowhere,
    clock,
    onEvent: () => undefined,
    announce: ({ receipt }) => receipt,
  })
  return settlement(admission, [attempt])
}

const reported = { input_token: 10n, output_token: 7n }

describe('a stream that broke off', () => {
  it('is charged for the usage told so far, which is marked as an estimate: the provider has gone on', async () => {
    const receipt = await settle({ reported })
    expect(receipt?.attempts).toMatchObject([
      { cost: 24_000n, charged: 24_000n, costSource: 'estimate', usage: { certainty: 'estimate' } },
    ])
  })

  it('is charged exactly when its final usage had been told', async () => {
    const receipt = await settle({ reported, isReportFinal: true })
    expect(receipt?.attempts).toMatchObject([
      { cost: 24_000n, costSource: 'price-book', usage: { certainty: 'exact' } },
    ])
  })

  it('is not an estimate when it was served whole, though the provider never marks its last usage', async () => {
    const receipt = await settle({ reported, outcome: 'served' })
    expect(receipt?.attempts).toMatchObject([{ costSource: 'price-book', usage: { certainty: 'exact' } }])
  })
})

it('output that came behind the usage is charged besides, as an estimate, of a stream that was whole as of one that was not', async () => {
  for (const outcome of ['served', 'aborted'] as const) {
    const receipt = await settle({ reported, outcome, untoldEvents: 3 })
    expect(receipt?.attempts).toMatchObject([
      { cost: 30_000n, costSource: 'estimate', usage: { quantities: { output_token: 10n } } },
    ])
  }
})

describe('an attempt with the account’s own key', () => {
  it('has what the provider bills beside no cost at all, whatever it is known from', async () => {
    for (const members of [
      { reported, outcome: 'served' as const },
      { reported, isReportFinal: true },
      { reported },
    ]) {
      const receipt = await settle({ ...members, isOwnKey: true })
      expect(receipt).toMatchObject({ cost: 0n, charged: 0n, absorbed: 0n, paidFrom: [] })
      expect(receipt?.attempts).toMatchObject([
        { payer: 'own-key', costSource: 'own-key', cost: null, memoCost: 24_000n },
      ])
    }
    const estimated = await settle({ isOwnKey: true })
    expect(estimated?.attempts[0]).toMatchObject({ cost: null, usage: { certainty: 'estimate' } })
    expect(estimated?.attempts[0]?.memoCost).toBeGreaterThan(0n)
  })

  it('that failed is not the operator’s, and has no memo when nobody knows one', async () => {
    const receipt = await settle({ isOwnKey: true, outcome: 'failed', mayHaveCost: true })
    expect(receipt).toMatchObject({ cost: 0n, absorbed: 0n, seq: null })
    expect(receipt?.attempts[0]).toMatchObject({ payer: 'own-key', cost: null })
    expect(receipt?.attempts[0]?.memoCost).toBeUndefined()
    const told = await settle({ isOwnKey: true, outcome: 'failed', reported })
    expect(told?.attempts[0]).toMatchObject({ cost: null, absorbed: 0n, memoCost: 24_000n })
  })
})
