import { type Clock, fakeClock, type LedgerStore, type Storage } from '@farebox/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { playHistory } from '../../testkit/src/ledger/index.ts'
import { casePlans, caseStartMs } from '../../testkit/src/ledger/ledger-case.ts'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { seededRandom } from '../../testkit/src/simulation/random.ts'
import {
  type DurableStorageSubject,
  durableKeyCases,
  durableStorageCases,
  keyCases,
  type StorageSubject,
  storageCases,
  trimCases,
} from '../../testkit/src/storage/index.ts'
import { migrate, type PostgresOptions, postgres } from './index.ts'

describe.skipIf(!hasPostgres())('on a real server', () => {
  const schema = 'cases'
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

  function subject(options: PostgresOptions = {}): DurableStorageSubject {
    return {
      async create(clock: Clock) {
        // Emptied, because making the tables anew for every case takes longer than the cases.
        const tables = ['heads', 'records', 'journal', 'documents']
        await pool.query(tables.map((table) => `DELETE FROM ${schema}.${table}`).join('; '))
        let storage: Storage = postgres(pool, { clock, schema, ...options })
        return {
          storage,
          async reopen() {
            await storage.ledger.close()
            storage = postgres(pool, { clock, schema, ...options })
            return storage
          },
          dispose: () => storage.ledger.close(),
        }
      },
    }
  }

  describe('as any storage', () => {
    for (const { name, run } of [...storageCases, ...keyCases, ...trimCases]) it(name, () => run(subject()))
    for (const { name, run } of [...durableStorageCases, ...durableKeyCases]) it(name, () => run(subject()))
  })

  describe('as two processes on one database that are asked in turn', () => {
    const turns: StorageSubject = {
      async create(clock) {
        const { storage, dispose } = await subject().create(clock)
        const other = postgres(pool, { clock, schema })
        return { storage: inTurn(storage, other), dispose }
      },
    }
    for (const { name, run } of storageCases) it(name, () => run(turns))
  })

  it('answers callers of several processes as if they had come one after the other', async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const clock = fakeClock(caseStartMs)
      await subject().create(clock)
      const stores = [1, 2, 3].map(() => postgres(pool, { clock, schema }).ledger)
      await playHistory({ stores, clock, plans: casePlans, random: seededRandom(seed), requests: 6 })
    }
  })

  it('promises what a commit on the disk of the server promises', async () => {
    const { storage } = await subject().create({ now: () => 0 } as Clock)
    await storage.ledger.scan('all', null, 1)

    expect(storage.ledger.traits).toEqual({ durability: 'local-fsync', sharedBy: 'network' })
  })
})

/** Every call goes to the one that the call before did not go to. */
function inTurn(one: Storage, other: Storage): Storage {
  let calls = 0
  const next = (): LedgerStore => (calls++ % 2 === 0 ? one : other).ledger
  return {
    ...one,
    ledger: {
      ...one.ledger,
      transact: (...call) => next().transact(...call),
      journal: (...call) => next().journal(...call),
      scan: (...call) => next().scan(...call),
      async close() {
        await Promise.all([one.ledger.close(), other.ledger.close()])
      },
    },
  }
}
