import type { Key, StoredEntry, Value } from '../storage.ts'
import { encodeValue } from '../value-text.ts'
import { type CachedAccount, openRecords } from './account-cache.ts'
import type { AccountReading, StoredRecord } from './account-reading.ts'
import { type EncodedPut, type PreparedWrite, refuseExisting, refuseGaps } from './prepared-write.ts'

/** One account during a batch: what is known of it, and on top of it what the calls so far have written. */
export interface AccountDraft<Position> {
  readonly head: Value | null
  readonly version: bigint
  readonly isWritten: boolean
  /** A record; one that nobody knows of is taken to be absent, which the write then has to prove. */
  record(key: Key): Value | undefined
  /** At most `limit` records due by then, oldest first. `undefined` when that has to be read first. */
  due(until: number, limit: number): readonly StoredRecord[] | undefined
  /** Takes over a write as a whole, or throws and takes nothing. */
  apply(write: PreparedWrite): void
  /** What is to be written. */
  changes(): DraftChanges
  /** The keys that were taken to be absent. */
  assumed(): readonly Key[]
  /** What is true of the account once the changes are committed, which brings it to this position. */
  committed(position: Position, isPurged: boolean): CachedAccount<Position>
}

export interface DraftChanges {
  /** The version the changes are based on. */
  readonly from: bigint
  readonly to: bigint
  readonly headText: string
  readonly lastSeq: bigint
  readonly puts: readonly EncodedPut[]
  readonly entries: readonly StoredEntry[]
  /** Records written since expired ones were last deleted, these included. */
  readonly unpurged: number
}

/** A draft on what is remembered of an account, or on what was just read. */
export function draftAccount<Position>(
  stored: CachedAccount<Position>,
  reading: AccountReading<Position> | undefined,
): AccountDraft<Position> {
  /** `undefined` for a record that does not exist, as far as anyone knows. */
  const records = new Map<Key, Value | undefined>(reading?.records)
  const assumed = new Set<Key>()
  const puts = new Map<Key, EncodedPut>()
  const entries: StoredEntry[] = []
  let { head, headChars, version, lastSeq } = stored
  let putDueAt = Number.POSITIVE_INFINITY

  function recordOf(key: Key): Value | undefined {
    if (records.has(key)) return records.get(key)
    const value = stored.open.get(key)
    records.set(key, value)
    if (value === undefined) assumed.add(key)
    return value
  }

  function storedDue(until: number, limit: number): readonly StoredRecord[] | undefined {
    if (reading === undefined) return stored.quietUntil > until ? [] : undefined
    if (until >= reading.nextDueAt) return undefined
    const due = reading.due.filter(({ key, dueAt }) => dueAt <= until && !puts.has(key))
    return reading.isDueCut && due.length < limit ? undefined : due
  }

  function quietUntil(): number {
    if (reading === undefined) return Math.min(stored.quietUntil, putDueAt)
    const rest = reading.due.filter(({ key }) => !puts.has(key)).map(({ dueAt }) => dueAt)
    const cutAt = reading.isDueCut ? (reading.due.at(-1)?.dueAt ?? 0) : Number.POSITIVE_INFINITY
    return Math.min(reading.nextDueAt, putDueAt, cutAt, ...rest)
  }

  return {
    get head() {
      return head
    },
    get version() {
      return version
    },
    get isWritten() {
      return version !== stored.version
    },
    record: recordOf,
    due(until, limit) {
      const found = storedDue(until, limit)
      if (found === undefined || putDueAt > until) return found?.slice(0, limit)
      const written = [...puts.values()].flatMap(({ put: { key, value, dueAt } }) =>
        dueAt !== undefined && dueAt <= until ? [{ key, value, dueAt }] : [],
      )
      return [...found, ...written].sort(oldestFirst).slice(0, limit)
    },
    apply(write) {
      refuseExisting(write, recordOf)
      refuseGaps(write, lastSeq)
      for (const encoded of write.puts) {
        const { key, value, dueAt } = encoded.put
        records.set(key, value)
        puts.set(key, encoded)
        if (dueAt !== undefined) putDueAt = Math.min(putDueAt, dueAt)
      }
      for (const entry of write.entries) entries.push(entry)
      lastSeq += BigInt(write.entries.length)
      head = write.head
      version += 1n
    },
    changes() {
      const headText = encodeValue(head)
      headChars = headText.length
      const unpurged = stored.unpurged + puts.size
      return {
        from: stored.version,
        to: version,
        headText,
        lastSeq,
        puts: [...puts.values()],
        entries,
        unpurged,
      }
    },
    assumed: () => [...assumed],
    committed(position, isPurged) {
      const { open } = stored
      for (const [key, { put, text }] of puts) {
        if (put.dueAt !== undefined && put.keepUntil === undefined) open.set(key, put.value, text.length)
        else open.delete(key)
      }
      const unpurged = isPurged ? 0 : stored.unpurged + puts.size
      return { head, headChars, version, position, lastSeq, quietUntil: quietUntil(), open, unpurged }
    },
  }
}

function oldestFirst(a: StoredRecord, b: StoredRecord): number {
  return a.dueAt - b.dueAt || (a.key < b.key ? -1 : 1)
}

/**
 * What is known of an account after a reading. What was remembered of its open records holds if nobody else wrote since:
 * `isSame` says whether two positions are one.
 */
export function accountOf<Position>(
  reading: AccountReading<Position>,
  cached: CachedAccount<Position> | undefined,
  isSame: (a: Position, b: Position) => boolean,
): CachedAccount<Position> {
  const isCurrent = cached !== undefined && isSame(cached.position, reading.position)
  return {
    head: reading.head,
    headChars: reading.headChars,
    version: reading.version,
    position: reading.position,
    lastSeq: reading.lastSeq,
    quietUntil: 0,
    open: isCurrent ? cached.open : openRecords(),
    unpurged: cached?.unpurged ?? 0,
  }
}
