import { memoryStorage } from '@farebox/core'

/**
 * The storage that a setting names. Drivers are loaded only when they are used: your server needs one of them.
 *
 * `close` is for after the gateway has closed: the handles are yours, not the gateway's.
 */
export async function openStorage(setting, log) {
  const kind = /^(?:memory$|sqlite(?=:.)|postgres(?:ql)?(?=:)|rediss?(?=:))/.exec(setting)?.[0]
  switch (kind) {
    case 'memory':
      log.warn('accounts are kept in memory, and gone when this process ends')
      return { storage: memoryStorage(), close: () => undefined }
    case 'sqlite':
      return openSqlite(setting.slice('sqlite:'.length))
    case 'postgres':
    case 'postgresql':
      return openPostgres(setting)
    case 'redis':
    case 'rediss':
      return openRedis(setting, log)
    default:
      throw new Error(
        `STORAGE is "${setting}". Use memory, sqlite:FILE, postgres://USER@HOST/DATABASE or redis://HOST:PORT.`,
      )
  }
}

async function openSqlite(file) {
  const { default: Database } = await import('libsql')
  const { sqlite } = await import('@farebox/sqlite')
  const database = new Database(file)
  return { storage: sqlite(database), close: () => database.close() }
}

async function openPostgres(connectionString) {
  const { default: pg } = await import('pg')
  const { migrate, postgres } = await import('@farebox/postgres')
  const pool = new pg.Pool({ connectionString })
  await migrate(pool)
  return { storage: postgres(pool), close: () => pool.end() }
}

async function openRedis(url, log) {
  const { createClient } = await import('redis')
  const { redis } = await import('@farebox/redis')
  const client = createClient({ url })
  client.on('error', (error) => log.error(error, 'redis'))
  await client.connect()
  return { storage: redis(client), close: () => client.close() }
}
