import type { Storage } from '@farebox/core'
import { type PostgresPool, postgres } from '@farebox/postgres'
import { requireDriver } from './require-driver.ts'
import { UsageError } from './terminal.ts'

type Pool = PostgresPool & { end(): Promise<void> }

interface Driver {
  readonly Pool: new (options: object) => Pool
}

export interface PostgresDatabase {
  readonly url: string
  readonly schema: string
  /** Where the host's packages are looked for. */
  readonly folder: string
}

/** What a database's schema is called unless a call says otherwise. */
export const usualSchema: string = 'farebox'

/**
 * Opens a database of `@farebox/postgres` by the driver of the host.
 *
 * @throws UsageError when the schema cannot be one. @throws CommandError when there is no driver.
 */
export function openPostgres({ url, schema, folder }: PostgresDatabase): {
  readonly pool: Pool
  readonly storage: Storage
  close(): Promise<void>
} {
  const { Pool } = requireDriver('pg', folder) as Driver
  const pool = new Pool({
    connectionString: url,
    max: 2,
    connectionTimeoutMillis: 10_000,
    application_name: 'farebox',
  })
  try {
    // Looking at what is there risks nothing, whatever the server promises of writes.
    return { pool, storage: postgres(pool, { schema, acceptsLoss: true }), close: () => pool.end() }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}
