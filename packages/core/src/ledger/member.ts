import { assert } from '../assert.ts'
import { type Nano, nano, zero } from '../money.ts'
import { checkText } from './check-text.ts'
import { type Draft, keep, spendable } from './draft.ts'
import { RecordsNeeded } from './records-needed.ts'
import type { Key, Value } from './storage.ts'

/** What a member has used of the account in one period, and holds for requests that began in it. */
export type MemberLine = { readonly periodKey: string; readonly held: Nano; readonly used: Nano }

/** A member of an account. Who that is and what the account is to them is the host's affair. */
export type Member = {
  readonly memberId: string
  /** The most this member may use of a period; `none` for no bound but the account's, `null` for the account's member cap. */
  readonly cap: Nano | 'none' | null
  /** Of the last two periods in which the member asked for something, the later one last. */
  readonly lines: readonly MemberLine[]
}

/** Whose request it is, and of which period. Without a member nothing is counted. */
export interface MemberShare {
  readonly memberId: string | undefined
  readonly periodKey: string
}

/** What is forgotten of a member who never had a cap of their own, and asked for nothing for so long. Two periods fit into it. */
const keepMemberMs = 70 * 24 * 3_600_000

const linesMax = 2

const memberIdMax = 128

/** @throws RangeError when a member's id cannot be one: ids come from the host, so the caller cannot help it. */
export function checkMemberId(memberId: string): void {
  if (memberId === '' || memberId.length > memberIdMax) {
    throw new RangeError(`A member id has 1 to ${memberIdMax} characters, not ${memberId.length}.`)
  }
  checkText(memberId, 'member id')
}

function memberKey(memberId: string): Key {
  return `member:${memberId}`
}

/** The records an operation of a member reads. */
export function memberKeys(memberId: string | undefined): readonly Key[] {
  return memberId === undefined ? [] : [memberKey(memberId)]
}

/** @throws RecordsNeeded when the member's record was not asked for. */
export function memberOf(draft: Draft, memberId: string): Member {
  const key = memberKey(memberId)
  const value = draft.puts.get(key)?.value ?? draft.records.get(key)
  if (value === undefined) throw new RecordsNeeded([key])
  return value === null ? { memberId, cap: null, lines: [] } : (value as Member)
}

/** The most a member may use of a period; `null` when nothing bounds them but the account's own credit and limit. */
export function capOf({ account }: Draft, member: Member): Nano | null {
  return member.cap === 'none' ? null : (member.cap ?? account.memberCap)
}

export function memberLine(member: Member, periodKey: string): MemberLine {
  return member.lines.find((line) => line.periodKey === periodKey) ?? { periodKey, held: zero, used: zero }
}

/** What a member may still use of a period; `null` for no bound, as of a period that was forgotten. */
export function memberLeft(draft: Draft, { memberId, periodKey }: MemberShare): Nano | null {
  if (memberId === undefined) return null
  const member = memberOf(draft, memberId)
  const cap = capOf(draft, member)
  if (cap === null || !isCounted(draft, member, periodKey)) return null
  const { held, used } = memberLine(member, periodKey)
  const left = cap - used - held
  return left > 0n ? nano(left) : zero
}

/** What a hold of a member may take, for a request of this period. */
export function memberSpendable(draft: Draft, share: MemberShare): Nano {
  const able = spendable(draft, share.periodKey)
  const left = memberLeft(draft, share)
  return left !== null && left < able ? left : able
}

/**
 * Counts what a request of a member holds, uses, or gives back. A period that was forgotten meanwhile takes nothing any more:
 * nobody is held to its cap.
 */
export function countMember(
  draft: Draft,
  { memberId, periodKey }: MemberShare,
  { held = 0n, used = 0n }: { readonly held?: bigint; readonly used?: bigint },
): void {
  if (memberId === undefined) return
  const member = memberOf(draft, memberId)
  if (!isCounted(draft, member, periodKey)) return
  const isKnown = member.lines.some((line) => line.periodKey === periodKey)
  const before = memberLine(member, periodKey)
  const line = { periodKey, held: nano(before.held + held), used: nano(before.used + used) }
  assert(line.held >= 0n && line.used >= 0n, () => `a member would have used less than nothing: ${memberId}`)
  const lines = isKnown
    ? member.lines.map((each) => (each.periodKey === periodKey ? line : each))
    : [...member.lines, line].slice(-linesMax)
  keepMember(draft, { memberId, cap: member.cap, lines })
}

function isCounted({ account }: Draft, { lines }: Member, periodKey: string): boolean {
  return periodKey === account.period.key || lines.some((line) => line.periodKey === periodKey)
}

export function keepMember(draft: Draft, member: Member): void {
  keep(draft, {
    key: memberKey(member.memberId),
    value: member as Value,
    mode: 'replace',
    keepUntil: member.cap === null ? draft.now + keepMemberMs : undefined,
  })
}
