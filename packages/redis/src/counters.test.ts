import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { isUnavailable } from '@farebox/core'
import { createClient } from 'redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasRedis, startRedis } from '../../testkit/src/servers/redis.ts'
import { one, startMs } from '../../testkit/src/storage/counter-case.ts'
import { counterCases, type StorageSubject } from '../../testkit/src/storage/index.ts'
import { startedCluster, startedServer } from './__fixtures__/started.ts'
import { redis } from './index.ts'

describe.skipIf(!hasRedis())('the counters of one server', () => {
  // As a host sets up a cache: the ledger would refuse such a server.
  const started = startedServer({ 'maxmemory-policy': 'allkeys-lru' })
  let count = 0

  const subject: StorageSubject = {
    async create(clock) {
      count += 1
      const storage = redis(started.client, { clock, prefix: `counters-${count}` })
      return { storage, dispose: () => storage.ledger.close() }
    },
  }
  for (const { name, run } of counterCases) it(name, () => run(subject))

  it('failure 24: admit exactly the limit between two processes', async () => {
    // The process runs the built package: plain Node knows no TypeScript.
    const program = fileURLToPath(new URL('./__fixtures__/count.js', import.meta.url))
    const admitted = await Promise.all(
      [1, 2].map(() => {
        const child = spawn(process.execPath, [program, started.server.url, 'two', '300', '250'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        onTestFinished(() => void child.kill('SIGKILL'))
        return text(child.stdout)
      }),
    )

    expect(admitted.reduce((sum, part) => sum + Number(part), 0)).toBe(300)
  })

  it('all expire by themselves, soon after they are over', async () => {
    const { counters } = redis(started.client, { prefix: 'expiring' })
    const counts = [one('window', 5), one('slots', 5, { holder: 'r', untilMs: startMs + 90_000 })]
    await counters.take({ accountId: 'alice', nowMs: startMs, counts })
    await counters.take({
      accountId: 'alice',
      nowMs: startMs,
      counts: [one('slots', 5, { holder: 's', untilMs: startMs + 30_000 })],
    })
    await counters.giveBack({ accountId: 'alice', counts: [{ name: 'window', amount: 1 }] })

    const keys = await started.client.keys('{expiring:alice}:*')
    expect(keys.toSorted()).toEqual(['{expiring:alice}:count:slots', '{expiring:alice}:count:window'])
    const [slots = 0, window = 0] = await Promise.all(keys.toSorted().map((key) => started.client.pTTL(key)))
    expect(window).toBeGreaterThan(60_000)
    expect(window).toBeLessThanOrEqual(70_000)
    expect(slots).toBeGreaterThan(90_000)
    expect(slots).toBeLessThanOrEqual(100_000)
  })

  it('are unavailable while the server is away, after a second at most', async () => {
    const other = await startRedis()
    const lost = createClient({ url: other.url, socket: { reconnectStrategy: false } })
    lost.on('error', () => {})
    await lost.connect()
    await other.stop()
    const { counters } = redis(lost, { prefix: 'lost' })

    const since = performance.now()
    await expect(
      counters.take({ accountId: 'alice', nowMs: startMs, counts: [one('a', 1)] }),
    ).rejects.toSatisfy((error) => isUnavailable(error) || (error as Error).name === 'OutcomeUnknown')
    expect(performance.now() - since).toBeLessThan(5000)
  })
})

describe.skipIf(!hasRedis())('the counters of a cluster of three nodes', () => {
  const started = startedCluster()
  let count = 0

  for (const { name, run } of counterCases) {
    it(name, () =>
      run({
        async create(clock) {
          count += 1
          const storage = redis(started.client, { clock, prefix: `counters-${count}` })
          return { storage, dispose: () => storage.ledger.close() }
        },
      }),
    )
  }

  it('have a node for each account, whatever its counters are called', async () => {
    const { counters } = redis(started.client, { prefix: 'spread' })
    const accounts = Array.from({ length: 30 }, (_, index) => `account-${index}`)
    const counts = ['a', '{b}', 'c}', 'key:{x}:1'].map((name) => one(name, 1))

    const answers = await Promise.all(
      accounts.map((accountId) => counters.take({ accountId, nowMs: startMs, counts })),
    )
    expect(answers.every(({ isTaken }) => isTaken)).toBe(true)
  })
})
