import { describe, expect, it } from 'vitest'
import { type Nano, nano, zero } from '../money.ts'
import type { Quantities } from '../usage.ts'
import type { Source } from './account.ts'
import type { JournalEntry, Posting } from './entry.ts'
import type { ReceiptAttempt } from './receipt.ts'
import { tally } from './tally.ts'
import type { UsageRow } from './usage-day.ts'
import type { Funding } from './usage-sums.ts'

const day = Date.UTC(2026, 10, 10)

const fundingOf = (source: Source): Funding =>
  source.startsWith('overage:') ? 'overage' : source === 'grant:gift' ? 'promotional' : 'purchased'

function entryOf(terms: Partial<JournalEntry>): JournalEntry {
  return {
    kind: 'settled',
    opId: 'settle:r1',
    recordedAtMs: day,
    effectiveAtMs: day,
    requestId: 'r1',
    postings: [],
    terms: { model: 'm', periodKey: '2026-11', spendableAfter: zero },
    seq: 1n,
    hash: '',
    ...terms,
  }
}

function attempt(terms: Partial<ReceiptAttempt> = {}): ReceiptAttempt {
  return {
    attemptId: 'r1.1',
    providerId: 'p',
    providerModel: 'm',
    outcome: 'served',
    costSource: 'provider',
    cost: zero,
    charged: zero,
    absorbed: zero,
    ...terms,
  }
}

function charged(amount: bigint, terms: Partial<ReceiptAttempt> = {}): ReceiptAttempt {
  return attempt({ cost: nano(amount), charged: nano(amount), ...terms })
}

function paid(source: Source, amount: bigint): Posting {
  const [from, to] = source.startsWith('overage:')
    ? (['limit', 'used'] as const)
    : (['available', 'settled'] as const)
  return { source, from, to, amount: nano(amount) }
}

function rowsOf(...entries: JournalEntry[]): readonly UsageRow[] {
  return [...tally(entries, fundingOf).days.values()].flat()
}

describe('the usage of a request', () => {
  it.each([
    ['at the attempt that was served', ['failed', 'served', 'failed'], [0, 1, 0]],
    ['at the last attempt that was, also when it broke off', ['served', 'aborted'], [0, 1]],
    ['at the last attempt when all of them failed', ['failed', 'failed'], [0, 1]],
  ] as const)('counts once, %s', (_where, outcomes, requests) => {
    const attempts = outcomes.map((outcome, index) => attempt({ outcome, providerId: `p${index}` }))
    const rows = rowsOf(entryOf({ attempts }))
    expect(rows.map((row) => row.requests)).toEqual(requests)
    expect(rows.map((row) => row.attempts)).toEqual(requests.map(() => 1))
  })

  it('is of the day it began on, and of the period that pays', () => {
    const entry = entryOf({
      effectiveAtMs: day - 1,
      attempts: [charged(5n)],
      postings: [paid('grant:g', 5n)],
    })
    const { days, periods } = tally([entry], fundingOf)
    expect([...days.keys()]).toEqual(['2026-11-09'])
    expect([...periods.keys()]).toEqual(['2026-11'])
  })

  it('is apart by model, provider, member and key', () => {
    const attempts = [attempt()]
    const terms = { model: 'm', periodKey: '2026-11', spendableAfter: zero }
    const rows = rowsOf(
      entryOf({ attempts }),
      entryOf({ attempts: [attempt({ providerId: 'q' })] }),
      entryOf({ attempts, terms: { ...terms, model: 'n' } }),
      entryOf({ attempts, memberId: 'bob' }),
      entryOf({ attempts, terms: { ...terms, keyId: 'key' } }),
      entryOf({ attempts, terms: { ...terms, periodKey: '2026-12' } }),
      entryOf({ attempts }),
    )
    expect(rows.map(({ requests }) => requests)).toEqual([2, 1, 1, 1, 1, 1])
    expect(rows.map(({ memberId, keyId }) => [memberId, keyId])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
      [undefined, undefined],
      ['bob', undefined],
      [undefined, 'key'],
      [undefined, undefined],
    ])
  })

  it('says what was estimated, and what nobody knows', () => {
    const usage = (certainty: 'exact' | 'estimate', quantities: Quantities) => ({ certainty, quantities })
    const [row] = rowsOf(
      entryOf({
        attempts: [
          attempt({ usage: usage('exact', { input_token: 3n }) }),
          attempt({ usage: usage('estimate', { input_token: 4n, output_token: 2n }) }),
          attempt({ costSource: 'unknown', cost: null }),
          attempt({ costSource: 'own-key', cost: null, payer: 'own-key' }),
          attempt({ costSource: 'own-key', cost: null, payer: 'own-key', memoCost: nano(6n) }),
          attempt({ costSource: 'estimate', cost: null, state: 'provisional' }),
        ],
      }),
    )
    expect(row).toMatchObject({ attempts: 6, estimates: 1, unknownCosts: 3, memoCost: 6n, requests: 1 })
    expect(row?.quantities).toEqual({ input_token: 7n, output_token: 2n })
  })

  it('has what paid for each attempt, in the order it was drawn', () => {
    const rows = rowsOf(
      entryOf({
        attempts: [
          charged(7n, { providerId: 'p' }),
          charged(0n, { providerId: 'q' }),
          charged(5n, { providerId: 'r' }),
        ],
        postings: [
          paid('grant:gift', 4n),
          { source: 'grant:gift', from: 'available', to: 'expired', amount: nano(9n) },
          paid('grant:g', 5n),
          paid('overage:2026-11', 3n),
        ],
      }),
    )
    expect(rows.map(({ paidFrom }) => paidFrom)).toEqual([
      { promotional: 4n, purchased: 3n },
      {},
      { purchased: 2n, overage: 3n },
    ])
  })

  it('has every amount of its attempts, and who absorbed what for which reason', () => {
    const [row] = rowsOf(
      entryOf({
        attempts: [
          attempt({ cost: nano(9n), charged: nano(5n), absorbed: nano(4n), absorbedReason: 'overrun' }),
          attempt({
            cost: nano(2n),
            absorbed: nano(2n),
            absorbedReason: 'failed_attempt',
            outcome: 'failed',
          }),
          attempt({ cost: nano(3n), absorbed: nano(3n), absorbedReason: 'overrun' }),
        ],
        postings: [paid('grant:g', 5n)],
      }),
    )
    expect(row).toMatchObject({ cost: 14n, charged: 5n, absorbed: { overrun: 7n, failed_attempt: 2n } })
  })
})

describe('a cost that came after its request', () => {
  const settled = entryOf({
    attempts: [attempt({ cost: null, state: 'provisional', costSource: 'estimate' })],
  })
  const terms = { model: 'm', periodKey: '2026-11', spendableAfter: zero, settledBy: 1n }
  const late = (suffix: string, amount: bigint) =>
    entryOf({
      kind: 'reconciled',
      opId: `reconcile:r1:r1.1${suffix}`,
      terms,
      attempts: [charged(amount)],
      postings: [paid('grant:g', amount)],
    })

  it('is no request and no attempt again, and no longer unknown', () => {
    expect(rowsOf(settled, late('', 5n))).toMatchObject([
      { requests: 1, attempts: 1, unknownCosts: 0, charged: 5n, paidFrom: { purchased: 5n } },
    ])
  })

  it('is known already when more of it is told', () => {
    expect(rowsOf(settled, late('', 5n), late(':more', 2n))).toMatchObject([{ unknownCosts: 0, charged: 7n }])
  })

  it('is an attempt of its own when nobody settled the request', () => {
    const { settledBy: _settledBy, ...unsettled } = terms
    expect(rowsOf({ ...late('', 5n), terms: unsettled })).toMatchObject([
      { requests: 0, attempts: 1, unknownCosts: 0, charged: 5n },
    ])
  })
})

describe('corrections', () => {
  it('of a refund count on its own day, in the period of the request, against what paid', () => {
    const refund = entryOf({
      kind: 'refunded',
      effectiveAtMs: Date.UTC(2026, 11, 2),
      terms: { model: 'm', periodKey: '2026-11', providerId: 'p', attemptId: 'r1.1', amount: nano(5n) },
      postings: [
        { source: 'overage:2026-11', from: 'used', to: 'limit', amount: nano(3n) },
        { source: 'grant:g', from: 'settled', to: 'available', amount: nano(2n) },
      ],
    })
    const { days, periods } = tally([refund], fundingOf)
    expect([...days.keys()]).toEqual(['2026-12-02'])
    expect(days.get('2026-12-02')).toMatchObject([
      { providerId: 'p', requests: 0, refunded: 5n, paidFrom: { overage: -3n, purchased: -2n } },
    ])
    expect(periods.get('2026-11')).toEqual({
      usage: [],
      refunded: 5n,
      paidFrom: { overage: -3n, purchased: -2n },
      adjusted: 0n,
    })
  })

  it('by hand raise or lower what is owed, and leave credit to itself', () => {
    const correction = (seq: bigint, ...postings: Posting[]) =>
      entryOf({ kind: 'adjusted', seq, postings, terms: { periodKey: '2026-11', amount: zero } })
    const line = 'overage:2026-11' as const
    const { days, periods } = tally(
      [
        correction(1n, { source: line, from: 'limit', to: 'used', amount: nano(9n) }),
        correction(2n, { source: line, from: 'used', to: 'limit', amount: nano(4n) }),
        correction(3n, { source: 'grant:g', from: 'available', to: 'voided', amount: nano(100n) }),
      ],
      fundingOf,
    )
    expect(days.size).toBe(0)
    expect(periods.get('2026-11')).toMatchObject({ adjusted: 5n, usage: [], refunded: 0n })
    const credit = correction(1n, { source: 'grant:g', from: 'available', to: 'voided', amount: nano(1n) })
    expect(tally([credit], fundingOf).periods.size).toBe(0)
  })
})

describe('what an invoice will say', () => {
  it('has a line for what was charged or asked, and none for a call that failed before', () => {
    const usage = (...attempts: ReceiptAttempt[]) =>
      tally([entryOf({ attempts })], fundingOf).periods.get('2026-11')?.usage
    const failed = attempt({ providerId: 'q', outcome: 'failed' })
    expect(usage(failed, charged(0n))).toEqual([{ providerId: 'p', model: 'm', requests: 1, charged: 0n }])
    expect(usage(charged(3n, { providerId: 'q' }), charged(4n))).toEqual([
      { providerId: 'q', model: 'm', requests: 0, charged: 3n as Nano },
      { providerId: 'p', model: 'm', requests: 1, charged: 4n as Nano },
    ])
  })
})
