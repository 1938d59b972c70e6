import type { Nano } from '../money.ts'
import type { Account } from './account.ts'
import { append, type Draft, decide } from './draft.ts'
import { issueIncluded } from './included.ts'
import { firstDraft, openAccount } from './open-account.ts'
import { periodAt } from './period.ts'
import { findPlan, type PlanTable } from './plan.ts'
import type { Cut, Reduce } from './storage.ts'

export interface ConfigureRequest {
  readonly accountId: string
  readonly planId: string
  /** People the plan is pooled over. @default 1, or what the account has */
  readonly seats?: number
  /** The account's own pay-as-you-go limit per period; `null` goes back to the plan's. Lowering it stops new holds only. */
  readonly spendingLimit?: Nano | null
  /**
   * The most each member may use of a period, unless they have a cap of their own; `null` for no bound. Lowering it stops new
   * holds only. @default no bound, or what the account has
   */
  readonly memberCap?: Nano | null
  /**
   * The day of the month, 1 to 31, on which periods begin; the last day of months that are shorter. `null` for calendar
   * months. An account that was never written begins with it at once; otherwise the period under way ends as it would
   * have, and the next one is shorter, with its share of the included credit. @default `null`, or what the account has
   */
  readonly anchorDay?: number | null
}

/**
 * Puts an account on a plan. A better plan or more seats raise this period's included credit at once; less of either
 * takes effect with the next period. Repeating it changes nothing.
 *
 * @throws RangeError when the plan is unknown, seats are not a whole number of at least 1, a limit is negative, or the anchor
 * day is not one of 1 to 31.
 */
export function configure(request: ConfigureRequest, plans: PlanTable): Reduce<Account> {
  findPlan(plans, request.planId)
  if (request.seats !== undefined && (!Number.isSafeInteger(request.seats) || request.seats < 1)) {
    throw new RangeError(`Seats must be a whole number of at least 1, not ${request.seats}.`)
  }
  if (request.spendingLimit != null && request.spendingLimit < 0n) {
    throw new RangeError('A spending limit cannot be negative.')
  }
  if (request.memberCap != null && request.memberCap < 0n) {
    throw new RangeError('A member cap cannot be negative.')
  }
  const { accountId, anchorDay } = request
  if (anchorDay != null && !(Number.isInteger(anchorDay) && anchorDay >= 1 && anchorDay <= 31)) {
    throw new RangeError(`An anchor day is a day of the month, 1 to 31, not ${anchorDay}.`)
  }
  return (cut) => {
    const draft = cut.head === null ? signUp(cut, request, plans) : openAccount(cut, accountId, plans)
    applyTerms(draft, request)
    issueIncluded(draft, draft.now)
    return decide(draft, draft.account)
  }
}

/** Who signs up begins with the anchor day, and was never on the default plan: its credit is not issued first. */
function signUp(cut: Cut, { accountId, anchorDay }: ConfigureRequest, plans: PlanTable): Draft {
  const draft = firstDraft(cut, accountId, plans)
  draft.account.period = periodAt(draft.now, anchorDay ?? null)
  return draft
}

function applyTerms(draft: Draft, request: ConfigureRequest): void {
  const { account } = draft
  const seats = request.seats ?? account.seats
  const spendingLimit = request.spendingLimit === undefined ? account.spendingLimit : request.spendingLimit
  const memberCap = request.memberCap === undefined ? account.memberCap : request.memberCap
  const anchorDay = request.anchorDay === undefined ? account.anchorDay : request.anchorDay
  const isSame =
    account.planId === request.planId &&
    account.seats === seats &&
    account.spendingLimit === spendingLimit &&
    account.memberCap === memberCap &&
    account.anchorDay === anchorDay
  if (isSame) return
  account.planId = request.planId
  account.seats = seats
  account.spendingLimit = spendingLimit
  account.memberCap = memberCap
  account.anchorDay = anchorDay
  // The period under way is no longer what the anchor day says, and no entry before this one tells it.
  const isBelated = account.seq === 0n && periodAt(draft.now, anchorDay).key !== account.period.key
  append(draft, {
    kind: 'configured',
    opId: `configure:${account.seq + 1n}`,
    recordedAtMs: draft.now,
    effectiveAtMs: draft.now,
    postings: [],
    terms: {
      planId: request.planId,
      seats,
      spendingLimit,
      memberCap,
      anchorDay,
      ...(isBelated ? { periodKey: account.period.key } : {}),
    },
  })
}
