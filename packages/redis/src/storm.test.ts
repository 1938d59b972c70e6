import assert from 'node:assert/strict'
import {
  createLedger,
  isOutcomeUnknown,
  isUnavailable,
  type LedgerStore,
  nano,
  planPreset,
  systemClock,
} from '@farebox/core'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

  it('failure 5: of two settlements and a release of one hold at once exactly one wins, and all are told the same', async () => {
    const stores = await prepare('resolve')
    const ledgers = stores.map((store) =>
      createLedger({ store, plans: planPreset('hf-latest'), clock: systemClock }),
    )
    const [first] = ledgers
    assert.ok(first)
    const ids = Array.from({ length: 40 }, (_, index) => `hold-${index}`)
    await first.configure({ accountId: 'alice', planId: 'pro' })
    for (const reservationId of ids) {
      await first.reserve({
        accountId: 'alice',
        reservationId,
        amount: nano(1000n),
        timeToLiveMs: 60_000,
        subject: { model: 'model', costProviderIds: [], attemptsMax: 1 },
      })
    }

    const answers = await Promise.all(
      ids.map((reservationId) =>
        Promise.all(
          ledgers.map((ledger, index) =>
            ledger.settle({
              accountId: 'alice',
              reservationId,
              attempts: index === 2 ? [] : [attempt(`${reservationId}.${index}`, BigInt(400 + index))],
            }),
          ),
        ),
      ),
    )

    for (const told of answers) {
      const receipts = told.map((answer) => (answer.outcome === 'settled' ? answer.receipt : undefined))
      expect(receipts[0]).toBeDefined()
      expect(receipts).toEqual([receipts[0], receipts[0], receipts[0]])
    }
    const entries = (await first.journal('alice', 0n, 1000)).filter(
      ({ requestId }) => requestId !== undefined,
    )
    const settled = entries.map(({ requestId }) => requestId)
    expect(new Set(settled).size).toBe(settled.length)
    expect((await first.balance('alice')).held).toBe(0n)
  })

  /** Books every id once, again and again until it is told that it is booked. */
  async function book(
    stores: readonly LedgerStore[],
    ids: readonly string[],
    told: Set<string>,
  ): Promise<void> {
    let next = 0
    const work = async (store: LedgerStore): Promise<void> => {
      for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
        await bookOnce(store, id)
        told.add(id)
      }
    }
    await Promise.all(stores.flatMap((store) => Array.from({ length: 8 }, () => work(store))))
  }

  async function expectBooked(store: LedgerStore, told: ReadonlySet<string>): Promise<void> {
    const booked = await store.transact('alice', [...told], ({ head, records }) => ({
      result: { head, found: records.size },
    }))
    const journal = await store.journal('alice', 0n, 10_000)
    expect(booked).toEqual({ head: told.size, found: told.size })
    expect(new Set(journal.map(({ text }) => text))).toEqual(told)
    expect(journal).toHaveLength(told.size)
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
    await expectBooked(await another('crash'), told)
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
    await expectBooked(await another('cut'), told)
  })
})

async function bookOnce(store: LedgerStore, id: string): Promise<void> {
  for (;;) {
    try {
      await store.transact('alice', [id], ({ head, records }) => {
        if (records.has(id)) return { result: 'booked' }
        const count = Number(head ?? 0) + 1
        return {
          result: 'booked',
          write: {
            head: count,
            put: [{ key: id, value: count, mode: 'create' as const }],
            append: [{ seq: BigInt(count), text: id, hash: id }],
          },
        }
      })
      return
    } catch (error) {
      if (!isUnavailable(error) && !isOutcomeUnknown(error)) throw error
      await turn()
    }
  }
}

/** Lets sockets have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2))
}

function attempt(attemptId: string, cost: bigint) {
  return {
    attemptId,
    providerId: 'provider',
    providerModel: 'model',
    outcome: 'served',
    costSource: 'provider',
    cost: nano(cost),
    payer: 'customer',
  } as const
}
