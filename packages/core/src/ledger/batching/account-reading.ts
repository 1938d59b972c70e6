import type { Key, Value } from '../storage.ts'

export interface StoredRecord {
  readonly key: Key
  readonly value: Value
  readonly dueAt: number
}

/** What was read of an account: all of it at one version. `Position` is how the store tells one state from another. */
export interface AccountReading<Position> {
  readonly head: Value | null
  /** The size of the head as text. */
  readonly headChars: number
  readonly version: bigint
  readonly position: Position
  /** The last entry of the journal; 0 when it is empty. */
  readonly lastSeq: bigint
  /** The records asked for; `undefined` for one that does not exist. */
  readonly records: ReadonlyMap<Key, Value | undefined>
  /** Records that were due, oldest first. */
  readonly due: readonly StoredRecord[]
  /** Whether `due` ends before the last of them. */
  readonly isDueCut: boolean
  /** When the first record that was not due yet becomes it; `Infinity` for never. */
  readonly nextDueAt: number
}
