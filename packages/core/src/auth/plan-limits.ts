import type { Clock } from '../clock.ts'
import type { PlanTable } from '../ledger/plan.ts'
import { checkRateLimits, hasLimits, type RateLimits } from '../ledger/rate-limits.ts'
import { remember } from './remembered.ts'

/** The rate limits of accounts by their plans. */
export interface PlanLimits {
  /** `undefined` for none. Waits where the account's plan is not remembered, and never where no plan limits anything. */
  of(accountId: string): RateLimits | undefined | Promise<RateLimits | undefined>
  /** The account's plan may be another one now. */
  forget(accountId: string): void
}

export interface PlanLimitsOptions {
  readonly plans: PlanTable
  readonly planIdOf: (accountId: string) => Promise<string>
  readonly clock: Clock
}

/** For how long a process goes by a plan before it looks again. */
const rememberedMs = 10_000

interface AccountPlan {
  readonly planId: string
}

/** @throws RangeError when the limits of a plan cannot be meant. */
export function createPlanLimits({ plans, planIdOf, clock }: PlanLimitsOptions): PlanLimits {
  const byPlan = new Map<string, RateLimits>()
  for (const { planId, limits } of plans.plans) {
    if (limits !== undefined) checkRateLimits(limits, `The limits of the plan "${planId}"`)
    if (hasLimits(limits)) byPlan.set(planId, limits)
  }
  if (byPlan.size === 0) return { of: () => undefined, forget: () => undefined }

  const remembered = remember<AccountPlan>({
    clock,
    forMs: rememberedMs,
    read: async (accountId) => ({ planId: await planIdOf(accountId) }),
  })
  const limitsOf = ({ planId }: AccountPlan) => byPlan.get(planId)

  return {
    of(accountId) {
      const known = remembered.known(accountId)
      return known === undefined ? remembered.load(accountId).then(limitsOf) : limitsOf(known)
    },
    forget: remembered.forget,
  }
}
