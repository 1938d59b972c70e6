import { decodeValue, type Key, type StoredEntry, type Value } from '@farebox/core'
import type { ChangesBeside } from './changes-beside.ts'
import type { SqliteDatabase, SqliteStatement, SqliteValue } from './database.ts'

export interface StoredAccount {
  readonly version: bigint
  readonly head: Value
  readonly headChars: number
  readonly lastSeq: bigint
  readonly nextDueAt: number
}

export interface StoredRecord {
  readonly key: Key
  readonly value: Value
}

/** Where a record is. */
export interface RecordPlace {
  readonly accountId: string
  readonly key: Key
}

/** The same as before means: nobody else has changed the file, and nothing but this store has used its connection to. */
export interface Stamp {
  /** Changes when another connection has changed the file. */
  readonly dataVersion: number
  /** Counts the rows this connection has changed, but for what the storage itself changes beside accounts. */
  readonly totalChanges: number
}

export const recordColumns = 5

/** Rows one after another, column by column. */
export type FlatRows = SqliteValue[]

/** The statements of the store, prepared once. Everything is plain rows: what they mean is decided elsewhere. */
export interface Tables {
  /** Takes the write lock inside a transaction that was begun without it. Fails when what was read is outdated. */
  lock(): void
  stamp(): Stamp
  totalChanges(): number
  readAccount(accountId: string): StoredAccount | undefined
  readRecords(accountId: string, keys: readonly Key[]): StoredRecord[]
  /** Records of many accounts with one statement. */
  readRecordsOf(places: readonly RecordPlace[]): (RecordPlace & StoredRecord)[]
  hasRecord(accountId: string, key: Key): boolean
  /** `Infinity` when nothing waits. */
  nextDueAt(accountId: string): number
  readDue(accountId: string, until: number, limit: number): StoredRecord[]
  readJournal(accountId: string, afterSeq: bigint, limit: number): StoredEntry[]
  accountsAfter(accountId: string, limit: number): string[]
  /** Accounts that have a record with a due time, with the earliest of them. */
  waitingAccountsAfter(accountId: string, limit: number): { accountId: string; nextDueAt: number }[]
  /** account, version, head */
  writeHeads(rows: FlatRows): void
  /** account, key, due_at, keep_until, value */
  writeRecords(rows: FlatRows): void
  /** account, seq, text, hash */
  writeJournal(rows: FlatRows): void
  deleteExpired(before: number, limit: number): void
  /** The number of the first entry that is left. */
  firstEntry(accountId: string): bigint | undefined
  deleteEntries(accountId: string, throughSeq: bigint): void
}

export function prepareTables(database: SqliteDatabase, prefix: string, beside: ChangesBeside): Tables {
  const heads = `${prefix}heads`
  const records = `${prefix}records`
  const journal = `${prefix}journal`
  const waiting = `${records} WHERE due_at IS NOT NULL AND account`
  const statement = {
    dataVersion: database.prepare('PRAGMA data_version'),
    totalChanges: database.prepare('SELECT total_changes() AS count'),
    account: database.prepare(
      `SELECT version, head,
        (SELECT max(seq) FROM ${journal} WHERE account = ${heads}.account) AS last_seq,
        (SELECT min(due_at) FROM ${waiting} = ${heads}.account) AS next_due_at
      FROM ${heads} WHERE account = ?`,
    ),
    // One JSON list instead of a parameter per key: a batch asks for hundreds, and drivers bind slowly.
    records: database.prepare(
      `SELECT key, value FROM ${records} WHERE account = ? AND key IN (SELECT value FROM json_each(?))`,
    ),
    // The list first: the other way round SQLite would look at every record there is.
    recordsOf: database.prepare(
      `SELECT r.account, r.key, r.value FROM json_each(?) AS place CROSS JOIN ${records} AS r
        WHERE r.account = json_extract(place.value, '$[0]') AND r.key = json_extract(place.value, '$[1]')`,
    ),
    record: database.prepare(`SELECT 1 AS found FROM ${records} WHERE account = ? AND key = ?`),
    nextDueAt: database.prepare(`SELECT min(due_at) AS next_due_at FROM ${waiting} = ?`),
    due: database.prepare(
      `SELECT key, value FROM ${waiting} = ? AND due_at <= ? ORDER BY due_at, key LIMIT ?`,
    ),
    journal: database.prepare(
      `SELECT seq, text, hash FROM ${journal} WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?`,
    ),
    accounts: database.prepare(`SELECT account FROM ${heads} WHERE account > ? ORDER BY account LIMIT ?`),
    // Jumps from account to account through the index: a plain DISTINCT would read every open record.
    waitingAccounts: database.prepare(
      `WITH RECURSIVE jump (account) AS (
        SELECT min(account) FROM ${waiting} > ?
        UNION ALL
        SELECT (SELECT min(account) FROM ${waiting} > jump.account) FROM jump WHERE jump.account IS NOT NULL
      )
      SELECT account, (SELECT min(due_at) FROM ${waiting} = jump.account) AS next_due_at
      FROM jump WHERE account IS NOT NULL LIMIT ?`,
    ),
    firstEntry: database.prepare(`SELECT min(seq) AS seq FROM ${journal} WHERE account = ?`),
    deleteEntries: database.prepare(`DELETE FROM ${journal} WHERE account = ? AND seq <= ?`),
    deleteExpired: database.prepare(
      `DELETE FROM ${records} WHERE (account, key) IN
        (SELECT account, key FROM ${records} WHERE keep_until < ? ORDER BY keep_until LIMIT ?)`,
    ),
  }
  const totalChanges = (): number =>
    Number((statement.totalChanges.all()[0] as { count: number | bigint }).count) - beside.count
  return {
    // Not by a prepared statement: libsql leaves one that found the lock taken in the middle of its run, and with it the
    // outdated snapshot.
    lock: () => void database.exec(`UPDATE ${prefix}schema SET version = version WHERE 0`),
    stamp() {
      const row = statement.dataVersion.all()[0] as { data_version: number | bigint }
      return { dataVersion: Number(row.data_version), totalChanges: totalChanges() }
    },
    totalChanges,
    readAccount(accountId) {
      const row = statement.account.all(accountId)[0] as AccountRow | undefined
      return row === undefined ? undefined : accountOf(row)
    },
    readRecords: (accountId, keys) =>
      (statement.records.all(accountId, JSON.stringify(keys)) as RecordRow[]).map(recordOf),
    readRecordsOf(places) {
      const list = JSON.stringify(places.map(({ accountId, key }) => [accountId, key]))
      const rows = statement.recordsOf.all(list) as (RecordRow & { account: string })[]
      return rows.map((row) => ({ ...recordOf(row), accountId: row.account }))
    },
    hasRecord: (accountId, key) => statement.record.all(accountId, key).length > 0,
    nextDueAt: (accountId) => timeOf((statement.nextDueAt.all(accountId)[0] as DueRow).next_due_at),
    readDue: (accountId, until, limit) =>
      (statement.due.all(accountId, until, limit) as RecordRow[]).map(recordOf),
    readJournal: (accountId, afterSeq, limit) =>
      (statement.journal.all(accountId, Number(afterSeq), limit) as EntryRow[]).map(entryOf),
    accountsAfter: (accountId, limit) =>
      (statement.accounts.all(accountId, limit) as { account: string }[]).map((row) => row.account),
    waitingAccountsAfter: (accountId, limit) =>
      (statement.waitingAccounts.all(accountId, limit) as (DueRow & { account: string })[]).map((row) => ({
        accountId: row.account,
        nextDueAt: timeOf(row.next_due_at),
      })),
    writeHeads: prepareRows(
      database,
      3,
      (rows) => `INSERT INTO ${heads} (account, version, head) VALUES ${rows}
        ON CONFLICT (account) DO UPDATE SET version = excluded.version, head = excluded.head`,
    ),
    writeRecords: prepareRows(
      database,
      recordColumns,
      (rows) => `INSERT INTO ${records} (account, key, due_at, keep_until, value) VALUES ${rows}
        ON CONFLICT (account, key) DO UPDATE SET
          due_at = excluded.due_at, keep_until = excluded.keep_until, value = excluded.value`,
    ),
    writeJournal: prepareRows(
      database,
      4,
      (rows) => `INSERT INTO ${journal} (account, seq, text, hash) VALUES ${rows}`,
    ),
    deleteExpired(before, limit) {
      statement.deleteExpired.run(before, limit)
    },
    firstEntry(accountId) {
      const { seq } = statement.firstEntry.all(accountId)[0] as { seq: number | bigint | null }
      return seq === null ? undefined : BigInt(seq)
    },
    deleteEntries(accountId, throughSeq) {
      statement.deleteEntries.run(accountId, Number(throughSeq))
    },
  }
}

interface AccountRow {
  readonly version: number | bigint
  readonly head: string
  readonly last_seq: number | bigint | null
  readonly next_due_at: number | null
}

interface RecordRow {
  readonly key: string
  readonly value: string
}

interface DueRow {
  readonly next_due_at: number | null
}

interface EntryRow {
  readonly seq: number | bigint
  readonly text: string
  readonly hash: string
}

function accountOf(row: AccountRow): StoredAccount {
  return {
    version: BigInt(row.version),
    head: decodeValue(row.head),
    headChars: row.head.length,
    lastSeq: BigInt(row.last_seq ?? 0),
    nextDueAt: timeOf(row.next_due_at),
  }
}

function recordOf(row: RecordRow): StoredRecord {
  return { key: row.key, value: decodeValue(row.value) }
}

// Built anew: drivers hang members of their own on rows, or give them no prototype.
function entryOf(row: EntryRow): StoredEntry {
  return { seq: BigInt(row.seq), text: row.text, hash: row.hash }
}

function timeOf(column: number | null): number {
  return column ?? Number.POSITIVE_INFINITY
}

const rowsPerStatement = 16

/** Writes many rows with few statements: measured, sixteen rows at once take half the time of sixteen statements. */
function prepareRows(
  database: SqliteDatabase,
  columns: number,
  sql: (rows: string) => string,
): (rows: FlatRows) => void {
  const row = `(${Array<string>(columns).fill('?').join(', ')})`
  const prepare = (count: number): SqliteStatement =>
    database.prepare(sql(Array<string>(count).fill(row).join(', ')))
  const many = prepare(rowsPerStatement)
  const one = prepare(1)
  const manyValues = columns * rowsPerStatement
  return (rows) => {
    let start = 0
    for (; start + manyValues <= rows.length; start += manyValues)
      many.run(...rows.slice(start, start + manyValues))
    for (; start < rows.length; start += columns) one.run(...rows.slice(start, start + columns))
  }
}
