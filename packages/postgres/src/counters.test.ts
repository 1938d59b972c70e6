import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { isUnavailable } from '@farebox/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { one, startMs } from '../../testkit/src/storage/counter-case.ts'
import { counterCases } from '../../testkit/src/storage/index.ts'
import { migrate, postgres } from './index.ts'

describe.skipIf(!hasPostgres())('the counters of a real server', () => {
  const schema = 'counting'
  let server: PostgresServer
  let pool: pg.Pool
  beforeAll(async () => {
    server = await startPostgres()
    pool = new pg.Pool({ connectionString: server.url, max: 10 })
    await migrate(pool, { schema })
  })
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  for (const { name, run } of counterCases) {
    it(name, () =>
      run({
        async create(clock) {
          await pool.query(`DELETE FROM ${schema}.counters`)
          const storage = postgres(pool, { clock, schema })
          return { storage, dispose: () => storage.ledger.close() }
        },
      }),
    )
  }

  it('failure 24: admit exactly the limit between two processes', async () => {
    // The process runs the built package: plain Node knows no TypeScript.
    const program = fileURLToPath(new URL('./__fixtures__/count.js', import.meta.url))
    const admitted = await Promise.all(
      [1, 2].map(() => {
        const child = spawn(process.execPath, [program, server.url, schema, '120', '100'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        onTestFinished(() => void child.kill('SIGKILL'))
        return text(child.stdout)
      }),
    )

    expect(admitted.reduce((sum, part) => sum + Number(part), 0)).toBe(120)
  })

  it('failure 24: see what another process is just counting before they decide', async () => {
    await pool.query(`DELETE FROM ${schema}.counters`)
    const { counters } = postgres(pool, { schema })
    const take = () => counters?.take({ accountId: 'alice', nowMs: startMs, counts: [one('a', 2)] })
    await take()
    const other = await pool.connect()
    await other.query(`BEGIN; SELECT 1 FROM ${schema}.counters FOR UPDATE`)
    await other.query(`UPDATE ${schema}.counters SET amount = 2 WHERE amount = 1`)
    const taking = take()
    await expect
      .poll(async () => {
        const { rows } = await pool.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)
        return rows.length
      })
      .toBeGreaterThan(0)
    await other.query('COMMIT')
    other.release()

    expect(await taking).toEqual({ isTaken: false, counts: [{ before: 2, taken: 0 }] })
  })

  it('are exact also where the server isolates transactions more than usual', async () => {
    const strict = new pg.Pool({
      connectionString: server.url,
      max: 4,
      options: '-c default_transaction_isolation=serializable',
    })
    onTestFinished(() => strict.end())
    const { counters } = postgres(strict, { schema })
    const take = () =>
      counters?.take({ accountId: 'strict', nowMs: startMs, counts: [one('a', 5), one('b', 9)] })

    const answers = await Promise.all(Array.from({ length: 12 }, take))
    expect(answers.filter((answer) => answer?.isTaken).length).toBe(5)
  })

  it('let go of what is over, of all accounts', async () => {
    const { counters } = postgres(pool, { schema })
    await pool.query(`DELETE FROM ${schema}.counters`)
    for (let minute = 0; minute < 300; minute += 1) {
      const nowMs = startMs + minute * 60_000
      const count = one(`requests@${minute}`, 5, { untilMs: nowMs + 60_000 })
      await counters?.take({ accountId: `account-${minute % 7}`, nowMs, counts: [count] })
    }

    const { rows } = await pool.query(`SELECT counter FROM ${schema}.counters`)
    expect(rows.length).toBeLessThan(60)
  })

  it('are unavailable before the tables are there', async () => {
    const { counters } = postgres(pool, { schema: 'nowhere' })

    await expect(
      counters?.take({ accountId: 'alice', nowMs: startMs, counts: [one('a', 1)] }),
    ).rejects.toSatisfy(isUnavailable)
  })
})
