import { assert } from '../assert.ts'
import { type Nano, zero } from '../money.ts'
import {
  type Account,
  availableCredit,
  drawOrder,
  type Grant,
  isClosed,
  isOpen,
  type OverageLine,
  overageLine,
} from './account.ts'
import { chainEntry, type Entry } from './entry.ts'
import { findPlan, overageLimit, type Plan, type PlanTable } from './plan.ts'
import type { Cut, Decision, Put, StoredEntry, Value } from './storage.ts'

/**
 * An account opened for one operation: brought up to now, changed step by step, and turned into one write at the end.
 * It lives inside one call of a reducer and nowhere else.
 */
export interface Draft {
  /** A copy of the head that belongs to this draft alone, so that changing it in place keeps the reducer pure. */
  readonly account: MutableAccount
  readonly now: number
  readonly plans: PlanTable
  /** What was read; `null` where a record was looked for again and does not exist. */
  readonly records: Cut['records']
  readonly puts: Map<string, Put>
  readonly entries: StoredEntry[]
  /** Whether holds that are due were left for another run. */
  moreDue: boolean
}

/** An account whose members may be replaced. The grants and lines themselves stay immutable. */
export type MutableAccount = {
  -readonly [Name in keyof Account]: Name extends 'grants'
    ? Grant[]
    : Name extends 'overage'
      ? OverageLine[]
      : Account[Name]
}

/** Turns the draft into a write. A draft that is not decided changes nothing. */
export function decide<R>(draft: Draft, result: R): Decision<R> {
  return {
    result,
    write: { head: draft.account as Value, put: [...draft.puts.values()], append: draft.entries },
  }
}

/**
 * The account's plan. One that has left the table counts as the default plan: what is under way must still be settled.
 */
export function planOf({ account, plans }: Draft): Plan {
  return plans.plans.find(({ planId }) => planId === account.planId) ?? findPlan(plans, plans.defaultPlanId)
}

/** What the account may owe for the current period. */
export function limitOf(draft: Draft): Nano {
  return overageLimit(draft.plans, planOf(draft), draft.account.spendingLimit)
}

/**
 * What could still be drawn from the overage line of the current period, or of an earlier one until its invoice is written.
 */
export function overageLeft(draft: Draft, periodKey: string = draft.account.period.key): Nano {
  if (isClosed(draft.account, periodKey)) return zero
  const line = overageLine(draft.account, periodKey)
  const limit = periodKey === draft.account.period.key ? limitOf(draft) : (line.limit ?? zero)
  const left = limit - line.used - line.held
  return (left > 0n ? left : 0n) as Nano
}

/** What a hold of a period may take: available credit of active grants, then the period's overage line up to its limit. */
export function spendable(draft: Draft, periodKey?: string): Nano {
  return (availableCredit(draft.account) + overageLeft(draft, periodKey)) as Nano
}

/** Everything set aside for requests under way. */
export function held(account: Account): Nano {
  let sum = 0n
  for (const grant of account.grants) sum += grant.held
  for (const line of account.overage) sum += line.held
  return sum as Nano
}

export function addGrant(draft: Draft, grant: Grant): void {
  draft.account.grants.push(grant)
  draft.account.grants.sort(drawOrder)
}

export function append(draft: Draft, entry: Entry): StoredEntry {
  const stored = chainEntry(entry, draft.account)
  draft.account.seq = stored.seq
  draft.account.chain = stored.hash
  draft.entries.push(stored)
  return stored
}

export function keep(draft: Draft, put: Put): void {
  draft.puts.set(put.key, put)
}

export function changeGrant(draft: Draft, changed: Grant): void {
  const { grants } = draft.account
  const index = grants.findIndex((grant) => grant.grantId === changed.grantId)
  assert(index !== -1, `there is no grant ${changed.grantId}`)
  grants[index] = changed
}

export function changeLine(draft: Draft, changed: OverageLine): void {
  const { overage } = draft.account
  const index = overage.findIndex((line) => line.periodKey === changed.periodKey)
  // Lines come in the order of their periods: nothing is drawn from a period that is over and has none.
  if (index === -1) overage.push(changed)
  else overage[index] = changed
}

/** How many used-up grants are remembered for late costs before the oldest leaves the head. */
const closedGrantsMax = 16

/** How many earlier periods keep their overage line. */
export const overageLinesMax = 14

/** Forgets grants and overage lines that nothing can be drawn from or returned to any more, oldest first. */
export function forgetClosed(account: MutableAccount): void {
  const closed = account.grants.filter((grant) => !isOpen(grant))
  if (closed.length > closedGrantsMax) {
    const oldest = closed.toSorted((a, b) => a.effectiveAtMs - b.effectiveAtMs)
    const forgotten = new Set(oldest.slice(0, closed.length - closedGrantsMax))
    account.grants = account.grants.filter((grant) => !forgotten.has(grant))
  }
  const surplus = account.overage.length - overageLinesMax
  account.overage = account.overage.filter((line, index) => index >= surplus || line.held > 0n)
}
