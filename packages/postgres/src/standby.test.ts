import { type Cut, type Decision, isOutcomeUnknown, isUnavailable } from '@farebox/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { migrate, postgres } from './index.ts'

function increment(cut: Cut): Decision<number> {
  const count = Number(cut.head ?? 0) + 1
  return { result: count, write: { head: count } }
}

function look(cut: Cut): Decision<Cut['head']> {
  return { result: cut.head }
}

const pools: pg.Pool[] = []

function poolOf(server: PostgresServer): pg.Pool {
  const pool = new pg.Pool({ connectionString: server.url, max: 4 })
  pool.on('error', () => {})
  pools.push(pool)
  return pool
}

// In this order: at the end there is no primary any more.
describe.skipIf(!hasPostgres())('a primary that answers only when its standby has the write on disk', () => {
  let primary: PostgresServer
  let standby: PostgresServer
  let admin: pg.Pool
  beforeAll(async () => {
    primary = await startPostgres()
    admin = poolOf(primary)
    await migrate(admin)
    standby = await startPostgres({ follows: primary })
    await admin.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`)
    await admin.query('SELECT pg_reload_conf()')
    await isSynchronous()
  })
  afterAll(async () => {
    for (const pool of pools) await pool.end()
    await standby.stop()
    await primary.stop()
  })

  async function isSynchronous(): Promise<void> {
    for (;;) {
      const { rows } = await admin.query('SELECT sync_state FROM pg_stat_replication')
      if (rows.some(({ sync_state }) => sync_state === 'sync')) return
    }
  }

  it('decides nothing on the standby, which may lag behind', async () => {
    await postgres(poolOf(primary)).ledger.transact('carol', [], increment)
    const { ledger } = postgres(poolOf(standby))

    await expect(ledger.transact('carol', [], look)).rejects.toSatisfy(isUnavailable)
    await expect(ledger.transact('carol', [], increment)).rejects.toSatisfy(isUnavailable)
  })

  it('does not know the outcome of a commit that no standby has confirmed, although the server answers it', async () => {
    const { ledger } = postgres(poolOf(primary))
    await ledger.transact('bob', [], increment)
    await standby.crash()

    const written = expect(ledger.transact('bob', [], increment)).rejects.toSatisfy(isOutcomeUnknown)
    for (let cancelled = 0; cancelled === 0; ) {
      const { rowCount } = await admin.query(
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
      )
      cancelled = rowCount ?? 0
    }
    await written
    await standby.start()
    await isSynchronous()
    expect(await ledger.transact('bob', [], increment)).toBe(3)
  })

  it('failure 19: when the primary is lost and the standby takes over, nothing that was answered is missing', async () => {
    const { ledger } = postgres(poolOf(primary))
    const told: number[] = []
    let isUp = true
    const client = async (): Promise<void> => {
      while (isUp) {
        try {
          told.push(await ledger.transact('alice', [], increment))
        } catch (error) {
          expect(isUnavailable(error) || isOutcomeUnknown(error)).toBe(true)
          return
        }
      }
    }
    const clients = Array.from({ length: 16 }, client)
    while (told.length < 300) await new Promise((resolve) => setTimeout(resolve, 2))
    expect(ledger.traits).toEqual({ durability: 'sync-replica', sharedBy: 'network' })

    await primary.crash()
    isUp = false
    await Promise.all(clients)
    await standby.promote()

    const next = postgres(poolOf(standby)).ledger
    const stored = Number(await next.transact('alice', [], look))
    expect(new Set(told).size).toBe(told.length)
    expect(stored).toBeGreaterThanOrEqual(Math.max(...told))
    expect(stored).toBeLessThanOrEqual(Math.max(...told) + 16)
    expect(await next.transact('alice', [], increment)).toBe(stored + 1)
  })
})
