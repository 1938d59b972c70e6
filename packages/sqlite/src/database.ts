/** What a column may hold here. Numbers stay within 2^53, whichever way the driver reads integers. */
export type SqliteValue = string | number | null

/** A prepared statement, as all synchronous drivers have it. */
export interface SqliteStatement {
  run(...parameters: SqliteValue[]): unknown
  all(...parameters: SqliteValue[]): unknown[]
}

/**
 * An open database of your own driver: `DatabaseSync` of `node:sqlite`, `Database` of better-sqlite3, or `Database` of
 * libsql. Give the store a handle of its own: its transactions and pragmas belong to the connection.
 */
export interface SqliteDatabase {
  exec(sql: string): unknown
  // Rows are read with `all` alone: some drivers leave a statement open after `get`, which pins an old snapshot.
  prepare(sql: string): SqliteStatement
}
