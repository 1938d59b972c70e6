import { type Cut, type Decision, isOutcomeUnknown, isUnavailable, type LedgerStore } from '@farebox/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { migrate, type PostgresOptions, postgres } from './index.ts'

function increment(cut: Cut): Decision<number> {
  const count = Number(cut.head ?? 0) + 1
  return { result: count, write: { head: count } }
}

function look(cut: Cut): Decision<Cut['head']> {
  return { result: cut.head }
}

function unavailable(message: RegExp): unknown {
  return expect.toSatisfy((error) => isUnavailable(error) && message.test(error.message))
}

describe.skipIf(!hasPostgres())('a database out of reach', () => {
  let server: PostgresServer
  let admin: pg.Pool
  let count = 0
  beforeAll(async () => {
    server = await startPostgres()
    admin = new pg.Pool({ connectionString: server.url, max: 2 })
  })
  afterAll(async () => {
    await admin.end()
    await server.stop()
  })

  function poolOf(options: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ connectionString: server.url, max: 4, ...options })
    onTestFinished(() => pool.end())
    return pool
  }

  async function schemaOf(): Promise<string> {
    count += 1
    const schema = `outage_${count}`
    await migrate(admin, { schema })
    return schema
  }

  async function storeOn(pool: pg.Pool, options: PostgresOptions = {}): Promise<LedgerStore> {
    return postgres(pool, { schema: await schemaOf(), ...options }).ledger
  }

  it('failure 4: is unavailable, with nothing applied, when the database refuses connections', async () => {
    const pool = poolOf({ connectionString: 'postgres://postgres@127.0.0.1:1/postgres' })
    const { ledger, keys } = postgres(pool)

    const refused = unavailable(/refuses connections/) as Error
    await expect(ledger.transact('alice', [], increment)).rejects.toThrow(refused)
    await expect(ledger.journal('alice', 0n, 1)).rejects.toThrow(refused)
    await expect(ledger.scan('all', null, 1)).rejects.toThrow(refused)
    await expect(keys?.put('a', 1, null)).rejects.toThrow(refused)
  })

  it('failure 21: waits for a connection of an exhausted pool no longer than it was told, and works when one is free', async () => {
    const pool = poolOf({ max: 1 })
    const ledger = await storeOn(pool, { waitTimeoutMs: 50 })
    const taken = await pool.connect()

    await expect(ledger.transact('alice', [], increment)).rejects.toThrow(
      unavailable(/within 50 ms/) as Error,
    )
    taken.release()
    expect(await ledger.transact('alice', [], increment)).toBe(1)
    expect(await ledger.transact('alice', [], increment)).toBe(2)
    expect(pool.totalCount).toBe(1)
  })

  it('failure 21: needs no more than one connection for calls of many accounts', async () => {
    const ledger = await storeOn(poolOf({ max: 1 }))
    const ids = Array.from({ length: 50 }, (_, index) => `account-${index}`)

    await Promise.all(ids.flatMap((id) => [1, 2, 3].map(() => ledger.transact(id, [], increment))))

    const heads = await Promise.all(ids.map((id) => ledger.transact(id, [], look)))
    expect(heads).toEqual(ids.map(() => 3))
  })

  it('is unavailable for writes and for looking while the server takes no writes', async () => {
    const schema = await schemaOf()
    await postgres(poolOf(), { schema }).ledger.transact('alice', [], increment)
    const { ledger } = postgres(poolOf({ options: '-c default_transaction_read_only=on' }), { schema })

    await expect(ledger.transact('alice', [], look)).rejects.toThrow(unavailable(/read-only/) as Error)
    await expect(ledger.transact('alice', [], increment)).rejects.toThrow(unavailable(/read-only/) as Error)
  })

  it('is unavailable when the server cancels a statement that waits too long', async () => {
    const schema = await schemaOf()
    const { ledger } = postgres(poolOf({ options: '-c statement_timeout=500' }), { schema })
    await ledger.transact('alice', [], increment)
    const other = await admin.connect()
    await other.query(`BEGIN; SELECT 1 FROM ${schema}.heads FOR UPDATE`)

    await expect(ledger.transact('alice', [], increment)).rejects.toThrow(unavailable(/cancelled/) as Error)
    await other.query('ROLLBACK')
    other.release()
    expect(await ledger.transact('alice', [], increment)).toBe(2)
  })

  it('is unavailable when an account stays locked, and leaves no transaction open', async () => {
    const schema = await schemaOf()
    const pool = poolOf()
    const { ledger } = postgres(pool, { schema, waitTimeoutMs: 500 })
    // Its connections are there before: a busy machine may take longer to make one than this store waits.
    await Promise.all(Array.from({ length: 4 }, () => pool.query('SELECT pg_sleep(0.05)')))
    await ledger.transact('alice', [], increment)
    // Somebody else has written, so the next write loses its race and has to wait for its turn.
    await admin.query(`UPDATE ${schema}.heads SET version = 7, head = '7'`)
    const other = await admin.connect()
    await other.query(`BEGIN; SELECT 1 FROM ${schema}.heads FOR UPDATE`)
    const waiting = ledger.transact('alice', [], increment)
    await expect(waiting.finally(() => other.query('ROLLBACK'))).rejects.toSatisfy(
      (error) => isUnavailable(error) || isOutcomeUnknown(error),
    )
    other.release()

    expect(await ledger.transact('alice', [], increment)).toBe(8)
    const { rows } = await admin.query(
      `SELECT count(*)::integer AS open FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'`,
    )
    expect(rows).toEqual([{ open: 0 }])
  })
})
