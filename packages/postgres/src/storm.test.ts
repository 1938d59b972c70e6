import type { LedgerStore } from '@farebox/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { book, checkBooked, turn } from '../../testkit/src/load/booking.ts'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { migrate, postgres } from './index.ts'

const instances = [1, 2, 3]

describe.skipIf(!hasPostgres())('a server that fails under load', () => {
  let server: PostgresServer
  const pools: pg.Pool[] = []
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    for (const pool of pools) await pool.end()
    await server.stop()
  })

  /** A store as another process would have it: with a pool and a memory of its own. */
  function another(schema: string, url: string = server.url): LedgerStore {
    const pool = new pg.Pool({ connectionString: url, max: 4 })
    pools.push(pool)
    return postgres(pool, { schema }).ledger
  }

  async function prepare(schema: string): Promise<readonly LedgerStore[]> {
    const pool = new pg.Pool({ connectionString: server.url, max: 1 })
    await migrate(pool, { schema })
    await pool.end()
    return instances.map(() => another(schema))
  }

  it('failure 19: loses and doubles nothing that was answered when the server crashes and comes back', async () => {
    const stores = await prepare('crash')
    const ids = Array.from({ length: 1500 }, (_, index) => `op-${index}`)
    const told = new Set<string>()
    const booking = book(stores, ids, told)
    for (const share of [0.2, 0.5, 0.8]) {
      while (told.size < ids.length * share) await turn()
      await server.restartAfterCrash()
    }
    await booking

    expect(told.size).toBe(ids.length)
    await checkBooked(another('crash'), told)
  })

  it('failure 19: loses and doubles nothing when connections are cut in the middle of their work', async () => {
    const stores = await prepare('cut')
    const ids = Array.from({ length: 1500 }, (_, index) => `op-${index}`)
    const told = new Set<string>()
    const admin = new pg.Pool({ connectionString: server.url, max: 1 })
    pools.push(admin)
    const booking = book(stores, ids, told)
    let cuts = 0
    while (told.size < ids.length) {
      const { rowCount } = await admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle' LIMIT 1`,
      )
      cuts += rowCount ?? 0
      for (const seen = told.size; told.size < Math.min(ids.length, seen + 40); ) await turn()
    }
    await booking

    expect(cuts).toBeGreaterThan(5)
    await checkBooked(another('cut'), told)
  })
})
