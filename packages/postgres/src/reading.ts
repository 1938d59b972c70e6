import { decodeValue, type Key, type Value } from '@farebox/core'
import type { AccountReading, StoredRecord } from '@farebox/core/batching'
import { keyOf } from './row-key.ts'

/** What one statement has read of an account: all of it at one version, by which it is known again. */
export interface Reading extends AccountReading<bigint> {
  /** The server's time, or `-Infinity` where the host gives the clock. */
  readonly serverMs: number
  /** Whether the server takes no writes: a standby may lag behind, so nothing is decided on what it says. */
  readonly isReadOnly: boolean
}

/** A row of the reading statement. `kind` says what the other columns mean. */
export interface ReadingRow {
  readonly kind: 'clock' | 'head' | 'record' | 'due' | 'next'
  readonly key: string | null
  readonly long_key: string | null
  readonly value: string | null
  readonly at: number | null
  readonly version: string | number | bigint | null
  readonly seq: string | number | bigint | null
}

/** Puts together what the rows say. `keys` are those that were asked for, `dueMax` how many due records at most. */
export function readingOf(
  rows: readonly ReadingRow[],
  { keys, dueMax }: { readonly keys: readonly Key[]; readonly dueMax: number },
): Reading {
  const records = new Map<Key, Value | undefined>()
  for (const key of keys) records.set(key, undefined)
  const due: StoredRecord[] = []
  let head: ReadingRow | undefined
  let nextDueAt = Number.POSITIVE_INFINITY
  let serverMs = Number.NEGATIVE_INFINITY
  let isReadOnly = false
  for (const row of rows) {
    switch (row.kind) {
      case 'head':
        head = row
        break
      case 'record':
        records.set(nameOf(row), decodeValue(row.value ?? ''))
        break
      case 'due':
        due.push({ key: nameOf(row), value: decodeValue(row.value ?? ''), dueAt: Number(row.at) })
        break
      case 'next':
        nextDueAt = Number(row.at)
        break
      default:
        serverMs = Number(row.at)
        isReadOnly = row.value === 'on'
    }
  }
  const version = BigInt(head?.version ?? 0)
  return {
    head: head === undefined ? null : decodeValue(head.value ?? ''),
    headChars: head?.value?.length ?? 0,
    version,
    position: version,
    lastSeq: BigInt(head?.seq ?? 0),
    records,
    due: due.sort((a, b) => a.dueAt - b.dueAt || (a.key < b.key ? -1 : 1)),
    isDueCut: due.length >= dueMax,
    nextDueAt,
    serverMs,
    isReadOnly,
  }
}

function nameOf({ key, long_key }: ReadingRow): Key {
  return keyOf({ key: key ?? '', longKey: long_key })
}
