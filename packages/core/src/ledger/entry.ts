import { hash } from 'node:crypto'
import type { Nano } from '../money.ts'
import type { Source } from './account.ts'
import type { ReceiptAttempt } from './receipt.ts'
import type { StoredEntry, Value } from './storage.ts'
import { decodeValue, encodeValue } from './value-text.ts'

/** Where money sits, as the journal sees it. A hold sets money aside inside `available`; holds are records, not entries. */
export type Bucket = 'issued' | 'available' | 'settled' | 'expired' | 'voided' | 'limit' | 'used'

/** Money that moved from one bucket of a source to another. It leaves the one as it enters the other: the sum is zero. */
export type Posting = {
  readonly source: Source
  readonly from: Bucket
  readonly to: Bucket
  readonly amount: Nano
}

export type EntryKind =
  | 'configured'
  /** A member got a cap of their own, or lost it. */
  | 'capped'
  | 'granted'
  | 'expired'
  | 'voided'
  | 'settled'
  | 'released'
  /** A request whose final cost comes later. */
  | 'provisional'
  /** The final cost of an attempt that was provisional, or nobody knew. */
  | 'reconciled'
  | 'refunded'
  | 'adjusted'
  /** A period was closed with an invoice. */
  | 'closed'
  /** Entries long past were taken out of the journal; what they added up to is its base. */
  | 'trimmed'

/** One immutable line of an account's journal. */
export type Entry = {
  readonly kind: EntryKind
  /** The operation that wrote it; repeating the operation does not write it again. */
  readonly opId: string
  readonly recordedAtMs: number
  /** When it counts from, by business time. */
  readonly effectiveAtMs: number
  readonly requestId?: string
  readonly memberId?: string
  readonly postings: readonly Posting[]
  /** For `settled`: every attempt with its usage and cost, so that a bill and its reason can never part. */
  readonly attempts?: readonly ReceiptAttempt[]
  /** For `configured` and `granted`: the terms. For `released`: what was given back without knowing the cost. For what was
   * done by hand: who did it, and why. */
  readonly terms?: { readonly [name: string]: Value }
}

/** An entry with its place in the account's chain. */
export interface JournalEntry extends Entry {
  readonly seq: bigint
  readonly hash: string
}

/** The `chain` of an account without entries. */
export const emptyChain = ''

/** Writes an entry as the line after `previous`. */
export function chainEntry(
  entry: Entry,
  previous: { readonly seq: bigint; readonly chain: string },
): StoredEntry {
  const seq = previous.seq + 1n
  const before = chainPrefix(previous.chain, seq)
  const line = before + encodeValue(entry as Value)
  const hashed = hash('sha256', line)
  // A text that was added up is a tree of its pieces until somebody reads it. Hashing laid the line out in one piece of
  // memory, and a slice of it stays that.
  return { seq, text: line.slice(before.length), hash: hashed }
}

/** SHA-256 over the previous hash, the sequence number and the text: changing any line changes all later ones. */
export function chainHash(previous: string, seq: bigint, text: string): string {
  return hash('sha256', chainPrefix(previous, seq) + text)
}

function chainPrefix(previous: string, seq: bigint): string {
  return `${previous}\n${seq}\n`
}

export function readEntry(stored: StoredEntry): JournalEntry {
  return { ...(decodeValue(stored.text) as Entry), seq: stored.seq, hash: stored.hash }
}
