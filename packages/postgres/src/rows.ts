import type { StoredEntry } from '@farebox/core'
import type { EncodedPut } from '@farebox/core/batching'
import { rowKey } from './row-key.ts'

/** A record as a row of a statement's JSON. */
export function putRow({ put, text }: EncodedPut): object {
  const { key, longKey } = rowKey(put.key)
  return { key, long_key: longKey, due_at: put.dueAt ?? null, keep_until: put.keepUntil ?? null, value: text }
}

/** An entry as a row of a statement's JSON. */
export function entryRow({ seq, text, hash }: StoredEntry): object {
  return { seq: String(seq), text, hash }
}
