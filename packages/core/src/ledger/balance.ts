import type { Nano } from '../money.ts'
import { isActive, overageLine } from './account.ts'
import { held, overageLeft, planOf, spendable } from './draft.ts'
import { openAccount } from './open-account.ts'
import { type Overage, overageLimit, type PlanTable } from './plan.ts'
import type { Reduce } from './storage.ts'

/** What an account has at one moment. */
export interface Balance {
  readonly accountId: string
  readonly planId: string
  readonly seats: number
  /** Such as `2026-11`. */
  readonly periodKey: string
  readonly periodStartMs: number
  /** The day of the month periods begin on, 1 to 31; `null` for calendar months. */
  readonly anchorDay: number | null
  /** Included credit that is left, and what was issued of it this period. */
  readonly included: Nano
  readonly includedIssued: Nano
  /** Every other credit that is left and active: purchased, promotional, courtesy. */
  readonly purchased: Nano
  /** Set aside for requests under way, and of that: for costs that their providers tell later. */
  readonly held: Nano
  readonly provisional: Nano
  /** Pay-as-you-go of this period, and what the plan says happens when credit is used up. */
  readonly overage: {
    readonly policy: Overage
    readonly limit: Nano
    readonly used: Nano
    readonly held: Nano
    readonly left: Nano
  }
  /** What a new request may cost at most. */
  readonly spendable: Nano
  /** When the period ends and the next included credit arrives. */
  readonly resetsAtMs: number
  /** Over the account's life. */
  readonly charged: Nano
  readonly absorbed: Nano
  /** What of `charged` was given back. */
  readonly refunded: Nano
}

/** Reads the balance as it is now. Writes nothing, also when a new period has begun. */
export function balance(accountId: string, plans: PlanTable): Reduce<Balance> {
  return (cut) => {
    const draft = openAccount(cut, accountId, plans)
    const { account } = draft
    const plan = planOf(draft)
    const line = overageLine(account, account.period.key)
    let included = 0n
    let purchased = 0n
    for (const grant of account.grants) {
      if (!isActive(grant, draft.now)) continue
      if (grant.kind === 'included') included += grant.available
      else purchased += grant.available
    }
    return {
      result: {
        accountId,
        planId: account.planId,
        seats: account.seats,
        periodKey: account.period.key,
        periodStartMs: account.period.startMs,
        anchorDay: account.anchorDay,
        included: included as Nano,
        includedIssued: account.includedIssued,
        purchased: purchased as Nano,
        held: held(account),
        provisional: account.provisional,
        overage: {
          policy: plan.overage,
          limit: overageLimit(draft.plans, plan, account.spendingLimit),
          used: line.used,
          held: line.held,
          left: overageLeft(draft),
        },
        spendable: spendable(draft),
        resetsAtMs: account.period.endMs,
        charged: account.charged,
        absorbed: account.absorbed,
        refunded: account.refunded,
      },
    }
  }
}
