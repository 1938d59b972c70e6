import assert from 'node:assert/strict'
import type { Entry, PlanTable } from '@farebox/core'
import type { Fold } from './fold.ts'

export interface Terms {
  readonly planId: string
  readonly seats: number
  readonly spendingLimit: bigint | null
  readonly memberCap: bigint | null
  readonly anchorDay: number | null
}

/** What was included in the period of the last included grant. */
export interface Included {
  readonly startMs: number
  best: bigint
  readonly pools: Map<string, bigint>
}

interface IncludedTerms {
  readonly planId: string
  readonly seats: number
  readonly target: bigint
  /** Absent when all of the credit was issued. */
  readonly remainingMs?: number
  readonly wholeMs?: number
}

export function foldTerms(fold: Fold, entry: Entry, plans: PlanTable): void {
  // Entries written before there were anchor days and member caps have none.
  const { planId, seats, spendingLimit, memberCap = null, anchorDay = null } = entry.terms as unknown as Terms
  fold.terms = { planId, seats, spendingLimit, memberCap, anchorDay }
  const limit = limitOf(fold.terms, plans)
  if (limit > fold.limitMax) fold.limitMax = limit
}

/**
 * Included credit is never more than the highest terms of its period give, and exactly the difference to what was given
 * before where neither the plan nor a change of the anchor day makes it a share.
 */
export function checkIncluded(fold: Fold, entry: Entry, plans: PlanTable): void {
  const terms = entry.terms as unknown as IncludedTerms
  const { target, remainingMs, wholeMs = 1, remainingMs: part = 1 } = terms
  assert.equal(terms.planId, fold.terms.planId)
  assert.equal(terms.seats, fold.terms.seats)
  const { includedCredit, additive } = planOf(fold.terms, plans)
  assert.equal(target, includedCredit.amount * (includedCredit.per === 'seat' ? BigInt(terms.seats) : 1n))
  assert.ok(part <= wholeMs, 'more than a whole period was included')
  if (fold.included.startMs !== entry.effectiveAtMs) {
    fold.included = { startMs: entry.effectiveAtMs, best: 0n, pools: new Map() }
  }
  const { included } = fold
  assert.ok(target > included.best, 'included credit was issued though the terms were no better')
  const before = additive === true ? (included.pools.get(terms.planId) ?? 0n) : included.best
  const issued = entry.postings[0]?.amount ?? 0n
  // What rounding down has left of a nano is carried from one share to the next.
  const exact = ((target - before) * BigInt(part)) / BigInt(wholeMs)
  if (remainingMs === undefined) assert.equal(issued, exact, 'included credit is off')
  else assert.ok(issued === exact || issued === exact + 1n, `a share is off: ${issued} for ${exact}`)
  included.best = target
  if (additive === true) included.pools.set(terms.planId, target)
}

function planOf({ planId }: Terms, plans: PlanTable): PlanTable['plans'][number] {
  const plan = plans.plans.find((candidate) => candidate.planId === planId)
  assert.ok(plan !== undefined, `there is no plan ${planId}`)
  return plan
}

export function limitOf(terms: Terms, plans: PlanTable): bigint {
  const plan = planOf(terms, plans)
  if (plan.overage !== 'pay-as-you-go') return 0n
  return terms.spendingLimit ?? plan.spendingLimit ?? plans.spendingLimit
}
