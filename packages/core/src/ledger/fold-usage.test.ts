import { expect, it } from 'vitest'
import { nano, zero } from '../money.ts'
import type { JournalEntry } from './entry.ts'
import { foldKeys, foldUsage, usageCursorKey } from './fold-usage.ts'
import { type LateSums, lateSumsKey, noSums, type PeriodSums } from './period-sums.ts'
import type { Value } from './storage.ts'

function refundOf(periodKey: string): JournalEntry {
  return {
    kind: 'refunded',
    opId: 'op:o1',
    recordedAtMs: 0,
    effectiveAtMs: 0,
    requestId: 'r1',
    postings: [{ source: `overage:${periodKey}`, from: 'used', to: 'limit', amount: nano(5n) }],
    terms: { model: 'm', periodKey, providerId: 'p', attemptId: 'a', amount: nano(5n) },
    seq: 1n,
    hash: '',
  }
}

/** Periods that were closed before and got something back since, after one more refund. */
function lateAfter(count: number, periodKey: string): LateSums['periods'] {
  const keys = Array.from(
    { length: count },
    (_, index) => `20${10 + Math.floor(index / 12)}-${10 + (index % 3)}-${10 + (index % 12)}`,
  )
  const sums: PeriodSums = { ...noSums, refunded: nano(1n) }
  const late = { periods: Object.fromEntries(keys.map((key) => [key, sums])) }
  const entries = [refundOf(periodKey)]
  const records = new Map<string, Value>([
    [usageCursorKey, { seq: zero, began: null, terms: [], open: [] }],
    [lateSumsKey, late as Value],
  ])
  expect(foldKeys(entries)).toContain(lateSumsKey)
  const head = { closedThrough: '2026-10' }
  const cut = { head, records, due: [], moreDue: false, version: 1n, now: 0 }
  const { write } = foldUsage({ entries })(cut)
  const put = write?.put?.find(({ key }) => key === lateSumsKey)
  if (put === undefined) throw new Error('nothing was late')
  return (put.value as unknown as LateSums).periods
}

it('keeps 36 closed periods apart that got something back, and gives what is beyond them to the oldest', () => {
  const apart = lateAfter(35, '2026-10')
  expect(Object.keys(apart)).toHaveLength(36)
  expect(apart['2026-10']).toMatchObject({ refunded: 5n, paidFrom: { overage: -5n } })

  const full = lateAfter(36, '2026-10')
  expect(Object.keys(full)).toHaveLength(36)
  expect(full['2026-10']).toBeUndefined()
  const [oldest] = Object.keys(full).toSorted()
  expect(full[oldest ?? '']).toMatchObject({ refunded: 6n })

  const known = Object.keys(full).toSorted()[7] ?? ''
  expect(lateAfter(36, known)[known]).toMatchObject({ refunded: 6n })
})
