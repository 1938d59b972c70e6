import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createLedger, nano, planPreset, systemClock } from '@farebox/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { migrate, postgres } from './index.ts'

// These processes run the built package: plain Node knows no TypeScript.
const programs = new URL('./__fixtures__/', import.meta.url)

describe.skipIf(!hasPostgres())('several processes on one database', () => {
  let server: PostgresServer
  let pool: pg.Pool
  beforeAll(async () => {
    server = await startPostgres()
    pool = new pg.Pool({ connectionString: server.url, max: 10 })
  })
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  function start(program: string, schema: string, ...args: readonly (string | number)[]) {
    const file = fileURLToPath(new URL(program, programs))
    const child = spawn(process.execPath, [file, server.url, schema, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    return child
  }

  function ledgerOf(schema: string) {
    const { ledger: store } = postgres(pool, { schema })
    return createLedger({ store, plans: planPreset('hf-latest'), clock: systemClock })
  }

  it('failure 1: four processes with 64 requests in flight each spend exactly the credit there is', async () => {
    await migrate(pool, { schema: 'hot' })
    const ledger = ledgerOf('hot')
    const affordable = 600
    await ledger.configure({ accountId: 'hot', planId: 'free' })
    await ledger.grant({ accountId: 'hot', grantId: 'g', amount: nano(BigInt(affordable) * 1000n) })

    const answers = await Promise.all(
      [1, 2, 3, 4].map((index) => text(start('spend.js', 'hot', `p${index}`, 250, 64).stdout)),
    )

    const counts = answers.map((answer) => JSON.parse(answer) as { paid: number; refused: number })
    expect(counts.reduce((sum, { paid }) => sum + paid, 0)).toBe(affordable)
    expect(counts.reduce((sum, { refused }) => sum + refused, 0)).toBe(1000 - affordable)
    const balance = await ledger.balance('hot')
    expect([balance.spendable, balance.held]).toEqual([0n, 0n])
    expect((await ledger.audit('hot')).findings).toEqual([])
  })

  it('failure 21: many writers of one account never lock one another out', async () => {
    const { rows } = await pool.query('SELECT sum(deadlocks)::integer AS deadlocks FROM pg_stat_database')

    expect(rows).toEqual([{ deadlocks: 0 }])
    expect(server.log()).not.toContain('deadlock detected')
  })

  it('failure 19: keeps everything a process had answered when it is killed in the middle of writing', async () => {
    await migrate(pool, { schema: 'killed' })
    const inFlight = 16
    const totals: number[] = []
    const victim = start('increment.js', 'killed', 1_000_000, inFlight)
    const lines = createInterface(victim.stdout)
    lines.on('line', (line) => totals.push(Number(line)))
    while (totals.length < 300) await once(lines, 'line')
    victim.kill('SIGKILL')
    await Promise.all([once(victim, 'close'), once(lines, 'close')])

    const { ledger } = postgres(pool, { schema: 'killed' })
    const stored = await ledger.transact('shared', [], ({ head }) => ({ result: Number(head) }))
    const answered = Math.max(...totals)
    expect(stored).toBeGreaterThanOrEqual(answered)
    expect(stored).toBeLessThanOrEqual(answered + inFlight)
  })

  it('failure 1: lets a process in while three others write without a pause', async () => {
    await migrate(pool, { schema: 'busy' })
    const busy = [1, 2, 3].map(() => start('increment.js', 'busy', 1_000_000, 64))
    for (const child of busy) await once(child.stdout, 'data')
    // Their output has to go somewhere, or they stop.
    for (const child of busy) child.stdout.resume()

    const guest = await text(start('increment.js', 'busy', 30, 1).stdout)

    expect(guest.trim().split('\n')).toHaveLength(30)
  })
})
