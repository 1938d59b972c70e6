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

function told(...entries: readonly JournalEntry[]): readonly (readonly [string, string])[] {
  const findings = createFindings('alice', 100)
  const fold = emptyFold()
  for (const each of entries) foldEntry(fold, each, findings)
  return findings.list.map(({ kind, message }) => [kind, message])
}

const found = (...entries: readonly JournalEntry[]) => told(...entries).map(([kind]) => kind)

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
  ['owes the customer cents', { dueCents: -1n, carryOut: usd('0.521') }],
  ['is of a period before one that has one', { periodKey: '2026-09' }],
])('finds an invoice that %s', (_what, change) => {
  expect(found(...history(change))).toContain('wrong-invoice')
})

it('finds an invoice of a period that has one, or comes before it, by that alone', () => {
  const nothing = { ...october, overage: 0n, carryIn: usd('0.004'), dueCents: 0n }
  for (const periodKey of ['2026-10', '2026-09']) {
    const first = [used('2026-10', '1.004'), entry({ terms: october })]
    const [[kind, message] = [], ...others] = told(...first, entry({ terms: { ...nothing, periodKey } }))
    expect([kind, message]).toEqual([
      'wrong-invoice',
      `The invoice of ${periodKey} comes after that of 2026-10.`,
    ])
    expect(others.every(([, text]) => text.startsWith('Invoices up to'))).toBe(true)
  }
  const after = { ...nothing, periodKey: '2026-11' }
  expect(found(used('2026-10', '1.004'), entry({ terms: october }), entry({ terms: after }))).toEqual([])
})

it('finds nothing in an invoice of nothing, nor in one that carries on all but a cent', () => {
  const terms = { ...october, overage: 0n, carryOut: 0n, dueCents: 0n }
  expect(found(entry({ terms }))).toEqual([])
  const almost = { ...terms, overage: usd('0.009999999'), carryOut: usd('0.009999999') }
  expect(found(used('2026-10', '0.009999999'), entry({ terms: almost }))).toEqual([])
  const whole = { ...terms, overage: usd('0.01'), carryOut: usd('0.01') }
  expect(found(used('2026-10', '0.01'), entry({ terms: whole }))).toEqual(['wrong-invoice'])
  const cents = { ...terms, dueCents: -1n, carryOut: usd('0.009') }
  expect(found(entry({ terms: { ...cents, adjustments: -usd('0.001') } }))).toContain('wrong-invoice')
})

it('finds an invoice that owes the customer cents, though it adds up', () => {
  const lowered = entry({
    kind: 'adjusted',
    postings: [{ source: 'overage:2026-10', from: 'used', to: 'limit', amount: usd('0.01') }],
    terms: { amount: usd('0.01') },
  })
  const first = { ...october, overage: usd('0.01'), dueCents: 1n, carryOut: 0n }
  const journal = [used('2026-10', '0.01'), entry({ terms: first }), lowered]
  const second = { ...first, periodKey: '2026-11', overage: 0n, adjustments: -usd('0.01') }
  expect(found(...journal, entry({ terms: { ...second, dueCents: -1n } }))).toEqual(['wrong-invoice'])
  const carried = { ...second, dueCents: 0n, carryOut: -usd('0.01') }
  expect(found(...journal, entry({ terms: carried }))).toEqual([])
})

it.each(['periodKey', 'overage', 'adjustments', 'carryIn', 'carryOut', 'dueCents'])(
  'tells of an invoice whose %s can not be read nothing but that, and goes on from the one before it',
  (name) => {
    const unreadable = entry({ terms: { ...november, [name]: 5 } })
    const [first, second, third, ...rest] = history({})
    expect(told(...([first, second, third] as JournalEntry[]), unreadable, ...rest)).toEqual([
      ['wrong-invoice', 'A period was closed without an invoice that can be read.'],
    ])
  },
)
