import { createLimiter, type Limiter } from './admission/limiter.ts'
import { createPlanLimits } from './auth/plan-limits.ts'
import type { Clock } from './clock.ts'
import type { OnEvent } from './events.ts'
import type { CounterStore } from './ledger/counter-store.ts'
import { createCounting } from './ledger/counting.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { PlanTable } from './ledger/plan.ts'
import type { CheckedOptions } from './options.ts'

export interface RateLimitParts extends Pick<CheckedOptions, 'limits'> {
  readonly plans: PlanTable
  readonly ledger: Ledger
  /** `undefined` when the storage has none. */
  readonly counters: CounterStore | undefined
  readonly clock: Clock
  readonly onEvent: OnEvent
  /** No request is under way for longer. */
  readonly slotMs: number
}

export interface RateLimiting {
  readonly limiter: Limiter
  /** The account's plan may be another one now. */
  readonly forget: (accountId: string) => void
}

/**
 * Binds rate limits to the counters and to the plans of accounts.
 *
 * @throws RangeError when the limits of a plan cannot be meant.
 */
export function createRateLimiting(parts: RateLimitParts): RateLimiting {
  const { plans, ledger, counters, clock, onEvent, slotMs, limits } = parts
  const planLimits = createPlanLimits({
    plans,
    planIdOf: async (accountId) => (await ledger.balance(accountId)).planId,
    clock,
  })
  const counting = createCounting({
    shared: counters,
    clock,
    onLost: (cause) => onEvent({ kind: 'counters.lost', cause }),
  })
  const limiter = createLimiter({
    planLimits,
    counting,
    clock,
    slotMs,
    outputTokensMin: limits.outputTokensMin,
    outputTokensDefault: limits.outputTokensDefault,
  })
  return { limiter, forget: planLimits.forget }
}
