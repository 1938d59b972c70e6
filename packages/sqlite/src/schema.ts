import type { StoreTraits } from '@farebox/core'
import type { SqliteDatabase } from './database.ts'
import { isContention, isReadOnly } from './fault.ts'
import { inTransaction } from './transaction.ts'

/**
 * Changes only when what is there already changes. A table that is merely added needs no new version: it is created where
 * it is missing, and an older release of this package that shares the file leaves it alone.
 */
const schemaVersion = 1

export interface SchemaOptions {
  readonly prefix: string
  readonly busyTimeoutMs: number
}

/**
 * Makes commits durable and creates the tables that are missing. Two processes may do so at once.
 *
 * Waits inside SQLite for at most `busyTimeoutMs`: nothing is served yet. From then on the connection never waits by
 * itself, because that would stop the event loop.
 */
export function prepareSchema(
  database: SqliteDatabase,
  { prefix, busyTimeoutMs }: SchemaOptions,
): StoreTraits {
  if (!/^[A-Za-z_]\w{0,47}$/.test(prefix) || /^sqlite_/i.test(prefix)) {
    throw new Error(`The table prefix "${prefix}" is not a plain identifier.`)
  }
  database.prepare(`PRAGMA busy_timeout = ${Math.trunc(busyTimeoutMs)}`).all()
  const isFile = Boolean(firstRow<{ file: string | null }>(database, 'PRAGMA database_list')?.file)
  if (isFile) {
    writeAhead(database, busyTimeoutMs)
    syncEveryCommit(database)
    keepPages(database)
  }
  createTables(database, prefix)
  database.prepare('PRAGMA busy_timeout = 0').all()
  return isFile
    ? { durability: 'local-fsync', sharedBy: 'host' }
    : { durability: 'none', sharedBy: 'process' }
}

function writeAhead(database: SqliteDatabase, busyTimeoutMs: number): void {
  const deadline = performance.now() + busyTimeoutMs
  for (;;) {
    try {
      // Asked before it is set: a database that has the log already may be read-only.
      if (journalMode(database, 'PRAGMA journal_mode') === 'wal') return
      const mode = journalMode(database, 'PRAGMA journal_mode = WAL')
      if (mode === 'wal') return
      throw new Error(`SQLite cannot keep a write-ahead log for this file: its journal mode stays "${mode}".`)
    } catch (error) {
      // SQLite does not wait by itself when two connections switch at the same time.
      if (!isContention(error) || performance.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}

function journalMode(database: SqliteDatabase, sql: string): string {
  return String(firstRow<{ journal_mode: string }>(database, sql)?.journal_mode).toLowerCase()
}

function syncEveryCommit(database: SqliteDatabase): void {
  const fullSync = 2
  if (synchronous(database) >= fullSync) return
  database.exec('PRAGMA synchronous = FULL')
  if (synchronous(database) < fullSync) {
    throw new Error('SQLite refuses to sync every commit of this database (synchronous = FULL).')
  }
}

function synchronous(database: SqliteDatabase): number {
  return Number(firstRow<{ synchronous: number | bigint }>(database, 'PRAGMA synchronous')?.synchronous)
}

const defaultCacheKiB = 2000
const cacheKiB = 16_000

/**
 * A commit for hundreds of accounts changes more pages than fit into SQLite's usual cache. Without room for them it writes pages
 * early and reads half of them back. A size that the host has set stays.
 */
function keepPages(database: SqliteDatabase): void {
  const size = firstRow<{ cache_size: number | bigint }>(database, 'PRAGMA cache_size')?.cache_size
  // Pages are counted up from zero, and KiB down.
  if (Number(size) === -defaultCacheKiB) database.exec(`PRAGMA cache_size = -${cacheKiB}`)
}

function createTables(database: SqliteDatabase, prefix: string): void {
  // Looked up first, so that a read-only database that has the tables can be opened.
  const isKnown = readVersion(database, prefix) === schemaVersion
  if (isKnown && hasTable(database, `${prefix}documents`) && hasTable(database, `${prefix}counters`)) return
  try {
    inTransaction(database, 'BEGIN IMMEDIATE', () => {
      for (const sql of tables(prefix)) database.exec(sql)
      const version = readVersion(database, prefix)
      if (version !== schemaVersion) {
        throw new Error(
          `The tables "${prefix}…" have version ${version}; this package knows ${schemaVersion}.`,
        )
      }
    })
  } catch (error) {
    // A file from before there were documents or counters can still be read by who may not write it.
    if (!isKnown || !isReadOnly(error)) throw error
  }
}

function readVersion(database: SqliteDatabase, prefix: string): number | undefined {
  const table = `${prefix}schema`
  if (!hasTable(database, table)) return undefined
  return Number(firstRow<{ version: number | bigint }>(database, `SELECT version FROM ${table}`)?.version)
}

function hasTable(database: SqliteDatabase, table: string): boolean {
  const found = database
    .prepare(`SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?`)
    .all(table)
  return found.length > 0
}

function tables(prefix: string): readonly string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${prefix}schema (version INTEGER NOT NULL) STRICT`,
    `INSERT INTO ${prefix}schema SELECT ${schemaVersion} WHERE NOT EXISTS (SELECT 1 FROM ${prefix}schema)`,
    `CREATE TABLE IF NOT EXISTS ${prefix}heads (
      account TEXT NOT NULL PRIMARY KEY,
      version INTEGER NOT NULL,
      head TEXT NOT NULL
    ) STRICT`,
    // Times are REAL because that is what a JavaScript number is; whole milliseconds are exact in it.
    `CREATE TABLE IF NOT EXISTS ${prefix}records (
      account TEXT NOT NULL,
      key TEXT NOT NULL,
      due_at REAL,
      keep_until REAL,
      value TEXT NOT NULL,
      PRIMARY KEY (account, key)
    ) STRICT, WITHOUT ROWID`,
    `CREATE INDEX IF NOT EXISTS ${prefix}records_due ON ${prefix}records (account, due_at) WHERE due_at IS NOT NULL`,
    `CREATE INDEX IF NOT EXISTS ${prefix}records_kept ON ${prefix}records (keep_until) WHERE keep_until IS NOT NULL`,
    `CREATE TABLE IF NOT EXISTS ${prefix}journal (
      account TEXT NOT NULL,
      seq INTEGER NOT NULL,
      text TEXT NOT NULL,
      hash TEXT NOT NULL,
      PRIMARY KEY (account, seq)
    ) STRICT, WITHOUT ROWID`,
    // The version is the row's number: with AUTOINCREMENT none is ever given twice, also not after a row was deleted.
    `CREATE TABLE IF NOT EXISTS ${prefix}documents (
      version INTEGER PRIMARY KEY AUTOINCREMENT,
      key TEXT NOT NULL UNIQUE,
      value TEXT NOT NULL
    ) STRICT`,
    // `holder` is empty for what nobody gives back as a whole.
    `CREATE TABLE IF NOT EXISTS ${prefix}counters (
      account TEXT NOT NULL,
      name TEXT NOT NULL,
      holder TEXT NOT NULL,
      amount INTEGER NOT NULL,
      until_ms REAL NOT NULL,
      PRIMARY KEY (account, name, holder)
    ) STRICT, WITHOUT ROWID`,
    `CREATE INDEX IF NOT EXISTS ${prefix}counters_until ON ${prefix}counters (until_ms)`,
  ]
}

function firstRow<T>(database: SqliteDatabase, sql: string): T | undefined {
  return database.prepare(sql).all()[0] as T | undefined
}
