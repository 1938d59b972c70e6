// Opens a store by its address, in this process or in one of its own, with a connection and a memory of its own each time.
// An address is JSON: the kind of store, where it is, and under `options` what the store itself is given.
import { memoryStorage, systemClock } from '@farebox/core'

export async function open(address, { clock } = {}) {
  const { kind, options = {}, ...place } = JSON.parse(address)
  return openers[kind](place, clock === undefined ? options : { ...options, clock })
}

const openers = {
  memory: openMemory,
  sqlite: openSqlite,
  postgres: openPostgres,
  redis: openRedis,
  cluster: openCluster,
}

/** What lives in this process is the same for everybody in it, until the process ends, and has the clock it was given last. */
const memories = new Map()

async function openMemory({ name }, { clock }) {
  const memory = memories.get(name) ?? newMemory()
  memories.set(name, memory)
  if (clock !== undefined) memory.clock = clock
  return { storage: memory.storage, close: async () => {} }
}

function newMemory() {
  const memory = { clock: systemClock, storage: undefined }
  const { ledger, ...others } = memoryStorage({ clock: { ...systemClock, now: () => memory.clock.now() } })
  // Whoever closes it is not the only one who has it.
  memory.storage = { ...others, ledger: { ...ledger, close: async () => {} } }
  return memory
}

async function openSqlite({ file }, options) {
  const [{ sqlite }, { default: Database }] = await Promise.all([import('@farebox/sqlite'), import('libsql')])
  const database = new Database(file)
  return closing(sqlite(database, options), () => database.close())
}

async function openPostgres({ url, connections = 4 }, options) {
  const [{ postgres }, { default: pg }] = await Promise.all([import('@farebox/postgres'), import('pg')])
  const pool = new pg.Pool({ connectionString: url, max: connections })
  return closing(postgres(pool, options), () => pool.end())
}

async function openRedis({ url }, options) {
  const [{ redis }, { createClient }] = await Promise.all([import('@farebox/redis'), import('redis')])
  const client = createClient({ url, socket: { reconnectStrategy: 10 } })
  client.on('error', () => {})
  await client.connect()
  return closing(redis(client, options), () => client.destroy())
}

/** `ports` says by which port a node is reached instead of its own. */
async function openCluster({ urls, ports = {} }, options) {
  const [{ redis }, { createCluster }] = await Promise.all([import('@farebox/redis'), import('redis')])
  const client = createCluster({
    rootNodes: urls.map((url) => ({ url })),
    defaults: { socket: { reconnectStrategy: 10 } },
    nodeAddressMap(nodeAddress) {
      const port = Number(nodeAddress.slice(nodeAddress.lastIndexOf(':') + 1))
      return { host: '127.0.0.1', port: ports[port] ?? port }
    },
  })
  client.on('error', () => {})
  await client.connect()
  return closing(redis(client, options), () => client.destroy())
}

function closing(storage, end) {
  return {
    storage,
    async close() {
      await storage.ledger.close()
      await end()
    },
  }
}
