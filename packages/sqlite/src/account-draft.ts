import { encodeValue, type Key, type StoredEntry, type Value } from '@farebox/core'
import {
  type EncodedPut,
  openRecords,
  type PreparedWrite,
  refuseExisting,
  refuseGaps,
} from '@farebox/core/batching'
import type { CachedAccount } from './cached-account.ts'
import type { FlatRows, StoredRecord, Tables } from './tables.ts'

/** One account during a batch: what was read, and on top of it what the calls so far have written. */
export interface AccountDraft {
  readonly accountId: string
  readonly head: Value | null
  readonly version: bigint
  readonly isWritten: boolean
  /** The keys among these whose records nobody knows yet. Each is told of once, so it has to be read. */
  unknown(keys: readonly Key[]): readonly Key[]
  /** Takes what was read of one of them. */
  learn(key: Key, value: Value): void
  /** Reads the records that are not known yet, in one query. */
  load(keys: readonly Key[]): void
  /** A record that was loaded or written. */
  record(key: Key): Value | undefined
  /** At most `limit` records due by then, oldest first. */
  due(until: number, limit: number): readonly StoredRecord[]
  /** Takes over a write as a whole, or throws and takes nothing. Its `create` keys must have been loaded. */
  apply(write: PreparedWrite): void
  /** Adds what is not written yet to the rows of the batch. */
  addRows(rows: BatchRows): void
  /** What is true of the account once the batch is committed. */
  committed(): CachedAccount
}

export interface BatchRows {
  readonly heads: FlatRows
  readonly records: FlatRows
  readonly journal: FlatRows
}

export function draftAccount(
  accountId: string,
  cached: CachedAccount | undefined,
  tables: Tables,
): AccountDraft {
  const stored = cached ?? readAccount(accountId, tables)
  const isNew = stored.version === 0n
  /** `undefined` for a record that surely does not exist. */
  const records = new Map<Key, Value | undefined>()
  const puts = new Map<Key, EncodedPut>()
  const unsaved = new Map<Key, EncodedPut>()
  const entries: StoredEntry[] = []
  let { head, headChars, version, lastSeq, quietUntil } = stored

  function unknown(keys: readonly Key[]): readonly Key[] {
    const asked: Key[] = []
    for (const key of keys) {
      if (records.has(key)) continue
      const value = stored.open.get(key)
      records.set(key, value)
      // An account that was never written has no records.
      if (value === undefined && !isNew) asked.push(key)
    }
    return asked
  }

  function moveUnsaved(rows: FlatRows): void {
    for (const { put, text } of unsaved.values()) {
      rows.push(accountId, put.key, put.dueAt ?? null, put.keepUntil ?? null, text)
    }
    unsaved.clear()
  }

  return {
    accountId,
    get head() {
      return head
    },
    get version() {
      return version
    },
    get isWritten() {
      return version !== stored.version
    },
    unknown,
    learn: (key, value) => void records.set(key, value),
    load(keys) {
      const asked = unknown(keys)
      if (asked.length === 0) return
      for (const { key, value } of tables.readRecords(accountId, asked)) records.set(key, value)
    },
    record: (key) => records.get(key),
    due(until, limit) {
      if (quietUntil > until) return []
      if (unsaved.size > 0) {
        // Rare: the query must see what earlier calls of this batch wrote.
        const rows: FlatRows = []
        moveUnsaved(rows)
        tables.writeRecords(rows)
      }
      quietUntil = tables.nextDueAt(accountId)
      return quietUntil > until ? [] : tables.readDue(accountId, until, limit)
    },
    apply(write) {
      refuseExisting(write, (key) => records.get(key))
      refuseGaps(write, lastSeq)
      for (const encoded of write.puts) {
        const { key, value, dueAt } = encoded.put
        records.set(key, value)
        puts.set(key, encoded)
        unsaved.set(key, encoded)
        if (dueAt !== undefined) quietUntil = Math.min(quietUntil, dueAt)
      }
      for (const entry of write.entries) entries.push(entry)
      lastSeq += BigInt(write.entries.length)
      head = write.head
      version += 1n
    },
    addRows(rows) {
      if (version === stored.version) return
      const text = encodeValue(head)
      headChars = text.length
      rows.heads.push(accountId, Number(version), text)
      moveUnsaved(rows.records)
      for (const entry of entries) rows.journal.push(accountId, Number(entry.seq), entry.text, entry.hash)
    },
    committed() {
      const { open } = stored
      for (const [key, { put, text }] of puts) {
        if (put.dueAt !== undefined && put.keepUntil === undefined) open.set(key, put.value, text.length)
        else open.delete(key)
      }
      return { head, headChars, version, lastSeq, quietUntil, open }
    },
  }
}

function readAccount(accountId: string, tables: Tables): CachedAccount {
  const stored = tables.readAccount(accountId)
  return {
    head: stored?.head ?? null,
    headChars: stored?.headChars ?? 0,
    version: stored?.version ?? 0n,
    lastSeq: stored?.lastSeq ?? 0n,
    quietUntil: stored?.nextDueAt ?? Number.POSITIVE_INFINITY,
    open: openRecords(),
  }
}
