import {
  checkDocumentKey,
  decodeValue,
  documentText,
  type KeyStore,
  type StoredDocument,
} from '@farebox/core'
import type { Connection, Connections } from './connections.ts'
import { writeFault } from './fault.ts'
import type { TableNames } from './table-names.ts'

const pageMax = 1000

/** Documents in a table of their own. Each statement is a transaction of its own and names one document. */
export function postgresKeys(
  connections: Connections,
  { documents, documentVersions }: TableNames,
): KeyStore {
  const read = (text: string, values: unknown[]): Promise<readonly StoredDocument[]> =>
    connections.read(async (connection) => (await connection.query({ text, values })).map(documentOf))

  return {
    async get(key) {
      checkDocumentKey(key)
      return (await read(`SELECT key, value, version FROM ${documents} WHERE key = $1`, [key]))[0]
    },
    async put(key, value, expectedVersion) {
      const text = documentText(key, value)
      return expectedVersion === null
        ? write(
            connections,
            `INSERT INTO ${documents} (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING RETURNING version`,
            [key, text],
          )
        : write(
            connections,
            `UPDATE ${documents} SET value = $2, version = nextval('${documentVersions}')
              WHERE key = $1 AND version = $3 RETURNING version`,
            [key, text, String(expectedVersion)],
          )
    },
    async delete(key, expectedVersion) {
      checkDocumentKey(key)
      const text = `DELETE FROM ${documents} WHERE key = $1 AND version = $2 RETURNING version`
      return write(connections, text, [key, String(expectedVersion)])
    },
    async list(prefix, cursor, limit) {
      const most = Math.min(Math.max(1, Math.trunc(limit)), pageMax)
      // In the order of the table, all keys with the prefix stand together, from the prefix itself on.
      const text = `SELECT key, value, version FROM ${documents} WHERE key >= $1 ORDER BY key LIMIT $2`
      const found = await read(text, [cursor ?? prefix, most + 1])
      const end = found.findIndex(({ key }) => !key.startsWith(prefix))
      const matching = end === -1 ? found : found.slice(0, end)
      return { documents: matching.slice(0, most), cursor: matching[most]?.key ?? null }
    },
  }
}

/** Whether the statement found its document as expected: then it gives a row. */
function write(connections: Connections, text: string, values: unknown[]): Promise<boolean> {
  return connections.use(async (connection: Connection) => {
    try {
      return (await connection.query({ text, values })).length > 0
    } catch (error) {
      throw writeFault(error)
    }
  })
}

interface Row {
  readonly key: string
  readonly value: string
  readonly version: string | number | bigint
}

function documentOf(row: unknown): StoredDocument {
  const { key, value, version } = row as Row
  return { key, value: decodeValue(value), version: BigInt(version) }
}
