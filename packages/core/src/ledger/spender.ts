import type { Nano } from '../money.ts'
import { type Draft, spendable } from './draft.ts'
import { type CappedKey, countKey, type KeyCap, keyLeft, spendingKey } from './key-cap.ts'
import { countMember, memberKey, memberLeft, memberOf } from './member.ts'
import type { LineChange } from './spent-lines.ts'
import type { Key } from './storage.ts'

/** Who spends of an account: a member, an API key, both, or nobody who is told apart. A key counts only with a cap. */
export interface Spender {
  readonly memberId?: string | undefined
  readonly keyId?: string | undefined
  readonly keyCap?: KeyCap | undefined
}

/** Whose request it is, and of which period. */
export interface SpenderShare extends Spender {
  readonly periodKey: string
}

/** Whether a request is counted for anybody but the account. */
export function hasSpender({ memberId, keyCap }: Spender): boolean {
  return memberId !== undefined || keyCap !== undefined
}

export function cappedKeyOf({ keyId, keyCap }: Spender): CappedKey | undefined {
  return keyId === undefined || keyCap === undefined ? undefined : { keyId, cap: keyCap }
}

/** The records an operation of a spender reads. */
export function spenderKeys(spender: Spender): readonly Key[] {
  const { memberId } = spender
  const key = cappedKeyOf(spender)
  if (key === undefined) return memberId === undefined ? none : [memberKey(memberId)]
  return memberId === undefined ? [spendingKey(key)] : [memberKey(memberId), spendingKey(key)]
}

const none: readonly Key[] = []

/** What a spender's caps leave of a period: the least of them. `null` for no bound. */
export function spenderLeft(draft: Draft, share: SpenderShare): Nano | null {
  const { memberId, periodKey } = share
  const key = cappedKeyOf(share)
  const ofMember = memberId === undefined ? null : memberLeft(draft, memberOf(draft, memberId), periodKey)
  const ofKey = key === undefined ? null : keyLeft(draft, key, periodKey)
  if (ofMember === null) return ofKey
  return ofKey !== null && ofKey < ofMember ? ofKey : ofMember
}

/** What a hold of a spender may take, for a request of this period. */
export function spenderSpendable(draft: Draft, share: SpenderShare): Nano {
  const able = spendable(draft, share.periodKey)
  const left = spenderLeft(draft, share)
  return left !== null && left < able ? left : able
}

/** Counts what a request of a spender holds, uses, or gives back. */
export function countSpender(draft: Draft, share: SpenderShare, change: LineChange): void {
  const { memberId, periodKey } = share
  const key = cappedKeyOf(share)
  if (memberId !== undefined) countMember(draft, memberId, periodKey, change)
  if (key !== undefined) countKey(draft, key, periodKey, change)
}
