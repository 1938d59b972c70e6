import { readFileSync } from 'node:fs'
import type { PostgresClient, PostgresPool } from './pool.ts'
import { sqlState } from './sql-state.ts'
import { tableNames } from './table-names.ts'

/** One step from an older form of the tables to the next. */
export interface Migration {
  readonly version: number
  /** Its file in the folder `migrations` of this package. */
  readonly name: string
  /** Plain SQL for the schema `farebox`. Every statement may run again. */
  readonly sql: string
}

/** All migrations, in their order. For hosts that run them with a tool of their own. */
export const migrations: readonly Migration[] = ['0001-accounts.sql', '0002-counters.sql'].map(
  (name, index) => ({
    version: index + 1,
    name,
    // Read when it is asked for: a server that was bundled into one file has no such folder, and does not need it.
    get sql() {
      return readFileSync(new URL(`../migrations/${name}`, import.meta.url), 'utf8')
    },
  }),
)

export interface MigrateOptions {
  /** The schema to make the tables in; it is created when it is missing. @default 'farebox' */
  readonly schema?: string
}

/**
 * Runs the migrations that have not run yet and gives their names. Several processes may do so at once.
 *
 * Migrations only add, so servers of the release before go on beside them.
 *
 * @throws Error of the database as it is, when a statement fails; what ran before it stays, and the next call goes on.
 */
export async function migrate(
  pool: Pick<PostgresPool, 'connect'>,
  { schema = 'farebox' }: MigrateOptions = {},
): Promise<readonly string[]> {
  const { migrations: table } = tableNames(schema)
  const client = await pool.connect()
  const onError = (): void => {}
  // An error that nobody hears ends the process; the statement under way fails with it as well.
  client.on('error', onError)
  let isBroken = true
  try {
    const pending = migrations.slice(await versionOf(client, table))
    for (const { sql } of pending) {
      for (const statement of statementsOf(sql, schema)) await runOnce(client, statement, schema)
    }
    isBroken = false
    return pending.map(({ name }) => name)
  } finally {
    client.removeListener('error', onError)
    client.release(isBroken)
  }
}

async function versionOf(client: PostgresClient, table: string): Promise<number> {
  try {
    const { rows } = await client.query({ text: `SELECT max(version) AS version FROM ${table}` })
    return Number((rows[0] as { version: number | null }).version ?? 0)
  } catch (error) {
    if (/^(42P01|3F000)$/.test(sqlState(error) ?? '')) return 0
    throw error
  }
}

/** One by one and not as a script: a script is one transaction, and not every server makes all of this in one. */
function statementsOf(sql: string, schema: string): readonly string[] {
  return sql
    .replace(/^--.*$/gm, '')
    .replaceAll('farebox.', `${schema}.`)
    .replace('SCHEMA IF NOT EXISTS farebox', `SCHEMA IF NOT EXISTS ${schema}`)
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}

const runsMax = 5

/** Two that make the same table at once: one of them fails although the table is there, and finds it when it tries again. */
async function runOnce(client: PostgresClient, statement: string, schema: string): Promise<void> {
  // Who may not create schemas may still have been given this one.
  if (statement.startsWith('CREATE SCHEMA') && (await hasSchema(client, schema))) return
  for (let run = 1; ; run += 1) {
    try {
      await client.query({ text: statement })
      return
    } catch (error) {
      if (run >= runsMax || !/^(23505|42P07|42710|42P06|40001|XX000)$/.test(sqlState(error) ?? ''))
        throw error
    }
  }
}

async function hasSchema(client: PostgresClient, schema: string): Promise<boolean> {
  const text = 'SELECT 1 FROM information_schema.schemata WHERE schema_name = $1'
  return (await client.query({ text, values: [schema] })).rows.length > 0
}
