import { assert } from '../assert.ts'
import type { Account } from './account.ts'
import { firstPeriod, nextPeriod, periodOf } from './account-periods.ts'
import { append, type Draft, decide, keep } from './draft.ts'
import { readCursor, type UsageCursor, usageCursorKey } from './fold-usage.ts'
import { type Invoice, invoiceKey, invoiceListKey, invoiceOf } from './invoice.ts'
import { openAccount } from './open-account.ts'
import { isPeriodKey, type Period } from './period.ts'
import {
  type LateSums,
  lateSumsKey,
  noSums,
  owed,
  type PeriodSums,
  periodSumsKey,
  sumPeriods,
} from './period-sums.ts'
import type { PlanTable } from './plan.ts'
import type { Reservation } from './reservation.ts'
import type { Cut, Key, Put, Reduce, Value } from './storage.ts'
import { historyFrom, subscriptionOf } from './terms-history.ts'

export interface ClosePeriodRequest {
  readonly accountId: string
  /** Such as `2026-11`. */
  readonly periodKey: string
}

export type ClosePeriodResult =
  /** The period has its invoice, from now on or for long. */
  | { readonly outcome: 'closed'; readonly invoice: Invoice }
  /** The period still runs. */
  | { readonly outcome: 'not-over'; readonly endsAtMs: number }
  /** Requests of the period are not settled yet. Reconciliation ends them. */
  | { readonly outcome: 'open-holds'; readonly reservationIds: readonly string[] }
  /** Periods are closed in order, without a gap: this one first. */
  | { readonly outcome: 'earlier-open'; readonly periodKey: string }
  /** The account has no such period: it was not there yet, or its periods begin on other days. */
  | { readonly outcome: 'no-period' }

/** What the reducer finds besides. */
export type ClosePeriodStep =
  | ClosePeriodResult
  /** Entries are not added up yet: fold them and ask again. */
  | { readonly outcome: 'behind' }
  /** Ask again with these keys too. */
  | { readonly outcome: 'more-keys'; readonly keys: readonly Key[] }

/** Open holds that are looked at, those due first. A hold of the period beyond them becomes a late cost. */
export const openHoldsMax = 1000

export function closePeriodKeys(periodKey: string): readonly Key[] {
  return [usageCursorKey, lateSumsKey, periodSumsKey(periodKey), invoiceKey(periodKey), invoiceListKey]
}

/** How long the sums of a period are kept once its invoice says the same. */
const keepSumsMs = 40 * 24 * 3_600_000

/**
 * Closes a period: writes its invoice, and from then on what belongs to it goes on the next one. The same period gives
 * the same invoice, however often it is closed.
 *
 * @throws RangeError when the key is not written like one of a period.
 */
export function closePeriod(request: ClosePeriodRequest, plans: PlanTable): Reduce<ClosePeriodStep> {
  const { accountId, periodKey } = request
  if (!isPeriodKey(periodKey)) {
    throw new RangeError(`"${periodKey}" is not a period. Periods are written like 2026-11 or 2026-11-15.`)
  }
  return (cut) => {
    const earlier = cut.records.get(invoiceKey(periodKey)) as Invoice | undefined
    if (earlier !== undefined) return { result: { outcome: 'closed', invoice: earlier } }
    if (cut.head === null) return { result: { outcome: 'no-period' } }
    const cursor = readCursor(cut)
    if (cursor.seq !== (cut.head as Account).seq) return { result: { outcome: 'behind' } }
    const period = nextToClose(cut.head as Account, cursor)
    if (period === undefined || period.key > periodKey) return { result: { outcome: 'no-period' } }
    if (period.key < periodKey) return { result: { outcome: 'earlier-open', periodKey: period.key } }
    const draft = openAccount(cut, accountId, plans)
    if (draft.now < period.endMs) return { result: { outcome: 'not-over', endsAtMs: period.endMs } }
    // What time alone has changed is written first, and added up like everything else.
    if (draft.entries.length > 0) return decide(draft, { outcome: 'behind' })
    const reservationIds = openHolds(cut, draft, periodKey)
    if (reservationIds.length > 0) return { result: { outcome: 'open-holds', reservationIds } }
    const missing = overlooked(cursor, period).filter((key) => !cut.records.has(key))
    if (missing.length > 0) return { result: { outcome: 'more-keys', keys: missing } }
    return decide(draft, { outcome: 'closed', invoice: close(cut, draft, period, cursor) })
  }
}

/** The first period without an invoice; `undefined` while nothing was ever booked. */
export function nextToClose(
  { closedThrough }: Pick<Account, 'closedThrough'>,
  { began, terms }: UsageCursor,
): Period | undefined {
  if (closedThrough != null) return nextPeriod(periodOf(closedThrough, terms), terms)
  return began === null ? undefined : firstPeriod(began)
}

function openHolds(cut: Cut, draft: Draft, periodKey: string): readonly string[] {
  return cut.due
    .map(({ key, value }) => (draft.puts.get(key)?.value ?? value) as Reservation)
    .filter((hold) => hold.periodKey <= periodKey && hold.state !== 'settled' && hold.state !== 'released')
    .map(({ reservationId }) => reservationId)
}

/** Sums that no invoice has and that come before this period. There are none as long as periods follow each other. */
function overlooked({ open }: UsageCursor, period: Period): readonly Key[] {
  return open.filter((periodKey) => periodKey < period.key).map(periodSumsKey)
}

function close(cut: Cut, draft: Draft, period: Period, cursor: UsageCursor): Invoice {
  const { account, now } = draft
  const sums = (cut.records.get(periodSumsKey(period.key)) ?? noSums) as PeriodSums
  const line = account.overage.find(({ periodKey }) => periodKey === period.key)
  assert(
    line === undefined || line.used === owed(sums) + sums.adjusted,
    `the sums of ${period.key} are not what its line has used`,
  )
  const late = lateSums(cut, period, cursor)
  const subscription = subscriptionOf(cursor.terms, period, draft.plans)
  const seq = account.seq + 1n
  const invoice = invoiceOf({ account, period, sums, late, subscription, closedAtMs: now, seq })
  account.carry = invoice.carryOut
  account.closedThrough = period.key
  const { invoiceId, overage, adjustments, carryIn, carryOut, dueCents } = invoice
  append(draft, {
    kind: 'closed',
    opId: `close:${period.key}`,
    recordedAtMs: now,
    effectiveAtMs: period.endMs,
    postings: [],
    terms: { periodKey: period.key, invoiceId, overage, adjustments, carryIn, carryOut, dueCents },
  })
  const periodKeys = (cut.records.get(invoiceListKey) ?? []) as readonly string[]
  const terms = historyFrom(cursor.terms, period.startMs)
  const open = cursor.open.filter((periodKey) => periodKey > period.key)
  keep(draft, { key: invoiceKey(period.key), value: invoice as Value, mode: 'create' })
  keep(draft, replace(invoiceListKey, [...periodKeys, period.key]))
  // The entry just written is in no sum: there is nothing to add up.
  keep(draft, replace(usageCursorKey, { ...cursor, seq, terms, open }))
  keep(draft, replace(lateSumsKey, { periods: {} }))
  keep(draft, { ...replace(periodSumsKey(period.key), sums), keepUntil: now + keepSumsMs })
  return invoice
}

function lateSums(cut: Cut, period: Period, { open }: UsageCursor): LateSums {
  const periods: Record<string, PeriodSums> = {
    ...(cut.records.get(lateSumsKey) as LateSums | undefined)?.periods,
  }
  for (const periodKey of open) {
    if (periodKey >= period.key) continue
    const sums = (cut.records.get(periodSumsKey(periodKey)) ?? noSums) as PeriodSums
    periods[periodKey] = sumPeriods([periods[periodKey] ?? noSums, sums])
  }
  return { periods }
}

function replace(key: Key, value: Value): Put {
  return { key, value, mode: 'replace' }
}
