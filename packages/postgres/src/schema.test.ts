import { isUnavailable } from '@farebox/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hasPostgres, type PostgresServer, startPostgres } from '../../testkit/src/servers/postgres.ts'
import { migrate, migrations, postgres } from './index.ts'

it.each(['', 'Farebox', '1st', 'a-b', 'x; DROP TABLE users; --', 'pg_x', 'a'.repeat(49)])(
  'refuses the schema %j',
  (schema) => {
    const pool = new pg.Pool()
    expect(() => postgres(pool, { schema })).toThrow(/schema/)
  },
)

it('has its migrations as plain SQL for the schema farebox, each statement to be run again', () => {
  expect(migrations.map(({ version, name }) => [version, name])).toEqual([
    [1, '0001-accounts.sql'],
    [2, '0002-counters.sql'],
  ])
  const statements = migrations.flatMap(({ sql }) => sql.replace(/^--.*$/gm, '').split(';'))
  for (const statement of statements.map((text) => text.trim()).filter(Boolean)) {
    expect(statement).toMatch(/IF NOT EXISTS|ON CONFLICT .* DO NOTHING/)
    expect(statement).toContain('farebox')
  }
})

describe.skipIf(!hasPostgres())('the tables on a real server', () => {
  let server: PostgresServer
  let admin: pg.Pool
  beforeAll(async () => {
    // Whatever looks at the rows of a table at that moment, as autovacuum does to count them, keeps their old versions.
    server = await startPostgres({ settings: { autovacuum: 'off' } })
    admin = new pg.Pool({ connectionString: server.url, max: 8 })
  })
  afterAll(async () => {
    await admin.end()
    await server.stop()
  })

  function poolOf(options: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ connectionString: server.url, max: 2, ...options })
    onTestFinished(() => pool.end())
    return pool
  }

  it('says what to run when the migrations have not run, and works once they have', async () => {
    const { ledger, keys } = postgres(admin, { schema: 'later' })
    const missing = expect.toSatisfy(
      (error) =>
        isUnavailable(error) && error.message.includes('npx farebox migrate --postgres <url> --schema later'),
    ) as Error

    await expect(ledger.transact('alice', [], () => ({ result: 0 }))).rejects.toThrow(missing)
    await expect(keys?.get('a')).rejects.toThrow(missing)
    expect(await migrate(admin, { schema: 'later' })).toEqual(['0001-accounts.sql', '0002-counters.sql'])
    expect(await ledger.transact('alice', [], () => ({ result: 0 }))).toBe(0)
  })

  it('migrates once, also when several processes do so at the same time', async () => {
    await Promise.all([1, 2, 3, 4].map(() => migrate(admin, { schema: 'at_once' })))

    expect(await migrate(admin, { schema: 'at_once' })).toEqual([])
    const { ledger } = postgres(admin, { schema: 'at_once' })
    expect(await ledger.transact('alice', [], () => ({ result: 1, write: { head: 1 } }))).toBe(1)
  })

  it('goes on where a migration broke off', async () => {
    await admin.query(
      'CREATE SCHEMA half; CREATE TABLE half.heads (account text COLLATE "C" PRIMARY KEY, ' +
        'version bigint NOT NULL, last_seq bigint NOT NULL, head text NOT NULL)',
    )

    expect(await migrate(admin, { schema: 'half' })).toEqual(['0001-accounts.sql', '0002-counters.sql'])
    expect(await migrate(admin, { schema: 'half' })).toEqual([])
  })

  it('runs its files as they are, by any tool', async () => {
    for (const { sql } of migrations) await admin.query(sql)

    expect(await migrate(admin)).toEqual([])
    const { ledger } = postgres(admin)
    expect(await ledger.transact('alice', [], ({ version }) => ({ result: version }))).toBe(0n)
  })

  it('shares nothing with another schema, and leaves nothing outside of its own', async () => {
    for (const schema of ['one', 'other']) await migrate(admin, { schema })
    const [one, other] = [postgres(admin, { schema: 'one' }), postgres(admin, { schema: 'other' })]
    await one.ledger.transact('alice', [], () => ({ result: 0, write: { head: 'one' } }))

    expect(await other.ledger.transact('alice', [], ({ head }) => ({ result: head }))).toBeNull()
    const { rows } =
      await admin.query(`SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
      WHERE n.nspname = 'public'`)
    expect(rows).toEqual([])
  })

  it('migrates and works as a role that was given nothing but a schema', async () => {
    await admin.query(
      'CREATE ROLE tenant LOGIN; CREATE SCHEMA given AUTHORIZATION tenant; ' +
        'REVOKE CREATE ON DATABASE postgres FROM PUBLIC',
    )
    const pool = poolOf({ connectionString: server.url.replace('postgres@', 'tenant@') })

    await migrate(pool, { schema: 'given' })
    const { ledger } = postgres(pool, { schema: 'given' })
    expect(await ledger.transact('alice', [], () => ({ result: 1, write: { head: 1 } }))).toBe(1)
  })

  it('goes on beside tables of a later release, unless that release says it cannot', async () => {
    await migrate(admin, { schema: 'newer' })
    await admin.query('INSERT INTO newer.migrations (version, readable_from) VALUES (3, 1)')
    const look = () =>
      postgres(admin, { schema: 'newer' }).ledger.transact('a', [], () => ({ result: 'fine' }))
    expect(await look()).toBe('fine')

    await admin.query('INSERT INTO newer.migrations (version, readable_from) VALUES (4, 4)')
    await expect(look()).rejects.toThrow(/Update @farebox\/postgres/)
  })

  it.each(['synchronous_commit'])(
    'refuses a server with %s off, unless loss is accepted',
    async (setting) => {
      await migrate(admin, { schema: 'lossy' })
      const pool = poolOf({ options: `-c ${setting}=off` })
      const strict = postgres(pool, { schema: 'lossy' }).ledger
      const careless = postgres(pool, { schema: 'lossy', acceptsLoss: true }).ledger

      await expect(strict.transact('alice', [], () => ({ result: 0 }))).rejects.toThrow(
        expect.toSatisfy((error) => isUnavailable(error) && /ALTER ROLE/.test(error.message)) as Error,
      )
      expect(await careless.transact('alice', [], () => ({ result: 0 }))).toBe(0)
      expect(careless.traits.durability).toBe('none')
    },
  )

  it('keeps account ids and keys of 512 characters that take three bytes each', async () => {
    await migrate(admin, { schema: 'long' })
    const { ledger } = postgres(admin, { schema: 'long' })
    const wide = (start: number): string =>
      Array.from({ length: 512 }, (_, index) =>
        String.fromCharCode(0x4e00 + ((start + index * 7919) % 20_000)),
      ).join('')
    const [accountId, key, other] = [wide(1), wide(2), wide(3)]
    const put = [key, other, '~', '~~', `~${'0'.repeat(64)}`].map((name, index) => ({
      key: name,
      value: name,
      mode: 'create' as const,
      dueAt: index + 1,
    }))
    await ledger.transact(accountId, [], () => ({ result: 0, write: { head: 1, put } }))

    const fresh = postgres(admin, { schema: 'long' }).ledger
    const keys = put.map((one) => one.key)
    const cut = await fresh.transact(accountId, keys, (read) => ({ result: read }))
    expect([...cut.records]).toEqual(keys.map((name) => [name, name]))
    expect(cut.due.map((record) => record.key)).toEqual(keys)
    await expect(
      fresh.transact(accountId, [], () => ({ result: 0, write: { head: 2, put: put.slice(0, 1) } })),
    ).rejects.toMatchObject({ name: 'Conflict' })
  })

  it('works on tables that were made in parts by account before it migrated', async () => {
    await admin.query(`CREATE SCHEMA parts;
      CREATE TABLE parts.journal (account text COLLATE "C" NOT NULL, seq bigint NOT NULL, text text NOT NULL,
        hash text NOT NULL, recorded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (account, seq))
        PARTITION BY HASH (account);
      CREATE TABLE parts.records (account text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, long_key text,
        due_at double precision, keep_until double precision, value text NOT NULL, PRIMARY KEY (account, key))
        PARTITION BY HASH (account)`)
    for (const [table, part] of ['journal', 'records'].flatMap((name) =>
      [0, 1].map((rest) => [name, rest]),
    )) {
      await admin.query(
        `CREATE TABLE parts.${table}_${part} PARTITION OF parts.${table} FOR VALUES WITH (MODULUS 2, REMAINDER ${part})`,
      )
    }
    await migrate(admin, { schema: 'parts' })
    const { ledger } = postgres(admin, { schema: 'parts' })
    const ids = Array.from({ length: 20 }, (_, index) => `account-${index}`)
    for (let round = 1; round <= 3; round += 1) {
      const put = [{ key: `k${round}`, value: round, mode: 'create' as const, dueAt: 5 }]
      const append = [{ seq: BigInt(round), text: `entry ${round}`, hash: 'h' }]
      await Promise.all(
        ids.map((id) => ledger.transact(id, [], () => ({ result: 0, write: { head: round, put, append } }))),
      )
    }

    for (const id of ids) {
      const cut = await ledger.transact(id, ['k1', 'k3'], (read) => ({ result: read }))
      expect([cut.head, cut.records.size, cut.due.length]).toEqual([3, 2, 3])
      expect(await ledger.journal(id, 0n, 10)).toHaveLength(3)
    }
    const { rows } = await admin.query('SELECT count(*)::integer AS entries FROM parts.journal_0')
    expect(rows[0].entries).toBeGreaterThan(0)
    expect(rows[0].entries).toBeLessThan(60)
  })

  it('updates the row of an account where it stands, touching no index', async () => {
    await migrate(admin, { schema: 'hot' })
    const { ledger } = postgres(admin, { schema: 'hot' })
    for (let round = 0; round < 200; round += 1) {
      await ledger.transact('alice', [], () => ({ result: 0, write: { head: round } }))
    }
    await admin.query('SELECT pg_stat_force_next_flush()').catch(() => {})
    let updates = { all: 0, hot: 0 }
    for (let look = 0; look < 200 && updates.all < 150; look += 1) {
      const { rows } = await admin.query(`SELECT n_tup_upd::integer AS all, n_tup_hot_upd::integer AS hot
        FROM pg_stat_user_tables WHERE schemaname = 'hot' AND relname = 'heads'`)
      updates = rows[0]
      await new Promise((resolve) => setTimeout(resolve, 20))
    }

    expect(updates.all).toBeGreaterThanOrEqual(150)
    expect(updates.hot / updates.all).toBeGreaterThan(0.95)
  })

  it('uses named statements only when asked to, and then works the same', async () => {
    await migrate(admin, { schema: 'named' })
    const pool = poolOf({ max: 1 })
    const { ledger } = postgres(pool, { schema: 'named', preparesStatements: true })
    for (let round = 1; round <= 12; round += 1) {
      expect(
        await ledger.transact('alice', [], ({ head }) => ({
          result: Number(head ?? 0) + 1,
          write: { head: Number(head ?? 0) + 1 },
        })),
      ).toBe(round)
    }

    const { rows } = await pool.query('SELECT count(*)::integer AS named FROM pg_prepared_statements')
    expect(rows[0].named).toBeGreaterThan(0)
  })

  it('leaves nothing set on the connections of the host', async () => {
    await migrate(admin, { schema: 'clean' })
    const pool = poolOf({ max: 1 })
    const settings = async () =>
      (await pool.query(`SELECT name, setting FROM pg_settings WHERE source = 'session'`)).rows
    const before = await settings()
    const [mine, other] = [postgres(pool, { schema: 'clean' }), postgres(admin, { schema: 'clean' })]
    const increment = (store: typeof mine) =>
      store.ledger.transact('alice', [], ({ head }) => ({
        result: 0,
        write: { head: Number(head ?? 0) + 1 },
      }))
    for (const store of [mine, other, mine, other, mine]) await increment(store)
    await mine.keys?.put('a', 1, null)

    expect(await settings()).toEqual(before)
    const { rows } = await pool.query(`SELECT
      (SELECT count(*) FROM pg_prepared_statements)::integer AS named,
      (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')::integer AS advisory`)
    expect(rows).toEqual([{ named: 0, advisory: 0 }])
  })
})
