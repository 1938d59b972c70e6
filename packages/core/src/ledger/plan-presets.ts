import { type Nano, usd, zero } from '../money.ts'
import type { CreditScope, Overage, PlanTable } from './plan.ts'

export interface PlanPresetOptions {
  /** @default usd('100.00') */
  readonly spendingLimit?: Nano
}

/**
 * A published table of Hugging Face's tiers, by its date. `hf-latest` is the newest one known; it alone may change.
 *
 * `hf-2026-02-04`: Free $0.10 a month and stop; PRO $9, $2.00 then pay-as-you-go; Team $20 a seat, $2.00 a seat pooled
 * then pay-as-you-go; Enterprise like Team on terms of its own (the pricing page of that day).
 * `hf-2026-02-25`: Free may go on with credit that is bought (hub-docs 73509490).
 * `hf-2026-08-21`: the credit of the paid tiers pays for all compute, Free's for providers only (hub-docs a9fef576).
 * `hf-latest`: Free includes nothing (the page as it was stored after 2026-09-28; read 2026-11-22).
 */
export type PlanPreset = 'hf-2026-02-04' | 'hf-2026-02-25' | 'hf-2026-08-21' | 'hf-latest'

/** Where one table differs from the others. */
interface Dated {
  readonly freeCredit: Nano
  readonly freeOverage: Overage
  readonly paidScope: readonly CreditScope[]
}

const providersOnly: readonly CreditScope[] = ['providers']
const allCompute: readonly CreditScope[] = ['providers', 'endpoints', 'spaces', 'jobs']

const presets: Readonly<Record<PlanPreset, Dated>> = {
  'hf-2026-02-04': { freeCredit: usd('0.10'), freeOverage: 'hard-stop', paidScope: providersOnly },
  'hf-2026-02-25': { freeCredit: usd('0.10'), freeOverage: 'prepaid', paidScope: providersOnly },
  'hf-2026-08-21': { freeCredit: usd('0.10'), freeOverage: 'prepaid', paidScope: allCompute },
  'hf-latest': { freeCredit: zero, freeOverage: 'prepaid', paidScope: allCompute },
}

/**
 * One of the published tables of tiers as a plan table.
 *
 * @throws RangeError when there is no table of this name.
 */
export function planPreset(name: PlanPreset, options: PlanPresetOptions = {}): PlanTable {
  if (!Object.hasOwn(presets, name)) {
    throw new RangeError(`There are no plans "${name}". Known: "${Object.keys(presets).join('", "')}".`)
  }
  const { freeCredit, freeOverage, paidScope } = presets[name]
  const paid = { creditScope: paidScope, overage: 'pay-as-you-go' } as const
  const perSeat = { amount: usd('2.00'), per: 'seat' } as const
  return {
    defaultPlanId: 'free',
    spendingLimit: options.spendingLimit ?? usd('100.00'),
    plans: [
      {
        planId: 'free',
        subscriptionPrice: { amount: zero, per: 'account' },
        includedCredit: { amount: freeCredit, per: 'account' },
        creditScope: providersOnly,
        overage: freeOverage,
      },
      {
        planId: 'pro',
        subscriptionPrice: { amount: usd('9.00'), per: 'account' },
        includedCredit: { amount: usd('2.00'), per: 'account' },
        ...paid,
      },
      {
        planId: 'team',
        subscriptionPrice: { amount: usd('20.00'), per: 'seat' },
        includedCredit: perSeat,
        ...paid,
      },
      { planId: 'enterprise', subscriptionPrice: undefined, includedCredit: perSeat, ...paid },
    ],
  }
}
