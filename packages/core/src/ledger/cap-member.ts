import type { Nano } from '../money.ts'
import { append, decide } from './draft.ts'
import { checkMemberId, keepMember, memberOf } from './member.ts'
import { balanceOf, type MemberBalance, type MemberRequest } from './member-balance.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import type { Reduce } from './storage.ts'

export interface CapMemberRequest extends MemberRequest {
  /**
   * The most this member may use of a period; `none` for no bound but the account's, `null` for the account's `memberCap`.
   * Lowering it stops new holds only.
   */
  readonly cap: Nano | 'none' | null
}

/**
 * Gives a member a cap of their own, or takes it away. Repeating it changes nothing.
 *
 * @throws RangeError when the cap is negative, or the member's id is empty or has more than 128 characters.
 */
export function capMember(
  { accountId, memberId, cap }: CapMemberRequest,
  plans: PlanTable,
): Reduce<MemberBalance> {
  checkMemberId(memberId)
  if (typeof cap === 'bigint' && cap < 0n) throw new RangeError('A member cap cannot be negative.')
  return (cut) => {
    const draft = openAccount(cut, accountId, plans)
    const member = memberOf(draft, memberId)
    if (member.cap === cap) return { result: balanceOf(draft, member) }
    const capped = { ...member, cap }
    keepMember(draft, capped)
    append(draft, {
      kind: 'capped',
      opId: `cap:${draft.account.seq + 1n}`,
      recordedAtMs: draft.now,
      effectiveAtMs: draft.now,
      memberId,
      postings: [],
      terms: { cap },
    })
    return decide(draft, balanceOf(draft, capped))
  }
}
