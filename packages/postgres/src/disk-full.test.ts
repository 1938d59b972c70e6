import { type Cut, createLedger, type Decision, isUnavailable, systemClock, usd } from '@farebox/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { casePlans } from '../../testkit/src/ledger/ledger-case.ts'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { hasSmallDisks, makeSmallDisk, type SmallDisk } from '../../testkit/src/servers/small-disk.ts'
import { migrate, postgres } from './index.ts'

function increment(cut: Cut): Decision<number> {
  const count = Number(cut.head ?? 0) + 1
  return { result: count, write: { head: count } }
}

describe.skipIf(!hasPostgres() || !hasSmallDisks())('a database whose disk is full', () => {
  let server: PostgresServer
  let disk: SmallDisk
  let pool: pg.Pool
  beforeAll(async () => {
    disk = makeSmallDisk(8)
    server = await startPostgres()
    const admin = new pg.Pool({ connectionString: server.url, max: 1 })
    // Made by the server itself, which has to own it.
    await admin.query(`COPY (SELECT 1) TO PROGRAM 'mkdir -m 700 ${disk.folder}/tables'`)
    await admin.query(`CREATE TABLESPACE small LOCATION '${disk.folder}/tables'`)
    await admin.query('ALTER DATABASE postgres SET default_tablespace = small')
    await admin.end()
    pool = new pg.Pool({ connectionString: server.url, max: 4 })
  })
  afterAll(async () => {
    await pool.end()
    await server.stop()
    disk.remove()
  })

  /** A store whose tables are on the disk that can be filled. */
  async function storageOf(schema: string) {
    disk.free()
    await migrate(pool, { schema })
    return postgres(pool, { schema })
  }

  it('is unavailable and says why, loses nothing, and works again by itself when there is room', async () => {
    const { ledger, keys } = await storageOf('looking')
    await ledger.transact('alice', [], increment)
    disk.fill()
    const large = (key: string) =>
      ledger.transact('alice', [], () => ({
        result: 'stored',
        write: { head: 99, put: [{ key, value: 'x'.repeat(2000).concat(key), mode: 'create' }] },
      }))
    // What is there already has some room left inside.
    let stored = 0
    let failure: unknown
    for (; failure === undefined && stored < 10_000; stored += 1)
      failure = await large(`key-${stored}`).then(
        () => undefined,
        (error: unknown) => error,
      )
    expect(failure).toSatisfy(isUnavailable)
    expect(failure).toMatchObject({ message: 'The disk of the database is full.' })
    stored -= 1

    // Looking goes on, and finds all that was answered and nothing of what was refused.
    const keysOf = Array.from({ length: stored + 1 }, (_, index) => `key-${index}`)
    const found = await ledger.transact('alice', keysOf, ({ head, records }) => ({
      result: [head, records.size],
    }))
    expect(found).toEqual([stored === 0 ? 1 : 99, stored])
    const tooLarge = keys?.put('a', 'x'.repeat(60_000), null)
    await expect(tooLarge).rejects.toSatisfy(isUnavailable)

    disk.free()
    expect(await large(`key-${stored}`)).toBe('stored')
    expect(await keys?.put('a', 'x'.repeat(60_000), null)).toBe(true)
  })

  it('failure 4: refuses holds, and settles those it has, once there is room', async () => {
    const { ledger: store } = await storageOf('holding')
    const ledger = createLedger({ store, plans: casePlans, clock: systemClock })
    await ledger.grant({ accountId: 'alice', grantId: 'bought', amount: usd('100.00') })
    disk.fill()
    const hold = (number: number) =>
      ledger.reserve({
        accountId: 'alice',
        reservationId: `r${number}`,
        amount: usd('0.01'),
        timeToLiveMs: 60_000,
        subject: { model: 'model', costProviderIds: [], attemptsMax: 1 },
      })
    const held: number[] = []
    let failure: unknown
    for (let number = 1; failure === undefined; number += 1) {
      failure = await hold(number).then(
        () => held.push(number) && undefined,
        (error: unknown) => error,
      )
    }
    expect(failure).toMatchObject({ code: 'store_unavailable' })
    disk.free()
    for (const number of held) {
      const attempt = {
        attemptId: `r${number}.1`,
        providerId: 'provider',
        providerModel: 'model',
        outcome: 'served',
        costSource: 'provider',
        cost: usd('0.01'),
        payer: 'customer',
      } as const
      const settled = await ledger.settle({
        accountId: 'alice',
        reservationId: `r${number}`,
        attempts: [attempt],
      })
      expect(settled.outcome).toBe('settled')
    }
    const { held: still, purchased } = await ledger.balance('alice')
    expect({ still, purchased }).toEqual({
      still: 0n,
      purchased: usd('100.00') - BigInt(held.length) * usd('0.01'),
    })
    expect((await ledger.audit('alice')).findings).toEqual([])
  })
})
