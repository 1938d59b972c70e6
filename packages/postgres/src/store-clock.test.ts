import type { Cut, Decision } from '@farebox/core'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { migrate, postgres } from './index.ts'

function stamp(cut: Cut): Decision<number> {
  return { result: cut.now, write: { head: cut.now } }
}

describe.skipIf(!hasPostgres())('the time of the store', () => {
  let server: PostgresServer
  let pool: pg.Pool
  beforeAll(async () => {
    server = await startPostgres()
    pool = new pg.Pool({ connectionString: server.url, max: 3 })
    await migrate(pool)
  })
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  async function serverMs(): Promise<number> {
    const { rows } = await pool.query(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::double precision AS ms',
    )
    return rows[0].ms
  }

  it('is the server’s, whatever this machine takes the time to be', async () => {
    vi.spyOn(Date, 'now').mockReturnValue(0)
    const { ledger } = postgres(pool)

    for (let round = 0; round < 3; round += 1) {
      const before = await serverMs()
      const now = await ledger.transact('alice', [], stamp)
      // Counting on starts when an answer has come, which was a moment after the server looked at its clock.
      expect(now).toBeGreaterThan(before - 10_000)
      expect(now).toBeLessThanOrEqual(await serverMs())
    }
  })

  it('is asked for anew when this process has counted on wrongly, as after a sleep', async () => {
    const { ledger } = postgres(pool)
    await ledger.transact('bob', [], stamp)
    const real = performance.now.bind(performance)
    for (const jumpMs of [3_600_000, -3_600_000]) {
      vi.spyOn(performance, 'now').mockImplementation(() => real() + jumpMs)
      const seen: number[] = []

      const now = await ledger.transact('bob', [], (cut) => {
        seen.push(cut.now)
        return stamp(cut)
      })

      expect(seen).toHaveLength(2)
      expect(Math.abs((seen[0] ?? 0) - now)).toBeGreaterThan(3_000_000)
      expect(Math.abs((await serverMs()) - now)).toBeLessThan(10_000)
    }
  })

  it('needs no way to the server of its own', async () => {
    const { ledger } = postgres(pool)
    await ledger.transact('carol', [], stamp)
    const query = vi.spyOn(pg.Client.prototype, 'query')

    await ledger.transact('carol', [], stamp)

    expect(query).toHaveBeenCalledTimes(1)
  })

  it('finds what became due meanwhile, also on an account that it remembers', async () => {
    const { ledger } = postgres(pool)
    const dueAt = (await serverMs()) + 50
    await ledger.transact('dave', [], () => ({
      result: 0,
      write: { head: 1, put: [{ key: 'hold', value: 1, mode: 'create', dueAt }] },
    }))
    let due = 0
    let looks = 0
    for (; due === 0; looks += 1) {
      due = await ledger.transact('dave', [], (cut) => ({ result: cut.due.length, write: { head: 2 } }))
    }

    expect(await serverMs()).toBeGreaterThanOrEqual(dueAt)
    expect(looks).toBeLessThan(10_000)
  })
})
