import { type Cut, type Decision, isOutcomeUnknown, isUnavailable, type LedgerStore } from '@farebox/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { startTcpProxy } from '../../testkit/src/servers/tcp-proxy.ts'
import { migrate, type PostgresOptions, type PostgresPool, postgres } from './index.ts'

const ids = Array.from({ length: 40 }, (_, index) => `account-${index}`)

function increment(cut: Cut): Decision<number> {
  const count = Number(cut.head ?? 0) + 1
  return { result: count, write: { head: count } }
}

function look(cut: Cut): Decision<Cut['head']> {
  return { result: cut.head }
}

describe.skipIf(!hasPostgres())('accounts that share a statement', () => {
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

  /** A store that knows every account, and the texts of what it then asks of the server. */
  async function open(
    options: PostgresOptions = {},
    pool: pg.Pool = new pg.Pool({ connectionString: server.url, max: 6 }),
    onQuery: (text: string) => void = () => {},
  ) {
    onTestFinished(() => pool.end())
    count += 1
    const schema = options.schema ?? `gather_${count}`
    await migrate(admin, { schema })
    const texts: string[] = []
    const { ledger } = postgres(listening(pool, texts, onQuery), { schema, ...options })
    await Promise.all(ids.map((id) => ledger.transact(id, [], increment)))
    texts.length = 0
    return { ledger, schema, texts }
  }

  const all = <R>(ledger: LedgerStore, reduce: (cut: Cut) => Decision<R>): Promise<readonly R[]> =>
    Promise.all(ids.map((id) => ledger.transact(id, [], reduce)))

  it('go to the server with few statements instead of one each', async () => {
    const { ledger, texts } = await open()

    expect(await all(ledger, increment)).toEqual(ids.map(() => 2))
    // As many as are sent at once go by themselves, and the rest is gathered.
    expect(texts.length).toBeLessThan(10)
    expect(await all(ledger, look)).toEqual(ids.map(() => 2))
  })

  it('are each written by a statement of their own the first time, without being read once more', async () => {
    const { ledger, texts } = await open()
    const fresh = ids.map((id) => `new-${id}`)

    expect(await Promise.all(fresh.map((id) => ledger.transact(id, [], increment)))).toEqual(
      fresh.map(() => 1),
    )
    expect(texts.filter((text) => text.includes('INSERT INTO'))).toHaveLength(fresh.length)
    expect(texts.length).toBeLessThan(fresh.length + 10)
  })

  it('each have one of their own where they live on different machines', async () => {
    const { ledger, texts } = await open({ sharesStatements: false })

    expect(await all(ledger, increment)).toEqual(ids.map(() => 2))
    expect(texts).toHaveLength(ids.length)
    expect(texts.every((text) => !text.includes('from_version'))).toBe(true)
  })

  it('are each decided anew where another process was faster, and written at once where none was', async () => {
    const { ledger, schema } = await open()
    const other = await open({ schema })
    // The other process has added one to each, and now adds two more to every second account.
    const half = ids.filter((_, index) => index % 2 === 0)
    for (let round = 0; round < 2; round += 1) {
      await Promise.all(half.map((id) => other.ledger.transact(id, [], increment)))
    }

    expect(await all(ledger, increment)).toEqual(ids.map((_, index) => (index % 2 === 0 ? 5 : 3)))
  })

  it('wait for none that somebody else has locked', async () => {
    const { ledger, schema } = await open()
    const other = await admin.connect()
    await other.query(`BEGIN; SELECT 1 FROM ${schema}.heads WHERE account = '${ids[20]}' FOR UPDATE`)

    const waiting = ledger.transact(ids[20] ?? '', [], increment)
    const free = ids.filter((id) => id !== ids[20])
    expect(await Promise.all(free.map((id) => ledger.transact(id, [], increment)))).toEqual(free.map(() => 2))
    await other.query('ROLLBACK')
    other.release()
    expect(await waiting).toBe(2)
  })

  it('refuse to create what another process has created, each for itself', async () => {
    const { ledger, schema } = await open()
    const other = await open({ schema })
    const create = () => ({
      result: 'booked',
      write: { head: 9, put: [{ key: 'op', value: 1, mode: 'create' as const }] },
    })
    await other.ledger.transact(ids[5] ?? '', [], create)
    await all(ledger, look)

    const results = await Promise.allSettled(ids.map((id) => ledger.transact(id, [], create)))

    const refused = results.flatMap(({ status }, index) => (status === 'rejected' ? [ids[index]] : []))
    expect(refused).toEqual([ids[5]])
    expect(results[5]).toMatchObject({ reason: { name: 'Conflict' } })
  })

  it('are each unknown when the connection is lost before the answer, and found as they are afterwards', async () => {
    const proxy = await startTcpProxy(server.port)
    onTestFinished(() => proxy.close())
    const url = server.url.replace(`:${server.port}`, `:${proxy.port}`)
    let isArmed = false
    const pool = new pg.Pool({ connectionString: url, max: 1 })
    const { ledger } = await open({}, pool, (text) => {
      if (!isArmed || !text.includes('from_version')) return
      isArmed = false
      proxy.cutNextAnswer()
    })
    isArmed = true
    const calls = ids.map((id, index) => ledger.transact(id, [], index % 4 === 0 ? look : increment))

    const results = await Promise.allSettled(calls)
    const faults = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    expect(faults.some((fault) => isOutcomeUnknown(fault))).toBe(true)
    expect(faults.every((fault) => isOutcomeUnknown(fault) || isUnavailable(fault))).toBe(true)
    // What an account says afterwards is what it was told, or one more where nobody could tell.
    const heads = await all(ledger, look)
    for (const [index, result] of results.entries()) {
      const isSure = result.status === 'fulfilled' || isUnavailable(result.reason)
      const expected = result.status === 'fulfilled' && index % 4 !== 0 ? [2] : isSure ? [1] : [1, 2]
      expect(expected).toContain(heads[index])
    }
  })

  it('failure 21: two processes that write the same accounts in different orders never lock one another out', async () => {
    const { ledger, schema } = await open()
    const other = await open({ schema })
    const orders = [ids, ids.toReversed(), ids.toSorted()]
    const stores = [ledger, other.ledger, ledger]

    for (let round = 0; round < 8; round += 1) {
      await Promise.all(
        orders.map((order, index) =>
          Promise.all(order.map((id) => stores[index]?.transact(id, [], increment))),
        ),
      )
    }

    expect(await all(ledger, look)).toEqual(ids.map(() => 2 + 8 * 3))
    const { rows } = await admin.query('SELECT sum(deadlocks)::integer AS deadlocks FROM pg_stat_database')
    expect(rows).toEqual([{ deadlocks: 0 }])
    expect(server.log()).not.toContain('deadlock detected')
  })
})

/** A pool that writes down the text of every statement. */
function listening(pool: pg.Pool, texts: string[], onQuery: (text: string) => void): PostgresPool {
  return {
    on: (event, listener) => pool.on(event, listener),
    async connect() {
      const client = await pool.connect()
      return {
        query(query) {
          texts.push(query.text)
          onQuery(query.text)
          return client.query(query)
        },
        release: (isBroken) => client.release(isBroken),
        on: (event: 'error' | 'notice', listener: (message: Error) => void) =>
          client.on(event as 'error', listener),
        removeListener: (event, listener) => client.removeListener(event, listener),
      }
    },
  }
}
