import type { Key, StoredEntry } from '@farebox/core'
import type { DraftChanges } from '@farebox/core/batching'
import { columnsOf, entryTexts, numbers, recordTexts } from './columns.ts'
import type { Connection } from './connections.ts'
import { type Argument, literals, parameters, valuesOf } from './expressions.ts'
import { type Reading, type ReadingRow, readingOf } from './reading.ts'
import { rowKey } from './row-key.ts'
import { type SharedTables, sharedTables } from './shared-tables.ts'
import {
  lockScript,
  type PurgeArgument,
  type ReadArgument,
  readStatement,
  type WriteArgument,
  type WriteKind,
  writeStatement,
} from './statements.ts'
import type { TableNames } from './table-names.ts'

export interface ReadRequest {
  readonly accountId: string
  readonly keys: readonly Key[]
  /** The host's time, where it gives the clock. */
  readonly now: number
  readonly dueBy: number
  readonly dueMax: number
}

export interface WriteRequest {
  readonly accountId: string
  readonly changes: DraftChanges
  /** Keys that the changes rely on not to exist. */
  readonly absent: readonly Key[]
  readonly now: number
  readonly toleranceMs: number
  /** How many expired records to delete on the way, or none for 0. */
  readonly purgeMax: number
}

export interface WriteAnswer {
  readonly isWritten: boolean
  readonly serverMs: number
}

/** The statements of the store. What they mean is decided elsewhere. Those that do not say otherwise name one account. */
export interface Tables extends SharedTables {
  read(connection: Connection, request: ReadRequest): Promise<Reading>
  /** Compare-and-set, in one statement that is a transaction of its own. */
  write(connection: Connection, request: WriteRequest): Promise<WriteAnswer>
  /** Begins a transaction, waits for the account's turn, and reads it. */
  lockAndRead(connection: Connection, request: ReadRequest): Promise<Reading>
  /** The same compare-and-set as the last statement of the transaction, which ends either way. */
  writeAndCommit(connection: Connection, request: WriteRequest): Promise<WriteAnswer>
  rollBack(connection: Connection): Promise<void>
  readJournal(
    connection: Connection,
    accountId: string,
    afterSeq: bigint,
    limit: number,
  ): Promise<readonly StoredEntry[]>
  /** The number of the first entry that is left. */
  firstEntry(connection: Connection, accountId: string): Promise<bigint | undefined>
  deleteEntries(connection: Connection, accountId: string, firstSeq: bigint, lastSeq: bigint): Promise<void>
  /** Goes through all accounts. */
  accountsAfter(connection: Connection, accountId: string, limit: number): Promise<readonly string[]>
  dueAccountsAfter(
    connection: Connection,
    accountId: string,
    dueBy: number,
    limit: number,
  ): Promise<readonly string[]>
}

export interface TablesOptions {
  readonly names: TableNames
  readonly hasServerTime: boolean
  readonly preparesStatements: boolean
  readonly waitTimeoutMs: number
}

const readTypes = { account: 'text', keys: 'text[]', until: 'double precision', dueMax: 'integer' } as const
const writeTypes = {
  account: 'text',
  from: 'bigint',
  to: 'bigint',
  head: 'text',
  lastSeq: 'bigint',
  now: 'double precision',
  tolerance: 'double precision',
  separator: 'text',
  absent: 'text',
  keys: 'text',
  longKeys: 'text',
  dueAts: 'double precision[]',
  keepUntils: 'double precision[]',
  values: 'text',
  seqs: 'bigint[]',
  texts: 'text',
  hashes: 'text',
} as const
const purgeTypes = { ...writeTypes, purgeMax: 'integer' } as const

export function tables(options: TablesOptions): Tables {
  const { names, preparesStatements, waitTimeoutMs } = options
  const readText = readStatement(options, parameters<ReadArgument>(readTypes))
  const writeTexts: Readonly<Record<WriteKind, string>> = {
    create: writeStatement('create', options, parameters<WriteArgument>(writeTypes)),
    update: writeStatement('update', options, parameters<WriteArgument>(writeTypes)),
    purge: writeStatement('purge', options, parameters<PurgeArgument>(purgeTypes)),
  }
  const prepared = (name: string): { name?: string } =>
    preparesStatements ? { name: `${names.schema}_${name}_2` } : {}
  const query = (connection: Connection, text: string, values: unknown[]) =>
    connection.query({ text, values })

  return {
    ...sharedTables(options),
    async read(connection, request) {
      const args = readArguments(request)
      const rows = await connection.query({ text: readText, values: valuesOf(args), ...prepared('read') })
      return readingOf(rows as ReadingRow[], request)
    },
    async write(connection, request) {
      const kind = kindOf(request)
      const values = valuesOf(writeArguments(request, kind))
      return answerOf(await connection.query({ text: writeTexts[kind], values, ...prepared(kind) }))
    },
    async lockAndRead(connection, request) {
      const argument = literals(readArguments(request))
      const lock = lockScript(names, { account: argument.account, waitTimeoutMs })
      const results = await connection.script(`${lock}; ${readStatement(options, argument)}`)
      return readingOf((results.at(-1)?.rows ?? []) as ReadingRow[], request)
    },
    async writeAndCommit(connection, request) {
      const kind = kindOf(request)
      const text = writeStatement(kind, options, literals(writeArguments(request, kind)))
      const [written, committed] = await connection.script(`${text}; COMMIT`)
      // A commit that could not be made says so without an error.
      const answer = answerOf(written?.rows ?? [])
      return { ...answer, isWritten: answer.isWritten && committed?.command === 'COMMIT' }
    },
    async rollBack(connection) {
      await connection.script('ROLLBACK')
    },
    async readJournal(connection, accountId, afterSeq, limit) {
      const rows = (await query(
        connection,
        `SELECT seq, text, hash FROM ${names.journal} WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
        [accountId, String(afterSeq), limit],
      )) as { seq: string | number | bigint; text: string; hash: string }[]
      return rows.map(({ seq, text, hash }) => ({ seq: BigInt(seq), text, hash }))
    },
    async firstEntry(connection, accountId) {
      const text = `SELECT seq FROM ${names.journal} WHERE account = $1 ORDER BY seq LIMIT 1`
      const [row] = (await query(connection, text, [accountId])) as { seq: string | number | bigint }[]
      return row === undefined ? undefined : BigInt(row.seq)
    },
    async deleteEntries(connection, accountId, firstSeq, lastSeq) {
      const text = `DELETE FROM ${names.journal} WHERE account = $1 AND seq BETWEEN $2 AND $3`
      await query(connection, text, [accountId, String(firstSeq), String(lastSeq)])
    },
    async accountsAfter(connection, accountId, limit) {
      const text = `SELECT account FROM ${names.heads} WHERE account > $1 ORDER BY account LIMIT $2`
      return accountIds(await query(connection, text, [accountId, limit]))
    },
    async dueAccountsAfter(connection, accountId, dueBy, limit) {
      const text = `SELECT account FROM ${names.records} WHERE account > $1 AND due_at <= $2
        GROUP BY account ORDER BY account LIMIT $3`
      return accountIds(await query(connection, text, [accountId, dueBy, limit]))
    },
  }
}

function kindOf({ changes, purgeMax }: WriteRequest): WriteKind {
  if (changes.from === 0n) return 'create'
  return purgeMax > 0 ? 'purge' : 'update'
}

function readArguments({ accountId, keys, dueBy, dueMax }: ReadRequest): Record<ReadArgument, Argument> {
  return {
    account: { type: readTypes.account, value: accountId },
    keys: { type: readTypes.keys, value: keys.map((key) => rowKey(key).key) },
    until: { type: readTypes.until, value: dueBy },
    dueMax: { type: readTypes.dueMax, value: dueMax },
  }
}

function writeArguments(
  { accountId, changes, absent, now, toleranceMs, purgeMax }: WriteRequest,
  kind: WriteKind,
): Record<PurgeArgument, Argument> {
  const missing = absent.map((key) => rowKey(key).key)
  const { keys, longKeys, values } = recordTexts(changes.puts)
  const { texts, hashes } = entryTexts(changes.entries)
  const { separator, join } = columnsOf([missing, keys, longKeys, texts, hashes])
  const args: Record<WriteArgument, Argument> = {
    account: { type: writeTypes.account, value: accountId },
    from: { type: writeTypes.from, value: String(changes.from) },
    to: { type: writeTypes.to, value: String(changes.to) },
    head: { type: writeTypes.head, value: changes.headText },
    lastSeq: { type: writeTypes.lastSeq, value: String(changes.lastSeq) },
    now: { type: writeTypes.now, value: now },
    tolerance: { type: writeTypes.tolerance, value: toleranceMs },
    separator: { type: writeTypes.separator, value: separator },
    // Twice, because a single empty key would look like none.
    absent: { type: writeTypes.absent, value: join([...missing, ...missing.slice(0, 1)]) },
    keys: { type: writeTypes.keys, value: join(keys) },
    longKeys: { type: writeTypes.longKeys, value: join(longKeys) },
    dueAts: { type: writeTypes.dueAts, value: numbers(changes.puts.map(({ put }) => put.dueAt)) },
    keepUntils: { type: writeTypes.keepUntils, value: numbers(changes.puts.map(({ put }) => put.keepUntil)) },
    values: { type: writeTypes.values, value: join(values) },
    seqs: { type: writeTypes.seqs, value: numbers(changes.entries.map(({ seq }) => seq)) },
    texts: { type: writeTypes.texts, value: join(texts) },
    hashes: { type: writeTypes.hashes, value: join(hashes) },
  }
  return (kind === 'purge' ? { ...args, purgeMax: { type: 'integer', value: purgeMax } } : args) as Record<
    PurgeArgument,
    Argument
  >
}

function answerOf(rows: readonly unknown[]): WriteAnswer {
  const row = rows[0] as { readonly moved: number; readonly ms: number } | undefined
  return { isWritten: Number(row?.moved ?? 0) === 1, serverMs: Number(row?.ms) }
}

function accountIds(rows: readonly unknown[]): readonly string[] {
  return (rows as { readonly account: string }[]).map(({ account }) => account)
}
