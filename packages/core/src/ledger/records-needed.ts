import type { Cut, Decision, Key, Reduce } from './storage.ts'

/**
 * Thrown by a reducer that has found out, from what it read, that it needs records nobody asked for, such as that of the
 * member whose hold has just expired. Nothing was decided: it is run again on a cut that has them.
 */
export class RecordsNeeded extends Error {
  override readonly name = 'RecordsNeeded'
  readonly keys: readonly Key[]

  constructor(keys: readonly Key[]) {
    super(`These records are needed: ${keys.join(', ')}.`)
    this.keys = keys
  }
}

/** @throws RecordsNeeded for all of them that were not asked for. */
export function needRecords(records: Cut['records'], keys: Iterable<Key>): void {
  const missing = new Set<Key>()
  for (const key of keys) if (!records.has(key)) missing.add(key)
  if (missing.size > 0) throw new RecordsNeeded([...missing])
}

/** A reducer that answers with the keys it needs instead of throwing. `added` are those it needed before: absent ones are null. */
export function asking<R>(reduce: Reduce<R>, added: readonly Key[]): Reduce<R | RecordsNeeded> {
  return (cut): Decision<R | RecordsNeeded> => {
    try {
      return reduce(added.length === 0 ? cut : withAbsent(cut, added))
    } catch (error) {
      if (error instanceof RecordsNeeded) return { result: error }
      throw error
    }
  }
}

function withAbsent(cut: Cut, keys: readonly Key[]): Cut {
  const records = new Map(cut.records)
  for (const key of keys) if (!records.has(key)) records.set(key, null)
  return { ...cut, records }
}
