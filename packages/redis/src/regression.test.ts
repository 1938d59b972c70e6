import { isUnavailable } from '@farebox/core'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasRedis, type RedisServer, startRedis } from '../../testkit/src/servers/redis.ts'
import { type RedisEvent, type RedisStorage, redis } from './index.ts'
import { keyNames } from './key-names.ts'

type Client = Awaited<ReturnType<typeof connect>>

async function connect(server: RedisServer) {
  const client = createClient({ url: server.url })
  client.on('error', () => {})
  await client.connect()
  return client
}

/** The keys of an account as a replica might have them, and how to make the server have them so. */
async function copyOf(client: Client, keys: readonly string[]): Promise<() => Promise<void>> {
  const { RESP_TYPES } = await import('redis')
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
  const copies = await Promise.all(keys.map((key) => binary.dump(key)))
  return async () => {
    for (const [index, key] of keys.entries()) {
      const copy = copies[index]
      if (copy == null) await client.del(key)
      else await binary.restore(key, 0, copy as unknown as string, { REPLACE: true })
    }
  }
}

/** Numbers that look like chance and are the same each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe.skipIf(!hasRedis())('a server that forgets at random', () => {
  let server: RedisServer
  let client: Client
  beforeAll(async () => {
    server = await startRedis()
    client = await connect(server)
  })
  afterAll(async () => {
    client.destroy()
    await server.stop()
  })

  it.each([1, 2, 3, 4, 5, 6])(
    'failure 19: never shows a process less than it has seen (seed %i)',
    async (seed) => {
      const next = numbers(seed)
      const prefix = `forgets-${seed}`
      const keys = Object.values(keyNames(prefix).of('alice'))
      const events: RedisEvent[] = []
      const processes: RedisStorage[] = [1, 2, 3].map(() =>
        redis(client, { prefix, onEvent: (event) => events.push(event) }),
      )
      const seen = processes.map(() => 0)
      let copies = [await copyOf(client, keys)]

      const step = async (index: number): Promise<'served' | 'refused'> => {
        const { ledger } = processes[index] as RedisStorage
        try {
          const total = await ledger.transact('alice', [], (cut) => {
            const count = Number(cut.head ?? 0) + 1
            const put = [{ key: `op:${count}`, value: count, mode: 'create' as const }]
            const append = [{ seq: BigInt(count), text: String(count), hash: 'h' }]
            return { result: count, write: { head: count, put, append } }
          })
          expect(total).toBeGreaterThan(seen[index] ?? 0)
          seen[index] = total
          return 'served'
        } catch (error) {
          if (!isUnavailable(error)) throw error
          expect(error.name).toBe('StoreRegressed')
          return 'refused'
        }
      }

      for (let round = 0; round < 120; round += 1) {
        const what = next(10)
        if (what === 0) {
          const lost = 1 + next(3)
          await copies[Math.max(0, copies.length - 1 - lost)]?.()
        } else if ((await step(next(3))) === 'served') {
          copies = [...copies.slice(-6), await copyOf(client, keys)]
        } else if (what === 9) {
          const results = [
            await step(0),
            await step(1),
            await step(2),
            await step(0),
            await step(1),
            await step(2),
          ]
          if (results.includes('served')) continue
          // Nobody has what is missing: a person decides.
          await (processes[next(3)] as RedisStorage).recovery.acceptLoss('alice')
          seen.fill(0)
        }
      }

      const journal = await (processes[0] as RedisStorage).ledger.journal('alice', 0n, 1000)
      expect(journal.map(({ seq }) => Number(seq))).toEqual(journal.map((_, index) => index + 1))
      expect(events.some(({ kind }) => kind === 'account-repaired')).toBe(true)
    },
  )
})
