import { type Nano, nano, zero } from '../money.ts'
import { recount } from './account.ts'
import { append, changeGrant, type Draft, decide, keep } from './draft.ts'
import { type GrantRecord, grantKey } from './grant.ts'
import {
  checkOperation,
  doneBefore,
  fingerprintOf,
  type ManualOperation,
  type OperationConflict,
  operationKey,
  remember,
} from './manual-operation.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import type { Reduce, Value } from './storage.ts'

export interface VoidGrantRequest extends ManualOperation {
  readonly grantId: string
  /**
   * Take back no more than this, and leave the grant usable. @default everything that is left of it, and later whatever
   * comes back to it
   */
  readonly amount?: Nano
}

export type VoidGrantResult =
  | {
      readonly outcome: 'voided'
      /** What was taken back now. */
      readonly voided: Nano
      /** Still set aside for requests under way. What comes back of it is voided then, if the whole grant is. */
      readonly held: Nano
    }
  | { readonly outcome: 'unknown-grant' }
  | OperationConflict

/**
 * Takes credit back, after a charge-back or a mistake. What was spent stays spent, and a request under way keeps what it
 * holds.
 *
 * @throws RangeError when the amount is not positive, or the id, the actor or the reason is empty or too long.
 */
export function voidGrant(request: VoidGrantRequest, plans: PlanTable): Reduce<VoidGrantResult> {
  checkOperation(request)
  if (request.amount !== undefined && request.amount <= 0n) {
    throw new RangeError('Only a positive amount can be voided.')
  }
  const fingerprint = fingerprintOf('void', request)
  return (cut) => {
    const before = doneBefore<VoidGrantResult>(cut, request.opId, fingerprint)
    if (before !== undefined) return { result: before }
    const record = cut.records.get(grantKey(request.grantId)) as GrantRecord | undefined
    const draft = openAccount(cut, request.accountId, plans)
    const grant = draft.account.grants.find(({ grantId }) => grantId === request.grantId)
    if (grant === undefined && record === undefined) return { result: { outcome: 'unknown-grant' } }
    const result = { outcome: 'voided', voided: take(draft, request), held: grant?.held ?? zero } as const
    if (request.amount === undefined) {
      const isVoid: GrantRecord = { ...record, isVoid: true }
      keep(draft, { key: grantKey(request.grantId), value: isVoid as Value, mode: 'replace' })
    }
    remember(draft, request.opId, fingerprint, result)
    return decide(draft, result)
  }
}

/** A grant that has left the head has nothing left; the journal says all the same that it was voided. */
function take(draft: Draft, { grantId, amount, opId, actor, reason }: VoidGrantRequest): Nano {
  const grant = draft.account.grants.find((candidate) => candidate.grantId === grantId)
  const available = grant?.available ?? zero
  const taken = amount === undefined || available < amount ? available : amount
  if (grant !== undefined) {
    const left = recount(grant, { available: nano(available - taken), voided: nano(grant.voided + taken) })
    changeGrant(draft, amount === undefined ? { ...left, isVoid: true } : left)
  }
  append(draft, {
    kind: 'voided',
    opId: operationKey(opId),
    recordedAtMs: draft.now,
    effectiveAtMs: draft.now,
    postings:
      taken > 0n ? [{ source: `grant:${grantId}`, from: 'available', to: 'voided', amount: taken }] : [],
    terms: { grantId, isWhole: amount === undefined, actor, reason },
  })
  return taken
}
