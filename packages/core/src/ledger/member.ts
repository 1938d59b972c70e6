import type { Nano } from '../money.ts'
import { checkText } from './check-text.ts'
import { type Draft, keep } from './draft.ts'
import { countedIn, keepLinesMs, type LineChange, leftOf, recordOf, type SpentLine } from './spent-lines.ts'
import type { Key, Value } from './storage.ts'

/** A member of an account. Who that is and what the account is to them is the host's affair. */
export type Member = {
  readonly memberId: string
  /** The most this member may use of a period; `none` for no bound but the account's, `null` for the account's member cap. */
  readonly cap: Nano | 'none' | null
  /** Of the last two periods in which the member asked for something, the later one last. */
  readonly lines: readonly SpentLine[]
}

const memberIdMax = 128

/** @throws RangeError when a member's id cannot be one: ids come from the host, so the caller cannot help it. */
export function checkMemberId(memberId: string): void {
  if (memberId === '' || memberId.length > memberIdMax) {
    throw new RangeError(`A member id has 1 to ${memberIdMax} characters, not ${memberId.length}.`)
  }
  checkText(memberId, 'member id')
}

/** The record of a member. */
export function memberKey(memberId: string): Key {
  return `member:${memberId}`
}

/** @throws RecordsNeeded when the member's record was not asked for. */
export function memberOf(draft: Draft, memberId: string): Member {
  const value = recordOf(draft, memberKey(memberId))
  return value === null ? { memberId, cap: null, lines: [] } : (value as Member)
}

/** The most a member may use of a period; `null` when nothing bounds them but the account's own credit and limit. */
export function capOf({ account }: Draft, member: Member): Nano | null {
  return member.cap === 'none' ? null : (member.cap ?? account.memberCap)
}

/** What a member may still use of a period; `null` for no bound, as of a period that was forgotten. */
export function memberLeft(draft: Draft, member: Member, periodKey: string): Nano | null {
  return leftOf(draft, member.lines, capOf(draft, member), periodKey)
}

/** Counts what a request of a member holds, uses, or gives back. */
export function countMember(draft: Draft, memberId: string, periodKey: string, spending: LineChange): void {
  const { cap, lines: before } = memberOf(draft, memberId)
  const lines = countedIn(draft, before, periodKey, spending)
  if (lines !== undefined) keepMember(draft, { memberId, cap, lines })
}

/** A member without a cap of their own is forgotten when they have asked for nothing for long. */
export function keepMember(draft: Draft, member: Member): void {
  keep(draft, {
    key: memberKey(member.memberId),
    value: member as Value,
    mode: 'replace',
    keepUntil: member.cap === null ? draft.now + keepLinesMs : undefined,
  })
}
