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
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

  /** Books every id once, again and again until it is told that it is booked. Gives those it was told of. */
  async function book(
    stores: readonly LedgerStore[],
    ids: readonly string[],
    told: Set<string>,
  ): Promise<void> {
    let next = 0
    const client = async (store: LedgerStore): Promise<void> => {
      for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
        await bookOnce(store, id)
        told.add(id)
      }
    }
    await Promise.all(stores.flatMap((store) => Array.from({ length: 8 }, () => client(store))))
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
    const ids = Array.from({ length: 1500 }, (_, index) => `op-${index}`)
    const told = new Set<string>()
    const booking = book(stores, ids, told)
    for (const share of [0.2, 0.5, 0.8]) {
      while (told.size < ids.length * share) await turn()
      await server.restartAfterCrash()
    }
    await booking

    expect(told.size).toBe(ids.length)
    await expectBooked(another('crash'), told)
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
    await expectBooked(another('cut'), told)
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
