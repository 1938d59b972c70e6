import { createHash } from 'node:crypto'
import type { Key } from '@farebox/core'

/** Together with an account id of 512 characters this still fits into an index of PostgreSQL, which takes 2,704 bytes. */
const bytesMax = 1024

/** How a record's key stands in its row. */
export interface RowKey {
  readonly key: string
  /** The key itself, where `key` is made of its hash. */
  readonly longKey: string | null
}

/** Nearly every key stands for itself; one that starts with a tilde gets another before it, so that no key looks like a hash. */
export function rowKey(key: Key): RowKey {
  if (key.length * 3 > bytesMax && Buffer.byteLength(key) > bytesMax) {
    return { key: `~${createHash('sha256').update(key).digest('hex')}`, longKey: key }
  }
  return { key: key.startsWith('~') ? `~~${key.slice(1)}` : key, longKey: null }
}

/** The key of a record that was read. */
export function keyOf({ key, longKey }: RowKey): Key {
  if (longKey !== null) return longKey
  return key.startsWith('~~') ? key.slice(1) : key
}
