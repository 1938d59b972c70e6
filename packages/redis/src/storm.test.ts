import type { LedgerStore } from '@farebox/core'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { book, checkBooked, turn } from '../../testkit/src/load/booking.ts'
import { hasRedis, type RedisServer, startRedis } from '../../testkit/src/servers/redis.ts'
import { redis } from './index.ts'

const instances = [1, 2, 3]

describe.skipIf(!hasRedis())('a server that fails under load', () => {
  let server: RedisServer
  const clients: { destroy(): void }[] = []
  beforeAll(async () => {
    server = await startRedis({ appendonly: 'yes', appendfsync: 'always' })
  })
  afterAll(async () => {
    for (const client of clients) client.destroy()
    await server.stop()
  })

  /** A store as another process would have it: with a connection and a memory of its own. */
  async function another(prefix: string): Promise<LedgerStore> {
    const client = createClient({ url: server.url, socket: { reconnectStrategy: 10 } })
    client.on('error', () => {})
    await client.connect()
    clients.push(client)
    return redis(client, { prefix }).ledger
  }

  function prepare(prefix: string): Promise<readonly LedgerStore[]> {
    return Promise.all(instances.map(() => another(prefix)))
  }

  it('failure 19: loses and doubles nothing that was answered when the server crashes and comes back', async () => {
    const stores = await prepare('crash')
    const ids = Array.from({ length: 900 }, (_, index) => `op-${index}`)
    const told = new Set<string>()
    const booking = book(stores, ids, told)
    for (const share of [0.2, 0.5, 0.8]) {
      while (told.size < ids.length * share) await turn()
      await server.crash()
      await server.start()
    }
    await booking

    expect(told.size).toBe(ids.length)
    await checkBooked(await another('crash'), told)
  })

  it('failure 20: loses and doubles nothing when connections are cut in the middle of their work and scripts are flushed', async () => {
    const stores = await prepare('cut')
    const ids = Array.from({ length: 900 }, (_, index) => `op-${index}`)
    const told = new Set<string>()
    const booking = book(stores, ids, told)
    let cuts = 0
    while (told.size < ids.length) {
      cuts += Number((await server.ask('CLIENT', 'KILL', 'TYPE', 'normal')).slice(1, -2))
      await server.ask('SCRIPT', 'FLUSH')
      for (const seen = told.size; told.size < Math.min(ids.length, seen + 60); ) await turn()
    }
    await booking

    expect(cuts).toBeGreaterThan(10)
    await checkBooked(await another('cut'), told)
  })
})
