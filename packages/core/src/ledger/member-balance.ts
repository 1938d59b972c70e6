import type { Nano } from '../money.ts'
import type { Draft } from './draft.ts'
import { capOf, checkMemberId, type Member, memberLeft, memberOf } from './member.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import { spenderSpendable } from './spender.ts'
import { lineOf } from './spent-lines.ts'
import type { Reduce } from './storage.ts'

export interface MemberRequest {
  readonly accountId: string
  readonly memberId: string
}

/** What a member of an account has used, and may still use, in the period that the account is in. */
export interface MemberBalance {
  readonly accountId: string
  readonly memberId: string
  readonly periodKey: string
  /** The most the member may use of a period; `null` for no bound but the account's credit and limit. */
  readonly cap: Nano | null
  /** Whether the cap is the member's own, and not the one all members of the account have. */
  readonly isOwnCap: boolean
  readonly used: Nano
  readonly held: Nano
  /** What is left of the cap; `null` without one. */
  readonly left: Nano | null
  /** What a new request of the member may cost at most. */
  readonly spendable: Nano
  /** When the period ends, and what was used counts no more. */
  readonly resetsAtMs: number
}

/** Reads what a member has used as it is now. Writes nothing. */
export function memberBalance(
  { accountId, memberId }: MemberRequest,
  plans: PlanTable,
): Reduce<MemberBalance> {
  checkMemberId(memberId)
  return (cut) => {
    const draft = openAccount(cut, accountId, plans)
    return { result: balanceOf(draft, memberOf(draft, memberId)) }
  }
}

export function balanceOf(draft: Draft, member: Member): MemberBalance {
  const { account } = draft
  const { memberId } = member
  const periodKey = account.period.key
  const { used, held } = lineOf(member.lines, periodKey)
  return {
    accountId: account.accountId,
    memberId,
    periodKey,
    cap: capOf(draft, member),
    isOwnCap: member.cap !== null,
    used,
    held,
    left: memberLeft(draft, member, periodKey),
    spendable: spenderSpendable(draft, { memberId, periodKey }),
    resetsAtMs: account.period.endMs,
  }
}
