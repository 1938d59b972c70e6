import { type Nano, usd, zero } from '../money.ts'

/** What an account gets each period, and what happens when it is used up. Tiers are data. */
export interface Plan {
  readonly planId: string
  /** What the host charges for the plan itself. Farebox never collects it. */
  readonly subscriptionPrice: { readonly amount: Nano; readonly per: 'account' | 'seat' } | undefined
  /** Credit issued at the first use in each period. It does not roll over. Per seat means pooled over all seats. */
  readonly includedCredit: { readonly amount: Nano; readonly per: 'account' | 'seat' }
  /** When credit is used up: stop, or go on up to the spending limit. */
  readonly overage: 'hard-stop' | 'pay-as-you-go'
  /** The most an account on this plan may owe for one period; the table's limit when absent. */
  readonly spendingLimit?: Nano
}

/** The plans a gateway knows. */
export interface PlanTable {
  readonly plans: readonly Plan[]
  /** The plan of accounts that were never configured. */
  readonly defaultPlanId: string
  /** The spending limit of pay-as-you-go, unless the plan or the account has its own. Per period. */
  readonly spendingLimit: Nano
}

export interface PlanPresetOptions {
  /** @default usd('100.00') */
  readonly spendingLimit?: Nano
}

/**
 * The tiers of 4 February 2026: Free $0.10 a month and stop; PRO $9, $2.00 then pay-as-you-go; Team $20 a seat, $2.00 a
 * seat pooled then pay-as-you-go; Enterprise like Team on terms of its own.
 */
function hf20260204(spendingLimit: Nano): PlanTable {
  const perSeat = { amount: usd('2.00'), per: 'seat' } as const
  return {
    defaultPlanId: 'free',
    spendingLimit,
    plans: [
      {
        planId: 'free',
        subscriptionPrice: { amount: zero, per: 'account' },
        includedCredit: { amount: usd('0.10'), per: 'account' },
        overage: 'hard-stop',
      },
      {
        planId: 'pro',
        subscriptionPrice: { amount: usd('9.00'), per: 'account' },
        includedCredit: { amount: usd('2.00'), per: 'account' },
        overage: 'pay-as-you-go',
      },
      {
        planId: 'team',
        subscriptionPrice: { amount: usd('20.00'), per: 'seat' },
        includedCredit: perSeat,
        overage: 'pay-as-you-go',
      },
      {
        planId: 'enterprise',
        subscriptionPrice: undefined,
        includedCredit: perSeat,
        overage: 'pay-as-you-go',
      },
    ],
  }
}

/** A published table of tiers, by its date. */
export type PlanPreset = 'hf-2026-02-04'

const presets: Readonly<Record<PlanPreset, (spendingLimit: Nano) => PlanTable>> = {
  'hf-2026-02-04': hf20260204,
}

/** One of the published tables of tiers as a plan table. */
export function planPreset(name: PlanPreset, options: PlanPresetOptions = {}): PlanTable {
  return presets[name](options.spendingLimit ?? usd('100.00'))
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

/** How far the account may go beyond its credit in one period: nothing under a hard stop. */
export function overageLimit(table: PlanTable, plan: Plan, accountLimit: Nano | null): Nano {
  if (plan.overage === 'hard-stop') return zero
  return accountLimit ?? plan.spendingLimit ?? table.spendingLimit
}
