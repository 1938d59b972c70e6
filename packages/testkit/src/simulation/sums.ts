import assert from 'node:assert/strict'
import type { Entry, Ledger, ReceiptAttempt, StoredEntry, UsageRow } from '@farebox/core'
import { readEntry } from '../ledger/invariants/read-entry.ts'

/** What an account's journal adds up to, counted here by itself. */
interface Sums {
  readonly requests: number
  readonly attempts: number
  readonly unknownCosts: number
  readonly cost: bigint
  readonly charged: bigint
  readonly refunded: bigint
  readonly absorbed: bigint
  /** Pay-as-you-go, less what was given back of it. */
  readonly overage: bigint
}

/** More periods than this are not closed: a clock that jumps month after month makes hundreds. */
const periodsMax = 12

const dayMs = 86_400_000

/**
 * Checks that the sums which are kept beside the journal are what its entries add up to.
 *
 * @throws AssertionError that names the sum which differs.
 */
export async function checkUsage(
  { statements }: Ledger,
  accountId: string,
  entries: readonly StoredEntry[],
): Promise<void> {
  const { isComplete } = await statements.fold(accountId, Number.MAX_SAFE_INTEGER)
  assert.ok(isComplete, 'usage was not added up to the end')
  const days = [...new Set(entries.map((stored) => dayOf(readEntry(stored))))]
  const rows: UsageRow[] = []
  for (const day of days) {
    const reading = await statements.usage(accountId, [{ day, page: 0 }])
    assert.deepEqual(reading.further, [], 'a day has more pages than a run has requests')
    rows.push(...reading.pages.flatMap((page) => page.rows))
  }
  const kept = {
    requests: rows.reduce((sum, row) => sum + row.requests, 0),
    attempts: rows.reduce((sum, row) => sum + row.attempts, 0),
    unknownCosts: rows.reduce((sum, row) => sum + row.unknownCosts, 0),
    cost: total(rows, ({ cost }) => cost),
    charged: total(rows, ({ charged }) => charged),
    refunded: total(rows, ({ refunded }) => refunded),
    absorbed: total(rows, ({ absorbed }) => total(Object.values(absorbed), (amount) => amount ?? 0n)),
    overage: total(rows, ({ paidFrom }) => paidFrom.overage ?? 0n),
  }
  assert.deepEqual(kept, sumsOf(entries), 'the sums of usage are not what the journal adds up to')
}

/**
 * Writes every invoice that can be written, and checks that together they say what the journal does.
 *
 * @throws AssertionError when one can not be written, or they do not add up.
 */
export async function checkInvoices(
  { statements }: Ledger,
  accountId: string,
  entries: readonly StoredEntry[],
): Promise<void> {
  for (let periods = 0; ; periods += 1) {
    if (periods === periodsMax) return
    const { outcome } = await statements.closePeriod({ accountId })
    if (outcome === 'not-over' || outcome === 'no-period') break
    assert.equal(outcome, 'closed', 'a period can not be closed')
  }
  const invoices = await statements.invoices({ accountId, limit: 100 })
  const lines = invoices.flatMap((invoice) => {
    const counted = invoice.lines.filter(({ kind }) => kind !== 'subscription' && kind !== 'overage')
    const { invoiceId, overage, adjustments } = invoice
    assert.equal(
      total(counted, ({ amount }) => amount),
      overage + adjustments,
      `${invoiceId} does not add up`,
    )
    return counted
  })
  const of = (...kinds: readonly string[]) =>
    total(lines, ({ kind, amount }) => (kinds.includes(kind) ? amount : 0n))
  const { charged, refunded } = sumsOf(entries)
  assert.equal(of('usage', 'late'), charged, 'the invoices have other charges than the journal')
  assert.equal(of('refund'), -refunded, 'the invoices have other refunds than the journal')
}

function sumsOf(entries: readonly StoredEntry[]): Sums {
  const attempts = new Map<string, ReceiptAttempt>()
  const sums = { requests: 0, cost: 0n, charged: 0n, refunded: 0n, absorbed: 0n, overage: 0n }
  for (const stored of entries) {
    const entry = readEntry(stored)
    if (entry.kind === 'settled' || entry.kind === 'provisional') sums.requests += 1
    if (entry.kind === 'refunded') sums.refunded += total(entry.postings, ({ amount }) => amount)
    if (entry.kind !== 'adjusted') sums.overage += billed(entry)
    for (const attempt of entry.attempts ?? []) {
      attempts.set(attempt.attemptId, attempt)
      sums.cost += attempt.cost ?? 0n
      sums.charged += attempt.charged
      sums.absorbed += attempt.absorbed
    }
  }
  // What costs nothing for sure is known.
  const unknown = [...attempts.values()].filter(
    ({ cost, costSource }) => cost === null && costSource !== 'none',
  )
  return { ...sums, attempts: attempts.size, unknownCosts: unknown.length }
}

function billed({ postings }: Entry): bigint {
  return total(postings, ({ from, to, amount }) => (to === 'used' ? amount : from === 'used' ? -amount : 0n))
}

/** Usage is of the day its request began, a refund of its own. */
function dayOf({ effectiveAtMs }: Entry): string {
  return new Date(Math.floor(effectiveAtMs / dayMs) * dayMs).toISOString().slice(0, 10)
}

function total<T>(items: readonly T[], amountOf: (item: T) => bigint): bigint {
  return items.reduce((sum, item) => sum + amountOf(item), 0n)
}
