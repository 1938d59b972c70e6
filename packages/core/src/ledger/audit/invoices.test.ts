import { expect, it } from 'vitest'
import { usd } from '../../money.ts'
import type { Source } from '../account.ts'
import type { JournalEntry } from '../entry.ts'
import { emptyFold, foldEntry } from './fold.ts'
import { createFindings } from './report.ts'

const entry = (members: Partial<JournalEntry>): JournalEntry => ({
  kind: 'closed',
  opId: 'o',
  recordedAtMs: 0,
  effectiveAtMs: 0,
  postings: [],
  seq: 1n,
  hash: '',
  ...members,
})

/** Pay-as-you-go of a period, as an adjustment books it without an attempt. */
const used = (periodKey: string, amount: string) =>
  entry({
    kind: 'adjusted',
    postings: [
      { source: `overage:${periodKey}` satisfies Source, from: 'limit', to: 'used', amount: usd(amount) },
    ],
    terms: { amount: -usd(amount) },
  })

const october = {
  periodKey: '2026-10',
  overage: usd('1.004'),
  adjustments: 0n,
  carryIn: 0n,
  carryOut: usd('0.004'),
  dueCents: 100n,
}

/** What November's invoice says, with 0.007 used, 0.50 of October's that came late, and October's carry. */
const november = {
  periodKey: '2026-11',
  overage: usd('0.007'),
  adjustments: usd('0.50'),
  carryIn: usd('0.004'),
  carryOut: usd('0.001'),
  dueCents: 51n,
}

function found(...entries: readonly JournalEntry[]): readonly string[] {
  const findings = createFindings('alice', 100)
  const fold = emptyFold()
  for (const each of entries) foldEntry(fold, each, findings)
  return findings.list.map(({ kind }) => kind)
}

const history = (second: Readonly<Record<string, bigint | string>>) => [
  used('2026-10', '1.004'),
  used('2026-11', '0.003'),
  entry({ terms: october }),
  used('2026-10', '0.50'),
  used('2026-11', '0.004'),
  used('2026-12', '9.00'),
  entry({ terms: { ...november, ...second } }),
]

it('finds nothing in invoices that bill exactly what was used, late costs and fractions of a cent included', () => {
  expect(found(...history({}))).toEqual([])
})

it.each([
  ['leaves out what was used', { overage: usd('0.006'), carryOut: 0n }],
  ['bills what nobody used', { adjustments: usd('0.51'), dueCents: 52n }],
  ['forgets the carry', { carryIn: 0n, carryOut: usd('0.007'), dueCents: 50n }],
  ['rounds up', { dueCents: 52n, carryOut: 0n }],
  ['loses what it rounds off', { carryOut: 0n }],
  ['carries a whole cent on', { dueCents: 50n, carryOut: usd('0.011') }],
  ['is of a period that has one', { periodKey: '2026-10' }],
  ['cannot be read', { dueCents: 'many' }],
])('finds an invoice that %s', (_what, change) => {
  expect(found(...history(change))).toContain('wrong-invoice')
})
