import type { Nano } from '../money.ts'
import {
  type Account,
  availableCredit,
  drawOrder,
  type Grant,
  type OverageLine,
  overageLine,
} from './account.ts'
import { chainEntry, type Entry } from './entry.ts'
import { findPlan, overageLimit, type Plan, type PlanTable } from './plan.ts'
import type { Decision, Put, StoredEntry, Value } from './storage.ts'

/**
 * An account opened for one operation: brought up to now, changed step by step, and turned into one write at the end.
 * It lives inside one call of a reducer and nowhere else.
 */
export interface Draft {
  account: Account
  readonly now: number
  readonly plans: PlanTable
  readonly puts: Map<string, Put>
  readonly entries: StoredEntry[]
  /** Whether holds that are due were left for another run. */
  readonly moreDue: boolean
}

/** Turns the draft into a write. A draft that is not decided changes nothing. */
export function decide<R>(draft: Draft, result: R): Decision<R> {
  return {
    result,
    write: { head: draft.account as Value, put: [...draft.puts.values()], append: draft.entries },
  }
}

export function planOf(draft: Draft): Plan {
  return findPlan(draft.plans, draft.account.planId)
}

/** What could still be drawn from the overage line of the current period. */
export function overageLeft(draft: Draft): Nano {
  const line = overageLine(draft.account, draft.account.period.key)
  const limit = overageLimit(draft.plans, planOf(draft), draft.account.spendingLimit)
  const left = limit - line.used - line.held
  return (left > 0n ? left : 0n) as Nano
}

/** What a new hold may take: available credit of active grants, then the overage line up to its limit. */
export function spendable(draft: Draft): Nano {
  return (availableCredit(draft.account) + overageLeft(draft)) as Nano
}

/** Everything set aside for requests under way. */
export function held(account: Account): Nano {
  let sum = 0n
  for (const grant of account.grants) sum += grant.held
  for (const line of account.overage) sum += line.held
  return sum as Nano
}

export function addGrant(draft: Draft, grant: Grant): void {
  draft.account = { ...draft.account, grants: [...draft.account.grants, grant].sort(drawOrder) }
}

export function append(draft: Draft, entry: Omit<Entry, 'recordedAtMs'>): StoredEntry {
  const stored = chainEntry({ ...entry, recordedAtMs: draft.now }, draft.account)
  draft.account = { ...draft.account, seq: stored.seq, chain: stored.hash }
  draft.entries.push(stored)
  return stored
}

export function keep(draft: Draft, put: Put): void {
  draft.puts.set(put.key, put)
}

export function changeGrant(draft: Draft, changed: Grant): void {
  const grants = draft.account.grants.map((grant) => (grant.grantId === changed.grantId ? changed : grant))
  draft.account = { ...draft.account, grants }
}

export function changeLine(draft: Draft, changed: OverageLine): void {
  const others = draft.account.overage.filter((line) => line.periodKey !== changed.periodKey)
  const overage = [...others, changed].sort((a, b) => (a.periodKey < b.periodKey ? -1 : 1))
  draft.account = { ...draft.account, overage }
}
