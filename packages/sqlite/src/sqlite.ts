import { setImmediate } from 'node:timers/promises'
import {
  type Clock,
  type LedgerStore,
  type Storage,
  type StoreTraits,
  systemClock,
  Unavailable,
} from '@farebox/core'
import { accountCache, checkText } from '@farebox/core/batching'
import { batchRunner } from './batch.ts'
import type { CachedAccount } from './cached-account.ts'
import { type ChangesBeside, changesBeside } from './changes-beside.ts'
import { commitQueue } from './commit-queue.ts'
import { sqliteCounters } from './counters.ts'
import type { SqliteDatabase } from './database.ts'
import { isDatabaseFault, unavailable } from './fault.ts'
import { sqliteKeys } from './keys.ts'
import { prepareSchema } from './schema.ts'
import { prepareTables, type Tables } from './tables.ts'
import { inTransaction } from './transaction.ts'
import { whenUnlocked } from './when-unlocked.ts'

export interface SqliteOptions {
  /** @default the system's clock */
  readonly clock?: Clock
  /** What the names of the tables start with. @default 'farebox_' */
  readonly prefix?: string
  /** How long a call waits for a lock that another connection holds. @default 5000 */
  readonly busyTimeoutMs?: number
}

const cachedCharsMax = 4 * 1024 * 1024
/** Entries deleted at a time: a few milliseconds of work. */
const trimMax = 500n
/** However many a reducer asks for: `moreDue` tells it the rest. */
const dueMost = 1000

/**
 * Keeps state in a SQLite database of the host: every answered write survives the loss of process and power.
 *
 * `database` is an open handle of `node:sqlite`, better-sqlite3 or libsql, for the store alone. Several processes on one
 * machine may use the same file. All calls of one turn of the event loop share a commit. Missing tables are created.
 * The host closes the handle, after `close()`.
 *
 * @throws Unavailable when the file cannot be used. @throws Error when it cannot be made durable, or its tables were
 * made by another version of this package.
 */
export function sqlite(database: SqliteDatabase, options: SqliteOptions = {}): Storage {
  const { clock = systemClock, prefix = 'farebox_', busyTimeoutMs = 5000 } = options
  // The ledger first: it creates the tables.
  const beside = changesBeside(database)
  const schema = { prefix, busyTimeoutMs }
  const ledger = sqliteLedger(database, clock, schema, beside)
  return {
    ledger,
    keys: sqliteKeys(database, schema, beside),
    counters: sqliteCounters(database, schema, beside),
  }
}

interface LedgerOptions {
  readonly prefix: string
  readonly busyTimeoutMs: number
}

function sqliteLedger(
  database: SqliteDatabase,
  clock: Clock,
  { prefix, busyTimeoutMs }: LedgerOptions,
  beside: ChangesBeside,
): LedgerStore {
  const { traits, tables } = openTables(database, { prefix, busyTimeoutMs }, beside)
  const run = batchRunner({ database, tables, cache: accountCache<CachedAccount>(cachedCharsMax), clock })
  const queue = commitQueue({ run, busyTimeoutMs })
  let isClosed = false

  async function read<T>(query: () => T): Promise<T> {
    if (isClosed) throw new Unavailable('The SQLite storage is closed.')
    return whenUnlocked(query, busyTimeoutMs)
  }

  return {
    traits,
    async transact(accountId, keys, reduce, { dueBy = 0, dueMax = 16 } = {}) {
      checkText(accountId, 'account id')
      for (const key of keys) checkText(key, 'record key')
      const result = await queue.add({ accountId, keys, reduce, dueBy, dueMax: Math.min(dueMax, dueMost) })
      // What the queue answers is what this very reducer returned.
      return result as never
    },
    journal: (accountId, afterSeq, limit) =>
      read(() => tables.readJournal(accountId, afterSeq, rowsMost(limit))),
    async trim(accountId, throughSeq) {
      checkText(accountId, 'account id')
      const first = await read(() => tables.firstEntry(accountId))
      if (first === undefined) return
      for (let from = first; from <= throughSeq; from += trimMax) {
        const last = from + trimMax - 1n
        const deleteSome = () => tables.deleteEntries(accountId, last < throughSeq ? last : throughSeq)
        // A commit for each step; requests get their turn in between.
        await read(() => inTransaction(database, 'BEGIN IMMEDIATE', deleteSome))
        await setImmediate()
      }
    },
    scan: (what, cursor, limit) =>
      read(() => {
        const rowsMax = rowsMost(limit)
        if (what === 'all') {
          const accountIds = tables.accountsAfter(cursor ?? '', rowsMax)
          return { accountIds, cursor: accountIds.length < rowsMax ? null : (accountIds.at(-1) ?? null) }
        }
        // A page looks at `limit` accounts and may hold fewer: looking on until it is full could take long.
        const waiting = tables.waitingAccountsAfter(cursor ?? '', rowsMax)
        const due = waiting.filter((account) => account.nextDueAt <= what.dueBy)
        return {
          accountIds: due.map((account) => account.accountId),
          cursor: waiting.length < rowsMax ? null : (waiting.at(-1)?.accountId ?? null),
        }
      }),
    close() {
      isClosed = true
      return queue.close()
    },
  }
}

function openTables(
  database: SqliteDatabase,
  options: LedgerOptions,
  beside: ChangesBeside,
): { traits: StoreTraits; tables: Tables } {
  try {
    const traits = prepareSchema(database, options)
    return { traits, tables: prepareTables(database, options.prefix, beside) }
  } catch (error) {
    throw isDatabaseFault(error) ? unavailable(error) : error
  }
}

/** SQLite takes a negative limit for none at all, and fails on an infinite one. */
function rowsMost(limit: number): number {
  return Math.min(Math.max(0, limit), 1_000_000)
}
