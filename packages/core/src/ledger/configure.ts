import type { Nano } from '../money.ts'
import type { Account } from './account.ts'
import { append, type Draft, decide } from './draft.ts'
import { issueIncluded } from './included.ts'
import { openAccount } from './open-account.ts'
import { findPlan, type PlanTable } from './plan.ts'
import type { Reduce } from './storage.ts'

export interface ConfigureRequest {
  readonly accountId: string
  readonly planId: string
  /** People the plan is pooled over. @default 1, or what the account has */
  readonly seats?: number
  /** The account's own pay-as-you-go limit per period; `null` goes back to the plan's. Lowering it stops new holds only. */
  readonly spendingLimit?: Nano | null
}

/**
 * Puts an account on a plan. A better plan or more seats raise this period's included credit at once; less of either
 * takes effect with the next period. Repeating it changes nothing.
 *
 * @throws RangeError when the plan is unknown, seats are not a whole number of at least 1, or the limit is negative.
 */
export function configure(request: ConfigureRequest, plans: PlanTable): Reduce<Account> {
  findPlan(plans, request.planId)
  if (request.seats !== undefined && (!Number.isSafeInteger(request.seats) || request.seats < 1)) {
    throw new RangeError(`Seats must be a whole number of at least 1, not ${request.seats}.`)
  }
  if (request.spendingLimit != null && request.spendingLimit < 0n) {
    throw new RangeError('A spending limit cannot be negative.')
  }
  return (cut) => {
    const draft = openAccount(cut, request.accountId, plans)
    applyTerms(draft, request)
    return decide(draft, draft.account)
  }
}

function applyTerms(draft: Draft, request: ConfigureRequest): void {
  const { account } = draft
  const seats = request.seats ?? account.seats
  const spendingLimit = request.spendingLimit === undefined ? account.spendingLimit : request.spendingLimit
  if (account.planId === request.planId && account.seats === seats && account.spendingLimit === spendingLimit)
    return
  account.planId = request.planId
  account.seats = seats
  account.spendingLimit = spendingLimit
  append(draft, {
    kind: 'configured',
    opId: `configure:${account.seq + 1n}`,
    recordedAtMs: draft.now,
    effectiveAtMs: draft.now,
    postings: [],
    terms: { planId: request.planId, seats, spendingLimit },
  })
  issueIncluded(draft)
}
