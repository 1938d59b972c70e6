import { columnsOf, entryTexts, numbers, recordTexts } from './columns.ts'
import type { Connection } from './connections.ts'
import { type Reading, type ReadingRow, readingOf } from './reading.ts'
import { rowKey } from './row-key.ts'
import {
  type SharedWriteColumn,
  sharedReadStatement,
  sharedWriteColumns,
  sharedWriteStatement,
} from './shared-statements.ts'
import type { StatementOptions } from './statements.ts'
import type { ReadRequest, WriteRequest } from './tables.ts'

/** The statements that name several accounts. */
export interface SharedTables {
  /** One reading for each request, in their order. */
  readTogether(connection: Connection, requests: readonly ReadRequest[]): Promise<readonly Reading[]>
  /** Compare-and-set of each account by itself. Gives those that were written. */
  writeTogether(connection: Connection, requests: readonly WriteRequest[]): Promise<SharedWriteAnswer>
}

export interface SharedWriteAnswer {
  readonly written: ReadonlySet<string>
  /** Only told with an account that was written. */
  readonly serverMs: number | undefined
}

export function sharedTables(
  options: StatementOptions & { readonly preparesStatements: boolean },
): SharedTables {
  const readText = sharedReadStatement(options)
  const writeText = sharedWriteStatement(options)
  const prepared = (name: string): { name?: string } =>
    options.preparesStatements ? { name: `${options.names.schema}_${name}_2` } : {}

  return {
    async readTogether(connection, requests) {
      const dueMax = requests.reduce((most, request) => Math.max(most, request.dueMax), 1)
      const accounts = requests.map(({ accountId, keys, dueBy }) => ({
        account: accountId,
        keys: keys.map((key) => rowKey(key).key),
        until: dueBy,
      }))
      const values = [JSON.stringify(accounts), dueMax]
      const rows = await connection.query({ text: readText, values, ...prepared('read_shared') })
      const byAccount = new Map<string, ReadingRow[]>(requests.map(({ accountId }) => [accountId, []]))
      for (const row of rows as (ReadingRow & { account: string })[]) byAccount.get(row.account)?.push(row)
      return requests.map(({ accountId, keys }) =>
        readingOf(byAccount.get(accountId) ?? [], { keys, dueMax }),
      )
    },
    async writeTogether(connection, requests) {
      const values = writeValues(requests)
      const rows = (await connection.query({
        text: writeText,
        values,
        ...prepared('write_shared'),
      })) as { account: string; ms: number }[]
      return {
        written: new Set(rows.map(({ account }) => account)),
        serverMs: rows[0] && Number(rows[0].ms),
      }
    },
  }
}

function writeValues(requests: readonly WriteRequest[]): string[] {
  const places = <T>(list: (request: WriteRequest) => readonly T[]): string =>
    // As the server counts them.
    numbers(requests.flatMap((request, index) => list(request).map(() => index + 1)))
  const puts = requests.flatMap(({ changes }) => changes.puts)
  const entries = requests.flatMap(({ changes }) => changes.entries)
  const accounts = requests.map(({ accountId }) => accountId)
  const heads = requests.map(({ changes }) => changes.headText)
  const absentKeys = requests.flatMap(({ absent }) => absent.map((key) => rowKey(key).key))
  const { keys, longKeys, values } = recordTexts(puts)
  const { texts, hashes } = entryTexts(entries)
  const { separator, join } = columnsOf([accounts, absentKeys, keys, longKeys, texts, hashes])
  const columns: Record<SharedWriteColumn, string> = {
    separator,
    accounts: join(accounts),
    fromVersions: numbers(requests.map(({ changes }) => changes.from)),
    toVersions: numbers(requests.map(({ changes }) => changes.to)),
    lastSeqs: numbers(requests.map(({ changes }) => changes.lastSeq)),
    heads: join(heads),
    nows: numbers(requests.map(({ now }) => now)),
    tolerances: numbers(requests.map(({ toleranceMs }) => toleranceMs)),
    absentPlaces: places(({ absent }) => absent),
    absentKeys: join(absentKeys),
    recordPlaces: places(({ changes }) => changes.puts),
    keys: join(keys),
    longKeys: join(longKeys),
    dueAts: numbers(puts.map(({ put }) => put.dueAt)),
    keepUntils: numbers(puts.map(({ put }) => put.keepUntil)),
    values: join(values),
    entryPlaces: places(({ changes }) => changes.entries),
    seqs: numbers(entries.map(({ seq }) => seq)),
    texts: join(texts),
    hashes: join(hashes),
  }
  return sharedWriteColumns.map(([name]) => columns[name])
}
