import { nano, zero } from '../money.ts'
import { defaultPriority } from './account.ts'
import { addGrant, append, type Draft, planOf } from './draft.ts'
import { includedCredit } from './plan.ts'

/** How the ids of included credit begin. Nobody else may use such an id: two grants of one id would share their counters. */
export const includedPrefix = 'incl:'

/**
 * Issues what the plan includes for this period and was not issued yet, as it counts from `fromMs` on.
 *
 * The target follows the plan and the seats, and the highest one of the period is remembered. So the order of plan and
 * seat changes does not matter, repeating changes nothing, and removing seats takes nothing back before the next period.
 *
 * A share of the credit is issued when the plan is prorated and the period has begun, and in a period that a new anchor
 * day cut short. All shares of a period are summed as one fraction and rounded down once, so that growing by five seats
 * at once and by one five times gives the same.
 */
export function issueIncluded(draft: Draft, fromMs: number): void {
  const { account } = draft
  const plan = planOf(draft)
  const target = includedCredit(plan, account.seats)
  if (target <= account.includedTarget) return
  // An additive plan's credit comes besides that of others: only what this plan itself has given counts against it.
  const given =
    plan.additive === true ? (account.includedPools?.[plan.planId] ?? zero) : account.includedTarget
  const { key, startMs, endMs, wholeMs = endMs - startMs } = account.period
  const remainingMs = endMs - (plan.prorate === true ? Math.max(startMs, Math.ceil(fromMs)) : startMs)
  const share = (target - given) * BigInt(remainingMs) + account.includedRest
  const amount = nano(share / BigInt(wholeMs))
  // Less than a nano is not issued, and so not remembered either.
  if (amount === 0n) return
  account.includedRest = share % BigInt(wholeMs)
  account.includedTarget = target
  if (plan.additive === true) account.includedPools = { ...account.includedPools, [plan.planId]: target }
  const grantId = `${includedPrefix}${key}:${target}`
  account.includedIssued = nano(account.includedIssued + amount)
  addGrant(draft, {
    grantId,
    kind: 'included',
    priority: defaultPriority.included,
    effectiveAtMs: startMs,
    expiresAtMs: endMs,
    issued: amount,
    available: amount,
    held: zero,
    settled: zero,
    expired: zero,
    voided: zero,
  })
  append(draft, {
    kind: 'granted',
    opId: grantId,
    recordedAtMs: draft.now,
    effectiveAtMs: startMs,
    postings: [{ source: `grant:${grantId}`, from: 'issued', to: 'available', amount }],
    terms: {
      kind: 'included',
      planId: account.planId,
      seats: account.seats,
      expiresAtMs: endMs,
      periodKey: key,
      target,
      ...(remainingMs === wholeMs ? undefined : { remainingMs, wholeMs }),
    },
  })
}
