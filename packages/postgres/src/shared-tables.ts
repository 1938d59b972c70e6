import type { Connection } from './connections.ts'
import { type Reading, type ReadingRow, readingOf } from './reading.ts'
import { rowKey } from './row-key.ts'
import { entryRow, putRow } from './rows.ts'
import { sharedReadStatement, sharedWriteStatement } from './shared-statements.ts'
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
    options.preparesStatements ? { name: `${options.names.schema}_${name}_1` } : {}

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
      const accounts = requests.map(({ accountId, changes, now, toleranceMs }) => ({
        account: accountId,
        from_version: String(changes.from),
        to_version: String(changes.to),
        last_seq: String(changes.lastSeq),
        head: changes.headText,
        now,
        // What JSON has no word for becomes null, which the statement takes for no limit.
        tolerance: toleranceMs,
      }))
      const of = <T>(list: (request: WriteRequest) => readonly T[], row: (item: T) => object): string =>
        JSON.stringify(
          requests.flatMap((request) =>
            list(request).map((item) => ({ account: request.accountId, ...row(item) })),
          ),
        )
      const values = [
        JSON.stringify(accounts),
        of(
          ({ absent }) => absent,
          (key) => ({ key: rowKey(key).key }),
        ),
        of(({ changes }) => changes.puts, putRow),
        of(({ changes }) => changes.entries, entryRow),
      ]
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
