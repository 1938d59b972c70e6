import { type StoreTraits, Unavailable } from '@farebox/core'
import type { Connection } from './connections.ts'
import { isMissingTable, unavailable } from './fault.ts'
import { migrations } from './migrate.ts'
import type { TableNames } from './table-names.ts'

export interface SchemaCheck {
  /** What the server promises of an answered write, as far as it was asked: at least its disk, or the check fails. */
  readonly durability: StoreTraits['durability']
  /** Looks at the server once, and again after it failed. `undefined` when it is known to be fit. */
  ensure(connection: Connection): Promise<void> | undefined
}

export interface SchemaCheckOptions {
  readonly names: TableNames
  readonly acceptsLoss: boolean
}

/** Finds out at first use whether the migrations have run and what a commit is worth. */
export function schemaCheck({ names, acceptsLoss }: SchemaCheckOptions): SchemaCheck {
  let durability: StoreTraits['durability'] = acceptsLoss ? 'none' : 'local-fsync'
  let isFit = false

  async function look(connection: Connection): Promise<void> {
    const promised = promiseOf(await readSettings(connection))
    if (promised === 'none' && !acceptsLoss) throw new Unavailable(lossy)
    checkVersion(await readVersion(connection, names), names.schema)
    durability = promised
    isFit = true
  }

  return {
    get durability() {
      return durability
    },
    ensure: (connection) => (isFit ? undefined : look(connection)),
  }
}

const lossy =
  'The database may forget answered writes: synchronous_commit or fsync is off. Turn it on for the role of the gateway: ' +
  'ALTER ROLE … SET synchronous_commit = on. Or say acceptsLoss: true, where nothing is paid for.'

interface Settings {
  readonly commit: string | null
  readonly standbys: string | null
  readonly fsync: string | null
}

async function readSettings(connection: Connection): Promise<Settings> {
  const rows = await attempt(() =>
    connection.query({
      // A server that is only like PostgreSQL may not know a setting, and gives null.
      text: `SELECT current_setting('synchronous_commit', true) AS commit,
        current_setting('synchronous_standby_names', true) AS standbys, current_setting('fsync', true) AS fsync`,
    }),
  )
  return rows[0] as Settings
}

function promiseOf({ commit, standbys, fsync }: Settings): StoreTraits['durability'] {
  if (commit === 'off' || fsync === 'off') return 'none'
  // With remote_write a standby has the write in memory only, with local it is not waited for at all.
  const isReplicated = Boolean(standbys?.trim()) && (commit === 'on' || commit === 'remote_apply')
  return isReplicated ? 'sync-replica' : 'local-fsync'
}

interface SchemaVersion {
  readonly version: number | null
  readonly readable_from: number | null
}

async function readVersion(
  connection: Connection,
  { migrations: table }: TableNames,
): Promise<SchemaVersion> {
  try {
    const rows = await connection.query({
      text: `SELECT max(version) AS version, max(readable_from) AS readable_from FROM ${table}`,
    })
    return rows[0] as SchemaVersion
  } catch (error) {
    if (isMissingTable(error)) return { version: null, readable_from: null }
    throw unavailable(error)
  }
}

function checkVersion({ version, readable_from }: SchemaVersion, schema: string): void {
  const needed = migrations.length
  const found = Number(version ?? 0)
  if (found < needed) {
    throw new Unavailable(
      `${found === 0 ? `The schema "${schema}" has no tables of Farebox` : `The tables in the schema "${schema}" have version ${found}, this release needs ${needed}`}. ` +
        `Run: npx farebox migrate --postgres <url>${schema === 'farebox' ? '' : ` --schema ${schema}`}`,
    )
  }
  const readableFrom = Number(readable_from ?? 0)
  if (readableFrom > needed) {
    throw new Unavailable(
      `The tables in the schema "${schema}" have version ${found}, made for releases that know version ${readableFrom}; ` +
        `this one knows ${needed}. Update @farebox/postgres.`,
    )
  }
}

async function attempt<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (error) {
    throw unavailable(error)
  }
}
