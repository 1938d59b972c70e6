import { type Nano, zero } from '../money.ts'
import type { Unit } from '../unit.ts'
import { isQuantity } from '../usage.ts'
import type { Source } from './account.ts'
import type { JournalEntry, Posting } from './entry.ts'
import { noSums, type PeriodSums, sumPeriods } from './period-sums.ts'
import type { ReceiptAttempt } from './receipt.ts'
import { dayOf, type UsageKey, type UsageRow, usageRowName } from './usage-day.ts'
import {
  addAmount,
  addQuantitiesTo,
  type Funding,
  nothingUsed,
  sumsOf,
  totalsOf,
  type UsageTotals,
} from './usage-sums.ts'

/** What entries of a journal add up to. */
export interface Tally {
  /** Usage by UTC day, one row for each combination. */
  readonly days: ReadonlyMap<string, readonly UsageRow[]>
  /** What invoices will say, by the period that pays. */
  readonly periods: ReadonlyMap<string, PeriodSums>
}

/** Tells what a source is. */
export type FundingOf = (source: Source) => Funding

/** A row that something is still added to. */
interface OpenRow {
  readonly key: UsageKey
  readonly totals: UsageTotals
}

/** The rows of each day, by their name. */
type OpenDays = Map<string, Map<string, OpenRow>>

/**
 * Adds up entries. A request counts on the day, and in the period, in which it began; a refund on its own day, and in the
 * request's period.
 */
export function tally(entries: readonly JournalEntry[], fundingOf: FundingOf): Tally {
  const open: OpenDays = new Map()
  const periods = new Map<string, PeriodSums[]>()
  for (const entry of entries) {
    if (entry.kind === 'refunded') addRefund(open, entry, fundingOf)
    else if (entry.kind === 'adjusted') addCorrection(periods, entry)
    else if (entry.attempts !== undefined) addAttempts(open, entry, entry.attempts, fundingOf)
  }
  const days = new Map([...open].map(([day, rows]) => [day, [...rows.values()].map(rowOf)]))
  // From the rows, not from the entries: there are fewer of them, and so the two can not differ.
  for (const rows of days.values()) for (const row of rows) addTo(periods, row.periodKey, chargesOf(row))
  return { days, periods: new Map([...periods].map(([periodKey, sums]) => [periodKey, sumPeriods(sums)])) }
}

function rowOf({ key, totals }: OpenRow): UsageRow {
  return { ...key, ...sumsOf(totals) }
}

function openRow(days: OpenDays, day: string, key: UsageKey): UsageTotals {
  const rows = days.get(day) ?? new Map<string, OpenRow>()
  if (rows.size === 0) days.set(day, rows)
  const name = usageRowName(key)
  const present = rows.get(name)
  if (present !== undefined) return present.totals
  const totals = totalsOf(nothingUsed)
  rows.set(name, { key, totals })
  return totals
}

/** Every attempt counts where it was made; the request itself where it was served, or tried last. */
function addAttempts(
  days: OpenDays,
  entry: JournalEntry,
  attempts: readonly ReceiptAttempt[],
  fundingOf: FundingOf,
): void {
  const payments = paymentsOf(entry.postings, fundingOf)
  const day = dayOf(entry.effectiveAtMs)
  const ending = entry.kind === 'reconciled' ? -1 : endingOf(attempts)
  for (const [index, attempt] of attempts.entries()) {
    const totals = openRow(days, day, keyOf(entry, attempt.providerId))
    if (index === ending) totals.requests += 1
    if (entry.kind === 'reconciled') countLate(totals, entry, attempt)
    else countAttempt(totals, attempt)
    addCost(totals, attempt)
    pay(totals, payments, attempt.charged)
  }
}

function endingOf(attempts: readonly ReceiptAttempt[]): number {
  const servedAt = attempts.findLastIndex(({ outcome }) => outcome !== 'failed')
  return servedAt === -1 ? attempts.length - 1 : servedAt
}

function countAttempt(totals: UsageTotals, { usage, costSource, memoCost, state }: ReceiptAttempt): void {
  totals.attempts += 1
  if (usage?.certainty === 'estimate') totals.estimates += 1
  // A cost that is still to come is not known either, until it comes.
  const isUnknown = costSource === 'unknown' || (costSource === 'own-key' && memoCost === undefined)
  if (isUnknown || state !== undefined) totals.unknownCosts += 1
  for (const name in usage?.quantities) {
    const unit = name as Unit
    const quantity = usage?.quantities[unit]
    // A quantity that is no decimal counts as unknown. The journal keeps what it was.
    if (isQuantity(quantity)) addQuantitiesTo(totals.quantities, { [unit]: quantity })
  }
}

/**
 * A cost that came after its request was settled: the attempt counts already, unless nobody settled the request. What is
 * booked beyond an estimate that was charged is about a cost that counts as known.
 */
function countLate(
  totals: UsageTotals,
  { opId, requestId, terms }: JournalEntry,
  attempt: ReceiptAttempt,
): void {
  if (terms?.['settledBy'] === undefined) countAttempt(totals, attempt)
  else if (opId === `reconcile:${requestId}:${attempt.attemptId}`) totals.unknownCosts -= 1
}

function addCost(totals: UsageTotals, attempt: ReceiptAttempt): void {
  const { cost, charged, absorbed, absorbedReason, memoCost } = attempt
  totals.cost += cost ?? zero
  totals.charged += charged
  if (absorbedReason !== undefined) addAmount(totals.absorbed, absorbedReason, absorbed)
  totals.memoCost += memoCost ?? zero
}

function addRefund(days: OpenDays, entry: JournalEntry, fundingOf: FundingOf): void {
  const totals = openRow(days, dayOf(entry.effectiveAtMs), keyOf(entry, String(entry.terms?.['providerId'])))
  for (const { source, amount } of entry.postings) {
    totals.refunded += amount
    addAmount(totals.paidFrom, fundingOf(source), -amount)
  }
}

/** What somebody corrected by hand of what is owed. Credit that was given or taken is on no bill. */
function addCorrection(periods: Map<string, PeriodSums[]>, { postings, terms }: JournalEntry): void {
  let adjusted: bigint = zero
  for (const { from, to, amount } of postings) {
    if (to === 'used') adjusted += amount
    if (from === 'used') adjusted -= amount
  }
  if (adjusted !== 0n) addTo(periods, String(terms?.['periodKey']), { ...noSums, adjusted: adjusted as Nano })
}

function addTo(periods: Map<string, PeriodSums[]>, periodKey: string, sums: PeriodSums): void {
  const present = periods.get(periodKey)
  if (present === undefined) periods.set(periodKey, [sums])
  else present.push(sums)
}

function keyOf({ terms, memberId }: JournalEntry, providerId: string): UsageKey {
  const keyId = terms?.['keyId']
  return {
    periodKey: String(terms?.['periodKey']),
    model: String(terms?.['model']),
    providerId,
    ...(memberId === undefined ? {} : { memberId }),
    ...(typeof keyId === 'string' ? { keyId } : {}),
  }
}

interface Payment {
  readonly funding: Funding
  left: bigint
}

/** What paid an entry, in the order it was drawn. */
function paymentsOf(postings: readonly Posting[], fundingOf: FundingOf): Payment[] {
  return postings
    .filter(({ to }) => to === 'settled' || to === 'used')
    .map(({ source, amount }) => ({ funding: fundingOf(source), left: amount }))
}

/** Takes what paid for one attempt off the front of the payments. */
function pay(totals: UsageTotals, payments: readonly Payment[], charged: Nano): void {
  let missing: bigint = charged
  for (const payment of payments) {
    const amount = payment.left < missing ? payment.left : missing
    if (amount === 0n) continue
    payment.left -= amount
    missing -= amount
    addAmount(totals.paidFrom, payment.funding, amount)
  }
}

function chargesOf({ providerId, model, requests, charged, refunded, paidFrom }: UsageRow): PeriodSums {
  const isCharged = charged !== 0n || requests > 0
  return { ...noSums, usage: isCharged ? [{ providerId, model, requests, charged }] : [], refunded, paidFrom }
}
