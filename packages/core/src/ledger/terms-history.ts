import { type Nano, zero } from '../money.ts'
import type { Entry } from './entry.ts'
import type { Period } from './period.ts'
import { findPlan, type Plan, type PlanTable } from './plan.ts'

/** From then on the account was on these terms. */
export type TermsChange = {
  readonly atMs: number
  readonly planId: string
  readonly seats: number
  readonly anchorDay: number | null
}

/** Oldest first. */
export type TermsHistory = readonly TermsChange[]

/** Changes that are remembered. Beyond them, two neighbours on one plan count as one with the more seats. */
const changesMax = 256

/** The terms an entry tells of, after those before it; the history as it is when it tells of none. */
export function addTerms(history: TermsHistory, { kind, recordedAtMs, terms }: Entry): TermsHistory {
  if (kind !== 'configured' && terms?.['kind'] !== 'included') return history
  const { planId, seats, anchorDay } = terms ?? {}
  if (typeof planId !== 'string' || typeof seats !== 'number') return history
  const last = history.at(-1)
  const change: TermsChange = {
    atMs: recordedAtMs,
    planId,
    seats,
    // What was included says nothing of the anchor day.
    anchorDay:
      typeof anchorDay === 'number' ? anchorDay : anchorDay === null ? null : (last?.anchorDay ?? null),
  }
  return isAlike(last, change) && last?.seats === seats ? history : bounded([...history, change])
}

function isAlike(a: TermsChange | undefined, b: TermsChange | undefined): boolean {
  return a !== undefined && a.planId === b?.planId && a.anchorDay === b.anchorDay
}

function bounded(history: TermsHistory): TermsHistory {
  if (history.length <= changesMax) return history
  const alike = history.findIndex((change, index) => isAlike(change, history[index + 1]))
  const index = Math.max(alike, 0)
  const [first, second] = [history[index], history[index + 1]] as [TermsChange, TermsChange]
  const joined = { ...first, seats: Math.max(first.seats, second.seats) }
  return history.toSpliced(index, 2, joined)
}

/** What is needed of a history from a moment on: the terms in force just before it, and every change since. */
export function historyFrom(history: TermsHistory, atMs: number): TermsHistory {
  const first = history.findLastIndex((change) => change.atMs < atMs)
  return first <= 0 ? history : history.slice(first)
}

/** The anchor day in force just before a moment; `undefined` when the history does not reach back so far. */
export function anchorBefore(history: TermsHistory, atMs: number): number | null | undefined {
  return history.findLast((change) => change.atMs < atMs)?.anchorDay
}

/** What a plan costs for one period. */
export interface Subscription {
  readonly plan: Plan
  readonly seats: number
  readonly amount: Nano
}

/**
 * The dearest plan and seats of a period, as included credit follows the dearest too. `undefined` when none of them has a
 * price: such a plan is free, or on terms of its own.
 */
export function subscriptionOf(
  history: TermsHistory,
  period: Period,
  plans: PlanTable,
): Subscription | undefined {
  const inForce = historyFrom(history, period.startMs + 1).filter(({ atMs }) => atMs < period.endMs)
  let dearest: Subscription | undefined
  for (const { planId, seats } of inForce) {
    const plan = plans.plans.find((each) => each.planId === planId) ?? findPlan(plans, plans.defaultPlanId)
    const price = plan.subscriptionPrice
    if (price === undefined) continue
    const amount = (price.per === 'seat' ? price.amount * BigInt(seats) : price.amount) as Nano
    if (amount > (dearest?.amount ?? zero)) dearest = { plan, seats, amount }
  }
  return dearest
}
