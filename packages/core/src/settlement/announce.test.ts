import { expect, it } from 'vitest'
import type { GatewayEvent } from '../events.ts'
import type { Alert } from '../ledger/alerts.ts'
import type { Receipt, ReceiptAttempt } from '../ledger/receipt.ts'
import { nano } from '../money.ts'
import { createAnnounce } from './announce.ts'

const reported: ReceiptAttempt = {
  attemptId: 'r1.1',
  providerId: 'provider',
  providerModel: 'model',
  outcome: 'served',
  usage: { quantities: { output_token: 10n }, certainty: 'exact' },
  costSource: 'provider',
  priceVersion: 'v1',
  cost: nano(150n),
  charged: nano(150n),
  absorbed: nano(0n),
}

function announced(attempt: ReceiptAttempt, alerts?: readonly Alert[]): GatewayEvent[] {
  const events: GatewayEvent[] = []
  const announce = createAnnounce(
    (event) => events.push(event),
    ({ priceVersion }) => (priceVersion === 'v1' ? nano(100n) : undefined),
  )
  const receipt: Receipt = {
    requestId: 'r1',
    accountId: 'alice',
    model: 'model',
    periodKey: '2026-11',
    recordedAtMs: 0,
    attempts: [attempt],
    cost: nano(150n),
    charged: nano(150n),
    absorbed: nano(0n),
    paidFrom: [],
    spendableAfter: nano(0n),
    seq: 1n,
  }
  expect(announce({ outcome: 'settled', receipt, ...(alerts === undefined ? {} : { alerts }) })).toBe(receipt)
  return events
}

it('tells of a cost that a provider puts otherwise than the price book, for the very same usage', () => {
  expect(announced(reported)).toEqual([
    { kind: 'request.settled', receipt: expect.anything() },
    {
      kind: 'cost.drift',
      accountId: 'alice',
      requestId: 'r1',
      attemptId: 'r1.1',
      providerId: 'provider',
      providerModel: 'model',
      priceVersion: 'v1',
      reported: 150n,
      rated: 100n,
    },
  ])
})

it.each([
  ['is the price book’s own', { costSource: 'price-book' }],
  ['is within a nano of it', { cost: nano(101n) }],
  ['is for an estimated usage', { usage: { quantities: { output_token: 10n }, certainty: 'estimate' } }],
  ['is at a price version nobody knows', { priceVersion: 'v0' }],
  ['is not known', { cost: null }],
] as const)('tells of no drift where the cost %s', (_what, change) => {
  expect(announced({ ...reported, ...change } as ReceiptAttempt).map(({ kind }) => kind)).toEqual([
    'request.settled',
  ])
})

it('tells of every alert that the settlement crossed, after its receipt', () => {
  const alert: Alert = { of: 'credit', percent: 80, periodKey: '2026-11', used: nano(8n), total: nano(10n) }
  expect(announced({ ...reported, cost: nano(100n) }, [alert])).toEqual([
    { kind: 'request.settled', receipt: expect.anything() },
    { kind: 'alert.threshold', accountId: 'alice', ...alert },
  ])
})
