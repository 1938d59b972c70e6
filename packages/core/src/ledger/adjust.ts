import { type Nano, nano, zero } from '../money.ts'
import { isActive, overageLine, recount, type Source } from './account.ts'
import { append, changeGrant, changeLine, type Draft, decide, spendable } from './draft.ts'
import type { Posting } from './entry.ts'
import { hasRoom, issue, openGrantsMax, type TooManyGrants } from './grant.ts'
import {
  checkOperation,
  doneBefore,
  fingerprintOf,
  issuedBy,
  type ManualOperation,
  type OperationConflict,
  operationKey,
  remember,
} from './manual-operation.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import type { Reduce } from './storage.ts'

export interface AdjustRequest extends ManualOperation {
  /**
   * In the customer's favour when positive: lowers what is owed for this period, and what exceeds that becomes courtesy
   * credit. When negative: takes credit in draw order, then adds to what is owed, up to the limit.
   */
  readonly amount: Nano
}

export type AdjustResult =
  | {
      readonly outcome: 'adjusted'
      /** From where it was taken, or to where it was given. */
      readonly parts: readonly { readonly source: Source; readonly amount: Nano }[]
    }
  /** The account cannot bear it: it has no credit and may owe no more. Nothing was written. */
  | { readonly outcome: 'insufficient'; readonly missing: Nano; readonly spendable: Nano }
  | TooManyGrants
  | OperationConflict

/** What the reducer finds besides: holds that are due were looked after first, so run it again. */
export type AdjustStep = AdjustResult | { readonly outcome: 'again' }

/**
 * Corrects an account by hand. It never makes a counter negative: an account owes no more than its limit, and is not owed
 * anything but credit.
 *
 * @throws RangeError when the amount is zero, or the id, the actor or the reason is empty or too long.
 */
export function adjust(request: AdjustRequest, plans: PlanTable): Reduce<AdjustStep> {
  checkOperation(request)
  if (request.amount === 0n) throw new RangeError('An adjustment of nothing adjusts nothing.')
  const fingerprint = fingerprintOf('adjust', request)
  return (cut) => {
    const before = doneBefore<AdjustResult>(cut, request.opId, fingerprint)
    if (before !== undefined) return { result: before }
    const draft = openAccount(cut, request.accountId, plans)
    const { amount, opId, actor, reason } = request
    if (amount < 0n) {
      const able = spendable(draft)
      // An expired hold must never cause a refusal.
      if (able < -amount && draft.moreDue) return decide(draft, { outcome: 'again' })
      if (able < -amount) {
        return { result: { outcome: 'insufficient', missing: nano(-amount - able), spendable: able } }
      }
    }
    const postings = amount < 0n ? takeFrom(draft, nano(-amount)) : lowerBill(draft, amount)
    const credit = amount < 0n ? zero : nano(amount - total(postings))
    if (credit > 0n && !hasRoom(draft.account, 1)) {
      return { result: { outcome: 'too-many-grants', max: openGrantsMax } }
    }
    append(draft, {
      kind: 'adjusted',
      opId: operationKey(opId),
      recordedAtMs: draft.now,
      effectiveAtMs: draft.now,
      postings,
      terms: { amount, periodKey: draft.account.period.key, actor, reason },
    })
    const parts = postings.map((posting) => ({ source: posting.source, amount: posting.amount }))
    if (credit > 0n) {
      const grantId = issuedBy(opId, 1)
      issue(draft, { accountId: request.accountId, grantId, kind: 'courtesy', amount: credit })
      parts.push({ source: `grant:${grantId}`, amount: credit })
    }
    const result: AdjustResult = { outcome: 'adjusted', parts }
    remember(draft, opId, fingerprint, result)
    return decide(draft, result)
  }
}

function lowerBill(draft: Draft, amount: Nano): Posting[] {
  const line = overageLine(draft.account, draft.account.period.key)
  const lowered = line.used < amount ? line.used : amount
  if (lowered === 0n) return []
  changeLine(draft, { ...line, used: nano(line.used - lowered) })
  return [{ source: `overage:${line.periodKey}`, from: 'used', to: 'limit', amount: lowered }]
}

/** Takes `amount`, which is spendable, as a request would draw it. */
function takeFrom(draft: Draft, amount: Nano): Posting[] {
  const postings: Posting[] = []
  let missing: bigint = amount
  for (const grant of draft.account.grants) {
    if (missing === 0n) break
    if (grant.available === 0n || !isActive(grant, draft.now)) continue
    const taken = nano(missing < grant.available ? missing : grant.available)
    const available = nano(grant.available - taken)
    changeGrant(draft, recount(grant, { available, voided: nano(grant.voided + taken) }))
    postings.push({ source: `grant:${grant.grantId}`, from: 'available', to: 'voided', amount: taken })
    missing -= taken
  }
  if (missing > 0n) {
    const line = overageLine(draft.account, draft.account.period.key)
    changeLine(draft, { ...line, used: nano(line.used + missing) })
    postings.push({
      source: `overage:${line.periodKey}`,
      from: 'limit',
      to: 'used',
      amount: nano(missing),
    })
  }
  return postings
}

function total(postings: readonly Posting[]): bigint {
  return postings.reduce((sum, { amount }) => sum + amount, 0n)
}
