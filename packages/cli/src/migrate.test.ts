import { fileURLToPath } from 'node:url'
import { createLedger, fakeClock, planPreset, systemClock, usd } from '@farebox/core'
import { postgres } from '@farebox/postgres'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { run } from './run.ts'

const here = fileURLToPath(new URL('..', import.meta.url))

async function farebox(...args: readonly string[]) {
  const written = { out: '', error: '' }
  const code = await run({
    args,
    folder: here,
    out: { write: (text) => (written.out += text) },
    error: { write: (text) => (written.error += text) },
    signal: new AbortController().signal,
    clock: fakeClock(0),
  })
  return { code, ...written }
}

it('says that no database answers', async () => {
  const { code, error } = await farebox('migrate', '--postgres', 'postgres://127.0.0.1:1/none')

  expect(code).toBe(3)
  expect(error).toContain('The database could not be migrated.')
  expect(error).toContain('ECONNREFUSED')
})

describe.skipIf(!hasPostgres())('farebox migrate, on a real server', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  it('makes the tables once, and an audit then reads what the gateway wrote', async () => {
    const place = ['--postgres', server.url, '--schema', 'money']
    expect(await farebox('audit', ...place)).toMatchObject({
      code: 3,
      error: expect.stringContaining('npx farebox migrate'),
    })
    expect(await farebox('migrate', ...place)).toEqual({
      code: 0,
      out: 'money: 0001-accounts.sql\nmoney: 0002-counters.sql\n',
      error: '',
    })
    expect((await farebox('migrate', ...place)).out).toBe('The schema money is up to date.\n')

    const pool = new pg.Pool({ connectionString: server.url })
    const { ledger: store } = postgres(pool, { schema: 'money' })
    const ledger = createLedger({ store, plans: planPreset('hf-latest'), clock: systemClock })
    await ledger.grant({ accountId: 'alice', grantId: 'g', amount: usd('5.00') })
    await pool.end()

    const { code, out } = await farebox('audit', ...place, '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ accountId: 'alice' })
  })
})
