import {
  checkDocumentKey,
  decodeValue,
  documentText,
  type KeyStore,
  type StoredDocument,
} from '@farebox/core'
import type { ChangesBeside } from './changes-beside.ts'
import type { SqliteDatabase, SqliteStatement } from './database.ts'
import type { SchemaOptions } from './schema.ts'
import { inTransaction } from './transaction.ts'
import { whenUnlocked } from './when-unlocked.ts'

const pageMax = 1000

/** Documents in a table of their own. Writes are few, so each has a commit of its own and waits for the disk. */
export function sqliteKeys(
  database: SqliteDatabase,
  { prefix, busyTimeoutMs }: SchemaOptions,
  beside: ChangesBeside,
): KeyStore {
  // Prepared at the first use: a read-only file from before there were documents lacks the table.
  let prepared: Statements | undefined
  const statements = (): Statements => {
    prepared ??= prepare(database, `${prefix}documents`)
    return prepared
  }
  const read = (query: (statements: Statements) => readonly unknown[]) =>
    whenUnlocked(() => (query(statements()) as readonly Row[]).map(documentOf), busyTimeoutMs)
  const write = (query: (statements: Statements) => readonly unknown[]) =>
    whenUnlocked(
      () =>
        beside.during(() => inTransaction(database, 'BEGIN IMMEDIATE', () => query(statements()).length > 0)),
      busyTimeoutMs,
    )

  return {
    async get(key) {
      checkDocumentKey(key)
      return (await read(({ one }) => one.all(key)))[0]
    },
    async put(key, value, expectedVersion) {
      const text = documentText(key, value)
      return expectedVersion === null
        ? write(({ create }) => create.all(key, text))
        : write(({ replace }) => replace.all(key, text, key, Number(expectedVersion)))
    },
    async delete(key, expectedVersion) {
      checkDocumentKey(key)
      return write((prepared) => prepared.delete.all(key, Number(expectedVersion)))
    },
    async list(prefix, cursor, limit) {
      const most = Math.min(Math.max(1, Math.trunc(limit)), pageMax)
      // In the order of the table, all keys with the prefix stand together, from the prefix itself on.
      const found = await read(({ from }) => from.all(cursor ?? prefix, most + 1))
      const end = found.findIndex(({ key }) => !key.startsWith(prefix))
      const documents = end === -1 ? found : found.slice(0, end)
      return { documents: documents.slice(0, most), cursor: documents[most]?.key ?? null }
    },
  }
}

interface Statements {
  readonly one: SqliteStatement
  readonly from: SqliteStatement
  readonly create: SqliteStatement
  readonly replace: SqliteStatement
  readonly delete: SqliteStatement
}

/** What a write changed is read from the rows it returns: drivers count changes each in their own way. */
function prepare(database: SqliteDatabase, table: string): Statements {
  return {
    one: database.prepare(`SELECT key, value, version FROM ${table} WHERE key = ?`),
    from: database.prepare(`SELECT key, value, version FROM ${table} WHERE key >= ? ORDER BY key LIMIT ?`),
    create: database.prepare(
      `INSERT INTO ${table} (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING RETURNING version`,
    ),
    // Deletes the row and inserts another one, which gets the next version.
    replace: database.prepare(
      `INSERT OR REPLACE INTO ${table} (key, value)
        SELECT ?, ? WHERE EXISTS (SELECT 1 FROM ${table} WHERE key = ? AND version = ?) RETURNING version`,
    ),
    delete: database.prepare(`DELETE FROM ${table} WHERE key = ? AND version = ? RETURNING version`),
  }
}

interface Row {
  readonly key: string
  readonly value: string
  readonly version: number | bigint
}

function documentOf({ key, value, version }: Row): StoredDocument {
  return { key, value: decodeValue(value), version: BigInt(version) }
}
