import type { Put, StoredEntry, Value, Write } from '../storage.ts'
import { encodeValue } from '../value-text.ts'
import { checkText } from './check-text.ts'

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
