import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { memoryStorage } from '@farebox/core'
import { migrate, postgres } from '@farebox/postgres'
import { redis } from '@farebox/redis'
import { sqlite } from '@farebox/sqlite'
import { startPostgres, startRedis, startRedisCluster } from '@farebox/testkit/servers'
import Database from 'libsql'
import pg from 'pg'
import { createClient, createCluster } from 'redis'

/**
 * Each store, with the simplest thing its server can do to a balance: `raw(accountId)` takes one from it. Calls that come
 * while a batch is under way go out together as the next one, as the stores do it too. Add a store by adding its row.
 */
export const stores = {
  memory: openMemory,
  sqlite: openSqlite,
  postgres: openPostgres,
  redis: openRedis,
  cluster: openCluster,
}

let databases = 0

async function openMemory() {
  const balances = new Map()
  return {
    storage: memoryStorage(),
    raw: async (accountId) => balances.set(accountId, (balances.get(accountId) ?? 0n) - 1n),
    commits: () => 0,
    close: async () => {},
  }
}

async function openSqlite({ folder }) {
  databases += 1
  const database = new Database(join(folder, `${databases}.db`))
  let commits = 0
  const counted = {
    prepare: (sql) => database.prepare(sql),
    exec(sql) {
      if (sql === 'COMMIT') commits += 1
      return database.exec(sql)
    },
  }
  const storage = sqlite(counted)
  database.exec('CREATE TABLE raw (account TEXT PRIMARY KEY, balance INTEGER NOT NULL)')
  const take = database.prepare(
    `INSERT INTO raw VALUES (?, -1) ON CONFLICT (account) DO UPDATE SET balance = balance - 1 RETURNING balance`,
  )
  const raw = batched(async (accountIds) => {
    database.exec('BEGIN IMMEDIATE')
    for (const accountId of accountIds) take.all(accountId)
    database.exec('COMMIT')
  })
  return { storage, raw, commits: () => commits, close: async () => database.close() }
}

async function openPostgres({ accounts }) {
  const server = await startPostgres()
  const pool = new pg.Pool({ connectionString: server.url, max: 16 })
  await migrate(pool)
  await pool.query(
    'CREATE TABLE raw (account text PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor = 50)',
  )
  await pool.query("INSERT INTO raw SELECT $1 || '-' || i, 0 FROM generate_series(0, $1::integer - 1) AS i", [
    String(accounts),
  ])
  let commits = 0
  const counted = {
    on: (...listener) => pool.on(...listener),
    async connect() {
      const client = await pool.connect()
      return {
        query(query) {
          // Reading is no commit that waits for the disk.
          if (/ moved AS /.test(query.text)) commits += 1
          return client.query(query)
        },
        release: (isBroken) => client.release(isBroken),
        on: (...listener) => client.on(...listener),
        removeListener: (...listener) => client.removeListener(...listener),
      }
    },
  }
  // Rows in one order, or two batches could wait for one another.
  const raw = batched((accountIds) =>
    pool.query(
      `WITH taken AS (SELECT id, count(*) AS n FROM unnest($1::text[]) AS id GROUP BY id),
        locked AS (SELECT account FROM raw WHERE account IN (SELECT id FROM taken) ORDER BY account FOR UPDATE)
      UPDATE raw SET balance = balance - taken.n FROM taken, locked
        WHERE raw.account = taken.id AND locked.account = taken.id RETURNING raw.balance`,
      [accountIds],
    ),
  )
  return {
    storage: postgres(counted),
    raw,
    commits: () => commits,
    async close() {
      await pool.end()
      await server.stop()
    },
  }
}

/** The store does without the driver's own limit, which costs a timer for each command. */
const untimed = { timeout: 0 }

/** Every answered write is on disk, as it is with the stores above. */
const durable = { appendonly: 'yes', appendfsync: 'always' }

async function openRedis() {
  const server = await startRedis(durable)
  const client = createClient({ url: server.url })
  return openScripts(
    client,
    (_key, args) => client.sendCommand(args, untimed),
    () => server.stop(),
  )
}

async function openCluster() {
  const cluster = await startRedisCluster({ settings: durable })
  const client = createCluster({ rootNodes: cluster.urls.map((url) => ({ url })) })
  return openScripts(
    client,
    (key, args) => client.sendCommand(key, false, args, untimed),
    () => cluster.stop(),
  )
}

/** The simplest thing a script can do: an `EVALSHA` for each call. What comes together, the driver writes together. */
async function openScripts(client, send, stop) {
  client.on('error', (error) => console.error(error))
  await client.connect()
  const script = "return redis.call('DECR', KEYS[1])"
  const sha = createHash('sha1').update(script).digest('hex')
  let commits = 0
  const onWrite = () => {
    commits += 1
  }
  return {
    storage: redis(client, { onWrite }),
    async raw(accountId) {
      const key = `raw:{${accountId}}`
      try {
        await send(key, ['EVALSHA', sha, '1', key])
      } catch (error) {
        // A node that was not asked before does not know the script.
        if (!error.message.startsWith('NOSCRIPT')) throw error
        await send(key, ['EVAL', script, '1', key])
      }
    },
    commits: () => commits,
    async close() {
      client.destroy()
      await stop()
    },
  }
}

/** One batch at a time; what comes meanwhile is the next one. */
function batched(run) {
  let waiting = []
  let isRunning = false
  async function empty() {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await run(batch.map(({ accountId }) => accountId))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    isRunning = false
  }
  return (accountId) =>
    new Promise((resolve, reject) => {
      waiting.push({ accountId, resolve, reject })
      if (isRunning) return
      isRunning = true
      setImmediate(empty)
    })
}
