import { checkText } from '../check-text.ts'
import type { Key, Put, StoredEntry, Value, Write } from '../storage.ts'
import { encodeValue } from '../value-text.ts'

/** A write whose parts can all be stored. */
export interface PreparedWrite {
  readonly head: Value
  readonly puts: readonly EncodedPut[]
  readonly entries: readonly StoredEntry[]
}

/** A record with its value as text. */
export interface EncodedPut {
  readonly put: Put
  readonly text: string
}

/** @throws RangeError when a part cannot be stored. Before anything is written: it must fail its own call alone. */
export function prepareWrite({ head, put = [], append = [] }: Write): PreparedWrite {
  if (head === undefined) throw new RangeError('A write has no head.')
  const puts = put.map((one) => {
    checkText(one.key, 'record key')
    if (one.value === undefined) throw new RangeError(`The record "${one.key}" has no value.`)
    return { put: one, text: encodeValue(one.value) }
  })
  return { head, puts, entries: append }
}

/** @throws Error named `Conflict` when a record that is to be created exists. */
export function refuseExisting({ puts }: PreparedWrite, recordOf: (key: Key) => Value | undefined): void {
  for (const { put } of puts) {
    if (put.mode === 'replace' || recordOf(put.key) === undefined) continue
    const error = new Error(`The record "${put.key}" exists already.`)
    error.name = 'Conflict'
    throw error
  }
}

/** @throws Error when an entry does not follow the one before it. */
export function refuseGaps({ entries }: PreparedWrite, lastSeq: bigint): void {
  let expected = lastSeq
  for (const { seq } of entries) {
    expected += 1n
    if (seq !== expected) throw new Error(`Journal entry ${seq} stands where ${expected} must follow.`)
  }
}
