import { type Cut, type Decision, isOutcomeUnknown, isUnavailable } from '@farebox/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { startTcpProxy } from '../../testkit/src/servers/tcp-proxy.ts'
import { migrate, type PostgresOptions, type PostgresPool, type PostgresQuery, postgres } from './index.ts'

const many = 300
const far = Number.MAX_SAFE_INTEGER

/** Counts, and leaves a record that waits and that nobody may have made before. */
function count(index: number) {
  return (cut: Cut): Decision<number> => {
    const head = Number(cut.head ?? 0) + 1
    const key = `hold:${index}`
    const put = { key, value: head, mode: 'create' as const, dueAt: far }
    const entry = { seq: BigInt(head), text: `"${head}"`, hash: String(head) }
    return { result: head, write: { head, put: [put], append: [entry] } }
  }
}

function look(cut: Cut): Decision<number> {
  return { result: Number(cut.head ?? 0) }
}

describe.skipIf(!hasPostgres())('many calls of one account', () => {
  let server: PostgresServer
  let admin: pg.Pool
  let schemas = 0
  beforeAll(async () => {
    server = await startPostgres()
    admin = new pg.Pool({ connectionString: server.url, max: 2 })
  })
  afterAll(async () => {
    await admin.end()
    await server.stop()
  })

  /** A store that knows the account, which has counted to 1. */
  async function open({ url = server.url, before, ...options }: OpenOptions = {}) {
    const pool = new pg.Pool({ connectionString: url, max: 3 })
    onTestFinished(() => pool.end())
    schemas += 1
    const schema = `steps_${schemas}`
    await migrate(admin, { schema })
    const sent: string[] = []
    const { ledger } = postgres(watched(pool, sent, before), { schema, ...options })
    const run = (index: number) => ledger.transact('alice', [`hold:${index}`], count(index))
    await run(0)
    sent.length = 0
    const runAll = () => Array.from({ length: many }, (_, index) => run(index + 1))
    return { ledger, schema, sent, runAll }
  }

  const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

  it('are decided while those before them are written, and answered in their order', async () => {
    let answer = (): void => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    let decided = 0
    let isWatched = false
    const { ledger, sent, runAll } = await open({
      before: async () => {
        if (isWatched && sent.length === 1) await answered
      },
    })
    isWatched = true
    const counted = Array.from({ length: many }, (_, index) =>
      ledger.transact('alice', [`hold:${index + 1}`], (cut) => {
        decided += 1
        return count(index + 1)(cut)
      }),
    )
    while (decided < many) await new Promise((resolve) => setImmediate(resolve))
    expect(sent).toHaveLength(1)
    answer()

    expect(await Promise.all(counted)).toEqual(upTo(many).map((number) => number + 1))
    expect(decided).toBe(many)
    expect(sent).toHaveLength(2)
    await expect(Promise.all(runAll())).rejects.toMatchObject({ name: 'Conflict' })
  })

  it('are decided anew when another process was faster', async () => {
    let interfere: BeforeWrite | undefined
    const { ledger, schema, runAll } = await open({
      before: async () => {
        const once = interfere
        interfere = undefined
        await once?.()
      },
    })
    interfere = async () => {
      await postgres(admin, { schema }).ledger.transact('alice', [], count(many + 1))
    }

    const results = await Promise.all(runAll())

    expect(results.toSorted((a, b) => a - b)).toEqual(upTo(many).map((number) => number + 2))
    expect(await ledger.transact('alice', [], look)).toBe(many + 2)
    expect(await ledger.journal('alice', 0n, 1000)).toHaveLength(many + 2)
  })

  it('are decided anew when somebody has locked the account and changed nothing', async () => {
    const { ledger, schema, runAll } = await open()
    const other = await admin.connect()
    await other.query(`BEGIN; SELECT 1 FROM ${schema}.heads FOR UPDATE`)

    const results = Promise.all(runAll())
    // The first of them are lost, and wait for the lock.
    while (!(await isSomebodyWaiting(other)));
    await other.query('ROLLBACK')
    other.release()

    expect((await results).toSorted((a, b) => a - b)).toEqual(upTo(many).map((number) => number + 1))
    expect(await ledger.journal('alice', 0n, 1000)).toHaveLength(many + 1)
  })

  it('leave nothing behind when the account stays locked', async () => {
    const { ledger, schema, runAll } = await open({ waitTimeoutMs: 200 })
    const other = await admin.connect()
    await other.query(`BEGIN; SELECT 1 FROM ${schema}.heads FOR UPDATE`)
    const results = await Promise.allSettled(runAll())
    await other.query('ROLLBACK')
    other.release()

    expect(results.every((result) => result.status === 'rejected' && isUnavailable(result.reason))).toBe(true)
    // None of their records is taken to be there.
    expect(await ledger.transact('alice', [], count(1))).toBe(2)
  })

  it('are unknown when the connection is lost before the answer, and those after them are decided anew', async () => {
    const proxy = await startTcpProxy(server.port)
    onTestFinished(() => proxy.close())
    const { ledger, runAll } = await open({ url: server.url.replace(`:${server.port}`, `:${proxy.port}`) })
    proxy.cutNextAnswer()

    const results = await Promise.allSettled(runAll())

    const faults = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    const unknown = faults.filter((fault) => isOutcomeUnknown(fault)).length
    expect(unknown).toBeGreaterThan(0)
    expect(faults.every((fault) => isOutcomeUnknown(fault) || isUnavailable(fault))).toBe(true)
    const answered = results.length - faults.length
    const found = await ledger.transact('alice', [], look)
    expect([answered + 1, answered + 1 + unknown]).toContain(found)
  })
})

async function isSomebodyWaiting(client: pg.PoolClient): Promise<boolean> {
  const { rows } = await client.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
  return rows.length > 0
}

type BeforeWrite = () => Promise<void>

interface OpenOptions extends PostgresOptions {
  readonly url?: string
  readonly before?: BeforeWrite
}

/** A pool that writes down every statement that writes, and does something before it. */
function watched(pool: pg.Pool, sent: string[], before: BeforeWrite = async () => {}): PostgresPool {
  return {
    on: (event, listener) => pool.on(event, listener),
    async connect() {
      const client = await pool.connect()
      return {
        async query(query: PostgresQuery) {
          if (query.text.includes(' moved AS ')) {
            sent.push(query.text)
            await before()
          }
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
