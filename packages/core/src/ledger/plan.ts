import { type Nano, zero } from '../money.ts'
import type { RateLimits } from './rate-limits.ts'

/** What an account gets each period, and what happens when it is used up. Tiers are data. */
export interface Plan {
  readonly planId: string
  /** What the host charges for the plan itself. Farebox never collects it. */
  readonly subscriptionPrice: { readonly amount: Nano; readonly per: 'account' | 'seat' } | undefined
  /** Credit issued at the first use in each period. It does not roll over. Per seat means pooled over all seats. */
  readonly includedCredit: { readonly amount: Nano; readonly per: 'account' | 'seat' }
  /** What the published table says the included credit may pay for. Farebox itself charges `providers` only. @default providers */
  readonly creditScope?: readonly CreditScope[]
  /**
   * When credit is used up. `hard-stop`: nothing more before the next period. `prepaid`: the customer may buy credit and
   * go on. `pay-as-you-go`: on up to the spending limit. Credit that was granted is used up first under each of them.
   */
  readonly overage: Overage
  /** The most an account on this plan may owe for one period; the table's limit when absent. */
  readonly spendingLimit?: Nano
  /**
   * Whoever signs up or adds seats within a period gets the share of the credit that the rest of the period is of the
   * whole, rounded down to the nano. @default false: all of it
   */
  readonly prorate?: boolean
  /**
   * An upgrade to this plan gives its whole credit besides what was issued before, once a period. @default false: the
   * credit is raised to this plan's
   */
  readonly additive?: boolean
  /**
   * A process may set credit of a busy account aside and pay requests from it without asking the store each time. What a
   * process that dies has not written yet, at most of the last second, is the operator's loss. @default none: every request asks
   */
  readonly lease?: LeaseTerms
  /** How much an account on this plan may ask for in a while, all its members and keys together. @default no limits */
  readonly limits?: RateLimits
}

/** How a process leases credit of an account. */
export interface LeaseTerms {
  /** The most that one process sets aside at once. */
  readonly most: Nano
  /** How long a lease may be spent from without word from the store. @default 30000 (30 seconds) */
  readonly timeToLiveMs?: number
  /** How much later the store gives back what it had no word of. At least 30 seconds. @default 120000 (2 minutes) */
  readonly graceMs?: number
  /** How often what was spent is written: what a crash may lose. At most an eighth of the time to live. @default 1000 (1 second) */
  readonly checkpointMs?: number
}

export type Overage = 'hard-stop' | 'prepaid' | 'pay-as-you-go'

/** The products of Hugging Face that spend credit (hub-docs, 2026-08-21). */
export type CreditScope = 'providers' | 'endpoints' | 'spaces' | 'jobs'

/** The plans a gateway knows. */
export interface PlanTable {
  readonly plans: readonly Plan[]
  /** The plan of accounts that were never configured. */
  readonly defaultPlanId: string
  /** The spending limit of pay-as-you-go, unless the plan or the account has its own. Per period. */
  readonly spendingLimit: Nano
}

/** @throws RangeError when the table has no such plan. */
export function findPlan(table: PlanTable, planId: string): Plan {
  const plan = table.plans.find((candidate) => candidate.planId === planId)
  if (plan === undefined) {
    const known = table.plans.map((candidate) => `"${candidate.planId}"`).join(', ')
    throw new RangeError(`There is no plan "${planId}". Known plans: ${known}.`)
  }
  return plan
}

/** The credit a plan includes for one period at this number of seats. */
export function includedCredit(plan: Plan, seats: number): Nano {
  const { amount, per } = plan.includedCredit
  return per === 'seat' ? ((amount * BigInt(seats)) as Nano) : amount
}

/** How far the account may go beyond its credit in one period: nothing unless the plan is pay-as-you-go. */
export function overageLimit(table: PlanTable, plan: Plan, accountLimit: Nano | null): Nano {
  if (plan.overage !== 'pay-as-you-go') return zero
  return accountLimit ?? plan.spendingLimit ?? table.spendingLimit
}
