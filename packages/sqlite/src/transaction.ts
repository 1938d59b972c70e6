import { OutcomeUnknown } from '@farebox/core'
import type { SqliteDatabase } from './database.ts'
import { describeFault } from './fault.ts'

export type TransactionMode = 'BEGIN' | 'BEGIN IMMEDIATE'

/**
 * Runs `work` in one transaction.
 *
 * @throws OutcomeUnknown when the commit failed and may yet be found in the log after a crash. Any other error means
 * that surely nothing was applied.
 */
export function inTransaction<T>(database: SqliteDatabase, mode: TransactionMode, work: () => T): T {
  // Outside the try: when the host has a transaction open, this fails and the host's must not be rolled back.
  database.exec(mode)
  let result: T
  try {
    result = work()
  } catch (error) {
    rollBack(database)
    throw error
  }
  try {
    database.exec('COMMIT')
  } catch (cause) {
    // SQLite ends the transaction itself when writing or syncing the log fails. Then all frames may be in the file
    // although this connection does not count them, and recovery after a crash would. Only a transaction that was still
    // open to be rolled back is surely gone.
    if (rollBack(database)) throw cause
    throw new OutcomeUnknown(`The commit failed. ${describeFault(cause)}`, { cause })
  }
  return result
}

/** Whether there was a transaction to roll back; after some errors SQLite has done it already. */
function rollBack(database: SqliteDatabase): boolean {
  try {
    database.exec('ROLLBACK')
    return true
  } catch {
    return false
  }
}
