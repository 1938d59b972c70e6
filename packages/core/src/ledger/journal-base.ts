import { hash } from 'node:crypto'
import type { Account } from './account.ts'
import type { Fold, FoldedSource } from './audit/fold.ts'
import { type FoldValue, isFoldValue, valueOfFold } from './audit/fold-value.ts'
import { hasMembers } from './audit/shape.ts'
import type { Entry } from './entry.ts'
import { refundWithinMs } from './reservation.ts'
import type { Key, Value } from './storage.ts'
import { encodeValue } from './value-text.ts'

/**
 * Where the journal of an account begins that was trimmed: the last entry that was taken out, its hash, and what everything up
 * to there adds up to. The entry `toldBy` has the hash of this text, so the chain covers it.
 */
export type JournalBase = {
  readonly seq: bigint
  readonly chain: string
  readonly toldBy: bigint
  readonly fold: FoldValue
}

export const journalBaseKey: Key = 'journal:base'

export function hashOfBase(base: JournalBase): string {
  return hash('sha256', encodeValue(base as Value))
}

/** Whether an entry is the one that tells of this base. */
export function tellsOf(base: JournalBase, { kind, terms }: Pick<Entry, 'kind' | 'terms'>): boolean {
  return kind === 'trimmed' && terms?.['base'] === hashOfBase(base)
}

/** Whether a value has the shape of a base: it may have been written by anyone. */
export function isJournalBase(value: Value | undefined): value is JournalBase {
  return (
    hasMembers(value, { seq: 'bigint', chain: 'string', toldBy: 'bigint' }) &&
    isFoldValue((value as { readonly fold?: unknown }).fold)
  )
}

/** More than everything that may still happen to a hold takes, beyond the time for refunds. */
const settlesWithinMs = 30 * 24 * 3_600_000

/**
 * What the fold of entries keeps as a base. A grant that nothing is left of, and that nothing moved for longer than a refund
 * is possible, can not be moved by any later entry: it is left out, so that a base does not grow with the years. Pay-as-you-go
 * lines stay, because invoices are compared with all of them.
 */
export function baseFold(fold: Fold, { grants, period }: Pick<Account, 'grants' | 'period'>): FoldValue {
  const inHead = new Set(grants.map(({ grantId }) => `grant:${grantId}`))
  return valueOfFold(
    fold,
    (source) => inHead.has(source.source) || source.effectiveAtMs >= period.startMs || !isPast(source, fold),
  )
}

/** Whether a source may be missing in a base of this fold. */
export function isPast({ source, buckets, movedAtMs }: FoldedSource, { recordedAtMs }: Fold): boolean {
  return (
    source.startsWith('grant:') &&
    buckets.available === 0n &&
    recordedAtMs - movedAtMs > refundWithinMs + settlesWithinMs
  )
}
