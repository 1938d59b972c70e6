import { nano, zero } from '../money.ts'
import { defaultPriority } from './account.ts'
import { addGrant, append, type Draft, planOf } from './draft.ts'
import { includedCredit } from './plan.ts'

/** How the ids of included credit begin. Nobody else may use such an id: two grants of one id would share their counters. */
export const includedPrefix = 'incl:'

/**
 * Issues what the plan includes for this period and was not issued yet.
 *
 * The target follows the plan and the seats; what was issued is a high-water mark. So the order of plan and seat changes
 * does not matter, repeating changes nothing, and removing seats takes nothing back before the next period.
 */
export function issueIncluded(draft: Draft): void {
  const { account } = draft
  const target = includedCredit(planOf(draft), account.seats)
  if (target <= account.includedIssued) return
  const amount = nano(target - account.includedIssued)
  const grantId = `${includedPrefix}${account.period.key}:${target}`
  account.includedIssued = target
  addGrant(draft, {
    grantId,
    kind: 'included',
    priority: defaultPriority.included,
    effectiveAtMs: account.period.startMs,
    expiresAtMs: account.period.endMs,
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
    effectiveAtMs: account.period.startMs,
    postings: [{ source: `grant:${grantId}`, from: 'issued', to: 'available', amount }],
    terms: {
      kind: 'included',
      planId: account.planId,
      seats: account.seats,
      expiresAtMs: account.period.endMs,
    },
  })
}
