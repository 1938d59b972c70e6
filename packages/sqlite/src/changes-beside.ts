import type { SqliteDatabase, SqliteStatement } from './database.ts'

/**
 * Counts the rows that the storage itself changes beside its accounts, such as counters. Without that number the ledger could not
 * tell them from changes of somebody else on the same handle, and would forget all accounts it knows after each.
 */
export interface ChangesBeside {
  readonly count: number
  /** Counts what `work` changes, also when it throws. It must not touch accounts, and must not wait for anything. */
  during<T>(work: () => T): T
}

export function changesBeside(database: SqliteDatabase): ChangesBeside {
  let prepared: SqliteStatement | undefined
  // Not what each statement says it has changed: drivers count that each in their own way.
  const total = (): number => {
    prepared ??= database.prepare('SELECT total_changes() AS count')
    return Number((prepared.all()[0] as { count: number | bigint }).count)
  }
  let count = 0
  return {
    get count() {
      return count
    },
    during(work) {
      const before = total()
      try {
        return work()
      } finally {
        // What was rolled back stays in the total.
        count += total() - before
      }
    },
  }
}
