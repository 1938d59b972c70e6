import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createLedger, nano, planPreset, systemClock } from '@farebox/core'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hasRedis, type RedisServer, startRedis } from '../../testkit/src/servers/redis.ts'
import { redis } from './index.ts'

// These processes run the built package: plain Node knows no TypeScript.
const programs = new URL('./__fixtures__/', import.meta.url)

describe.skipIf(!hasRedis())('several processes on one server', () => {
  let server: RedisServer
  let client: ReturnType<typeof createClient>
  beforeAll(async () => {
    server = await startRedis({ appendonly: 'yes', appendfsync: 'always' })
    client = createClient({ url: server.url })
    client.on('error', () => {})
    await client.connect()
  })
  afterAll(async () => {
    client.destroy()
    await server.stop()
  })

  function start(program: string, prefix: string, ...args: readonly (string | number)[]) {
    const file = fileURLToPath(new URL(program, programs))
    const child = spawn(process.execPath, [file, server.url, prefix, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    return child
  }

  it('failure 1: four processes with 64 requests in flight each spend exactly the credit there is', async () => {
    const { ledger: store } = redis(client, { prefix: 'hot' })
    const ledger = createLedger({ store, plans: planPreset('hf-latest'), clock: systemClock })
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

  it('failure 19: keeps everything a process had answered when it is killed in the middle of writing', async () => {
    const inFlight = 16
    const totals: number[] = []
    const victim = start('increment.js', 'killed', 1_000_000, inFlight)
    const lines = createInterface(victim.stdout)
    lines.on('line', (line) => totals.push(Number(line)))
    while (totals.length < 300) await once(lines, 'line')
    victim.kill('SIGKILL')
    await Promise.all([once(victim, 'close'), once(lines, 'close')])

    const { ledger } = redis(client, { prefix: 'killed' })
    const stored = await ledger.transact('shared', [], ({ head }) => ({ result: Number(head) }))
    const answered = Math.max(...totals)
    expect(stored).toBeGreaterThanOrEqual(answered)
    expect(stored).toBeLessThanOrEqual(answered + inFlight)
  })

  it('failure 1: gives a process its turn while three others write without a pause, also when one is killed', async () => {
    const busy = [1, 2, 3].map(() => start('increment.js', 'busy', 1_000_000, 64))
    for (const child of busy) await once(child.stdout, 'data')
    // Their output has to go somewhere, or they stop.
    for (const child of busy) child.stdout.resume()
    const { ledger } = redis(client, { prefix: 'busy' })
    const increment = () =>
      ledger.transact('shared', [], ({ head }) => ({ result: 'done', write: { head: Number(head) + 1 } }))

    for (let round = 0; round < 5; round += 1) expect(await increment()).toBe('done')
    busy[0]?.kill('SIGKILL')
    for (let round = 0; round < 5; round += 1) expect(await increment()).toBe('done')
  })
})
