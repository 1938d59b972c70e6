import type { Value } from '@farebox/core'
import type { OpenRecords } from '@farebox/core/batching'

/** What the store knows of an account without asking. Valid for one state of the database. */
export interface CachedAccount {
  readonly head: Value | null
  readonly headChars: number
  readonly version: bigint
  readonly lastSeq: bigint
  /** Nothing is due before this. May be too early, never too late. */
  readonly quietUntil: number
  readonly open: OpenRecords
}
