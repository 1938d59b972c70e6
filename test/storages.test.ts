import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStorage } from '@farebox/core'
import { migrate, postgres } from '@farebox/postgres'
import { redis } from '@farebox/redis'
import { sqlite } from '@farebox/sqlite'
import { type LedgerSubject, ledgerCases, registerLedgerCases } from '@farebox/testkit/ledger'
import { hasPostgres, hasRedis, type PostgresServer, startPostgres } from '@farebox/testkit/servers'
import Database from 'libsql'
import pg from 'pg'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { startedCluster, startedServer } from '../packages/redis/src/__fixtures__/started.ts'

// The storage cases themselves run in the package of each store: here, the ledger runs on each of them.

const folder = mkdtempSync(join(tmpdir(), 'farebox-storages-'))
const open: { close(): void }[] = []
afterAll(() => {
  for (const database of open) database.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('the ledger on memory', () => {
  registerLedgerCases(it, { createStore: async (clock) => memoryStorage({ clock }) })
})

describe('the ledger on SQLite', () => {
  registerLedgerCases(it, {
    async createStore(clock) {
      const database = new Database(join(folder, `${open.length}.db`))
      open.push(database)
      return sqlite(database, { clock })
    },
  })
})

describe.skipIf(!hasPostgres())('the ledger on PostgreSQL', () => {
  const schema = 'ledger_cases'
  let server: PostgresServer
  let pool: pg.Pool
  beforeAll(async () => {
    // What the disk does is for the tests of the store itself.
    server = await startPostgres({ settings: { fsync: 'off' } })
    pool = new pg.Pool({ connectionString: server.url, max: 8 })
    await migrate(pool, { schema })
  })
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  registerLedgerCases(it, {
    async createStore(clock) {
      // Emptied, because making the tables anew for every case takes longer than the cases.
      const tables = ['heads', 'records', 'journal', 'documents']
      await pool.query(tables.map((table) => `DELETE FROM ${schema}.${table}`).join('; '))
      return postgres(pool, { schema, clock, acceptsLoss: true })
    },
  })
})

describe.skipIf(!hasRedis())('the ledger on Redis', () => {
  const started = startedServer()
  let count = 0

  registerLedgerCases(it, {
    async createStore(clock) {
      count += 1
      return redis(started.client, { clock, prefix: `ledger-${count}` })
    },
  })
})

// The same scripts as on one server, so only the rules that carry the number of a known failure run here as well.
describe.skipIf(!hasRedis())('the ledger on Redis Cluster', () => {
  const started = startedCluster()
  let count = 0

  const subject: LedgerSubject = {
    async createStore(clock) {
      count += 1
      return redis(started.client, { clock, prefix: `ledger-${count}` })
    },
  }
  const numbered = ledgerCases.filter(({ name }) => /failure \d/.test(name))
  for (const { name, run } of numbered) it(name, () => run(subject))
})
