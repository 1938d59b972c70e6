import { describe, expect, it } from 'vitest'
import { nano, zero } from '../../money.ts'
import type { Account, Grant, OverageLine, Source } from '../account.ts'
import { emptyFold, type Fold, type FoldedSource } from './fold.ts'
import { compareSources } from './sources.ts'

const grant: Grant = {
  grantId: 'g1',
  kind: 'purchased',
  priority: 50,
  effectiveAtMs: 1000,
  expiresAtMs: 2000,
  issued: nano(100n),
  available: nano(10n),
  held: nano(20n),
  settled: nano(30n),
  expired: nano(25n),
  voided: nano(15n),
}

const none = { issued: 0n, available: 0n, settled: 0n, expired: 0n, voided: 0n, limit: 0n, used: 0n }
const issued: FoldedSource = {
  source: 'grant:g1',
  buckets: { ...none, issued: -100n, available: 30n, settled: 30n, expired: 25n, voided: 15n },
  effectiveAtMs: 1000,
  terms: { kind: 'purchased', expiresAtMs: 2000, priority: 50 },
  movedAtMs: 1000,
}

const used = (periodKey: string, amount: bigint): FoldedSource => ({
  source: `overage:${periodKey}`,
  buckets: { ...none, limit: -amount, used: amount },
  effectiveAtMs: 0,
  terms: {},
  movedAtMs: 0,
})

const line = (periodKey: string, amount: bigint, held = 0n): OverageLine => ({
  periodKey,
  held: nano(held),
  used: nano(amount),
})

function compare(
  { grants = [], overage = [] }: Partial<Pick<Account, 'grants' | 'overage'>>,
  ...sources: readonly FoldedSource[]
) {
  const fold: Fold = { ...emptyFold(), sources: new Map(sources.map((each) => [each.source, each])) }
  const told: [string, Source | undefined][] = []
  compareSources({ grants, overage } as unknown as Account, fold, (message, source) =>
    told.push([message, source]),
  )
  return told
}

const grants = (change: Partial<Grant>) => ({ grants: [{ ...grant, ...change }] })
const messages = (told: readonly [string, Source | undefined][]) => told.map(([message]) => message)

describe('a grant in the head', () => {
  it('is what the journal adds up to', () => {
    expect(compare({ grants: [grant] }, issued)).toEqual([])
  })

  it('may have as available what another reading held, and the other way round', () => {
    expect(compare(grants({ available: nano(30n), held: zero }), issued)).toEqual([])
  })

  it.each<[string, Partial<Grant>]>([
    ['issued', { issued: nano(99n), available: nano(9n) }],
    ['available or held', { available: nano(9n) }],
    ['available or held', { held: nano(21n) }],
    ['settled', { settled: nano(29n) }],
    ['expired', { expired: nano(26n) }],
    ['voided', { voided: nano(14n) }],
  ])('is found with another amount %s', (name, change) => {
    const told = compare(grants(change), issued)
    expect(messages(told)).toContainEqual(expect.stringContaining(`${name} of grant:g1; the journal says`))
    expect(told.every(([, source]) => source === 'grant:g1')).toBe(true)
  })

  it('is found where its parts are not what was issued, though each is what the journal says', () => {
    const wrong = { ...issued, buckets: { ...issued.buckets, issued: -101n } }
    expect(messages(compare(grants({ issued: nano(101n) }), wrong))).toEqual([
      'Of grant:g1 the head has issued $0.000000101, and counts another sum of its parts.',
    ])
  })

  it.each(['available', 'held'] as const)('is found with less than nothing %s, though it adds up', (name) => {
    const other = name === 'held' ? 'available' : 'held'
    const change = { [name]: nano(-1n), [other]: nano(31n) }
    expect(messages(compare(grants(change), issued))).toEqual([
      `The head has $-0.000000001 ${name} of grant:g1.`,
    ])
    expect(compare(grants({ [name]: zero, [other]: nano(30n) }), issued)).toEqual([])
  })

  it.each<Partial<Grant>>([
    { kind: 'promotional' },
    { priority: 49 },
    { effectiveAtMs: 999 },
    { expiresAtMs: 2001 },
    { expiresAtMs: null },
  ])('is found with other terms than it was issued with: %j', (change) => {
    expect(messages(compare(grants(change), issued))).toEqual([
      'The head has another kind, priority, start or expiry of grant:g1 than it was issued with.',
    ])
  })

  it('may have any priority where the journal was written before it told one', () => {
    const { priority: _priority, ...terms } = issued.terms
    expect(compare(grants({ priority: 3 }), { ...issued, terms })).toEqual([])
    expect(compare(grants({ kind: 'courtesy' }), { ...issued, terms })).toHaveLength(1)
  })

  it('is found twice, or without having been issued', () => {
    expect(compare({ grants: [grant, grant] }, issued)).toEqual([
      ['The head has grant:g1 twice.', 'grant:g1'],
    ])
    expect(compare({ grants: [grant] })).toEqual([
      ['The head has grant:g1, which the journal never issued.', 'grant:g1'],
    ])
  })

  it('may be forgotten once nothing of it is left, and not before', () => {
    const spent = { ...issued, buckets: { ...none, issued: -100n, settled: 100n } }
    expect(compare({}, spent)).toEqual([])
    expect(compare({}, issued)).toEqual([
      ['The head lost grant:g1, of which $0.00000003 is available or held by the journal.', 'grant:g1'],
    ])
  })
})

describe('pay-as-you-go in the head', () => {
  it('is what the journal adds up to', () => {
    expect(compare({ overage: [line('2026-11', 5n, 7n)] }, used('2026-11', 5n))).toEqual([])
    expect(compare({ overage: [line('2026-11', 0n, 7n)] })).toEqual([])
  })

  it.each([4n, 6n])('is found with another amount used: %s', (amount) => {
    expect(compare({ overage: [line('2026-11', amount)] }, used('2026-11', 5n))).toEqual([
      [expect.stringContaining('used of overage:2026-11'), 'overage:2026-11'],
    ])
  })

  it('is found to hold less than nothing', () => {
    expect(messages(compare({ overage: [line('2026-11', 5n, -1n)] }, used('2026-11', 5n)))).toEqual([
      'The head has $-0.000000001 held of overage:2026-11.',
    ])
    expect(compare({ overage: [line('2026-11', 5n, 0n)] }, used('2026-11', 5n))).toEqual([])
  })

  it('is found twice', () => {
    const overage = [line('2026-11', 5n), line('2026-11', 5n)]
    expect(messages(compare({ overage }, used('2026-11', 5n)))).toEqual([
      'The head has overage:2026-11 twice.',
    ])
  })

  it('is found to be lost where something was used of it, and not where that was given back', () => {
    expect(compare({}, used('2026-11', 5n))).toEqual([
      ['The head lost overage:2026-11, of which $0.000000005 is used.', 'overage:2026-11'],
    ])
    expect(compare({}, used('2026-11', 0n))).toEqual([])
  })

  it('may be forgotten once fourteen newer lines are there, and not before', () => {
    const keys = Array.from({ length: 14 }, (_, index) => `20${30 + index}-01`)
    const [first = '', ...rest] = keys
    const journal = keys.map((key) => used(key, 1n))
    const overage = keys.map((key) => line(key, 1n))
    expect(compare({ overage }, used('2029-01', 5n), ...journal)).toEqual([])
    expect(compare({ overage: overage.slice(1) }, used('2029-01', 5n), ...journal.slice(1))).toHaveLength(1)
    // One that is older than the lost one is not newer.
    expect(compare({ overage }, used('2030-02', 5n), ...journal)).toEqual([
      [expect.stringContaining('lost overage:2030-02'), 'overage:2030-02'],
    ])
    expect([first, rest.length]).toEqual(['2030-01', 13])
  })
})
