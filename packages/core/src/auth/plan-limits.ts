import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import type { PlanTable } from '../ledger/plan.ts'
import { checkRateLimits, hasLimits, type RateLimits } from '../ledger/rate-limits.ts'

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

/** For how long a process goes by a plan before it looks again, and of how many accounts. */
const rememberedMs = 10_000
const rememberedMax = 10_000

/** @throws RangeError when the limits of a plan cannot be meant. */
export function createPlanLimits({ plans, planIdOf, clock }: PlanLimitsOptions): PlanLimits {
  const byPlan = new Map<string, RateLimits>()
  for (const { planId, limits } of plans.plans) {
    if (limits !== undefined) checkRateLimits(limits, `The limits of the plan "${planId}"`)
    if (hasLimits(limits)) byPlan.set(planId, limits)
  }
  if (byPlan.size === 0) return { of: () => undefined, forget: () => undefined }

  const remembered = new LRUCache<string, { readonly planId: string }>({
    // Not `max`: that lays all places out at once.
    maxSize: rememberedMax,
    sizeCalculation: () => 1,
    ttl: rememberedMs,
    ttlResolution: 0,
    // It takes a time of 0 for none at all.
    perf: { now: () => clock.monotonicMs() + 1 },
  })
  const loading = new Map<string, Promise<RateLimits | undefined>>()

  async function load(accountId: string): Promise<RateLimits | undefined> {
    const reading = planIdOf(accountId)
    const limits = reading.then((planId) => byPlan.get(planId))
    loading.set(accountId, limits)
    try {
      const planId = await reading
      // Whoever changed the plan meanwhile has taken the reading away: it may be older than the change.
      if (loading.get(accountId) === limits) remembered.set(accountId, { planId })
      return await limits
    } finally {
      if (loading.get(accountId) === limits) loading.delete(accountId)
    }
  }

  return {
    of(accountId) {
      const known = remembered.get(accountId)
      return known === undefined ? (loading.get(accountId) ?? load(accountId)) : byPlan.get(known.planId)
    },
    forget(accountId) {
      remembered.delete(accountId)
      loading.delete(accountId)
    },
  }
}
