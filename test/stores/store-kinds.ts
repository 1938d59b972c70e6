import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '@farebox/postgres'
import { type OpenedStorage, type OpenOptions, openStorage, type StorePlace } from '@farebox/testkit/load'
import { hasPostgres, hasRedis, startPostgres, startRedis, startRedisCluster } from '@farebox/testkit/servers'
import Database from 'libsql'
import pg from 'pg'
import { afterAll, beforeAll, describe } from 'vitest'
import { type Detour, detour, disturbed } from './proxied.ts'
import { lockedOut, slowed } from './slowed.ts'

/** A store whose way can be made long, or cut. */
export interface DisturbedStorage extends OpenedStorage {
  /** Delays what is asked, and what is answered, from now on. */
  delay(ms: number): void
  /** Whether nothing reaches the store any more. */
  cutOff(isCut: boolean): Promise<void>
}

export interface DisturbOptions extends OpenOptions {
  /** Waits for its server as long as it usually does, instead of a moment. @default false */
  readonly isPatient?: boolean
}

/** A kind of store with its server, for the tests of one file. */
export interface StoreServer extends StorePlace {
  open(address: string, options?: OpenOptions): Promise<OpenedStorage>
  disturb(address: string, options?: DisturbOptions): Promise<DisturbedStorage>
  /** Puts a proxy before the servers; only where there are any. */
  detour?(address: string): Promise<Detour>
  /** What the server itself counts, where there is one. */
  counts(): Promise<ServerCounts>
  stop(): Promise<void>
}

export interface ServerCounts {
  /** Open now, without the one that asks. */
  readonly connections: number
  /** Since it was started. */
  readonly deadlocks: number
}

export interface StoreKind {
  readonly name: string
  readonly isThere: boolean
  start(options: StartOptions): Promise<StoreServer>
}

export interface StartOptions {
  /** Whether an answered write survives a crash of the server. @default false: the tests are faster */
  readonly isDurable?: boolean
}

const module = new URL('./open.js', import.meta.url)
/** Out of reach is told soon: no test waits for the usual five seconds. */
function patienceOf({ isPatient = false }: DisturbOptions = {}): object {
  return isPatient ? {} : { waitTimeoutMs: 1_500, answerTimeoutMs: 2_000 }
}

/** Every storage there is. */
export const storeKinds: readonly StoreKind[] = [
  { name: 'memory', isThere: true, start: startMemory },
  { name: 'SQLite', isThere: true, start: startSqlite },
  { name: 'PostgreSQL', isThere: hasPostgres(), start: startPostgresKind },
  { name: 'Redis', isThere: hasRedis(), start: startRedisKind },
  { name: 'Redis Cluster', isThere: hasRedis(), start: startClusterKind },
]

/** Defines the same tests for each kind of store. One server of each serves all of them. */
export function describeStores(
  title: string,
  define: (server: () => StoreServer, kind: StoreKind) => void,
  options: StartOptions & { readonly kinds?: readonly StoreKind[] } = {},
): void {
  for (const kind of options.kinds ?? storeKinds) {
    describe.skipIf(!kind.isThere)(`${title} on ${kind.name}`, () => {
      let server: StoreServer
      beforeAll(async () => {
        server = await kind.start(options)
      })
      afterAll(() => server.stop())
      define(() => server, kind)
    })
  }
}

const nothingCounted = async (): Promise<ServerCounts> => ({ connections: 0, deadlocks: 0 })

async function startMemory(): Promise<StoreServer> {
  return {
    module,
    isShared: false,
    create: async () => JSON.stringify({ kind: 'memory', name: nextName('memory') }),
    open: (address, options) => openStorage(module, address, options),
    disturb: async (address, options) => slowed(await openStorage(module, address, options)),
    counts: nothingCounted,
    stop: async () => undefined,
  }
}

/** A process whose turn never comes waits in vain for this long too; one on a machine at full load gets it. */
const patient = { busyTimeoutMs: 20_000 }

async function startSqlite(): Promise<StoreServer> {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-stores-'))
  return {
    module,
    isShared: true,
    create: async () =>
      JSON.stringify({ kind: 'sqlite', file: join(folder, `${nextName('file')}.db`), options: patient }),
    open: (address, options) => openStorage(module, address, options),
    async disturb(address, options) {
      const place = JSON.parse(address) as { readonly file: string }
      const impatient = { ...place, options: { busyTimeoutMs: 500 } }
      return lockedOut(slowed(await openStorage(module, JSON.stringify(impatient), options)), place.file)
    },
    async check(address) {
      const { file } = JSON.parse(address) as { readonly file: string }
      const database = new Database(file)
      assert.deepEqual(database.prepare('PRAGMA integrity_check').all(), [{ integrity_check: 'ok' }])
      database.close()
    },
    counts: nothingCounted,
    stop: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function startPostgresKind({ isDurable = false }: StartOptions): Promise<StoreServer> {
  const server = await startPostgres(isDurable ? {} : { settings: { fsync: 'off' } })
  const admin = new pg.Pool({ connectionString: server.url, max: 1 })
  const way = (address: string) =>
    detour(module, [server.port], (ports) => ({
      ...JSON.parse(address),
      url: server.url.replace(`:${server.port}`, `:${ports[server.port]}`),
    }))
  return {
    module,
    isShared: true,
    async create() {
      const schema = nextName('store')
      await migrate(admin, { schema })
      const options = isDurable ? { schema } : { schema, acceptsLoss: true }
      return JSON.stringify({ kind: 'postgres', url: server.url, options })
    },
    open: (address, options) => openStorage(module, address, options),
    disturb: async (address, options) => disturbed(await way(address), patienceOf(options), options),
    detour: way,
    async counts() {
      const { rows } = await admin.query<ServerCounts>(
        `SELECT (SELECT count(*)::integer FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS connections,
          (SELECT sum(deadlocks)::integer FROM pg_stat_database) AS deadlocks`,
      )
      return rows[0] ?? { connections: 0, deadlocks: 0 }
    },
    async stop() {
      await admin.end()
      await server.stop()
    },
  }
}

async function startRedisKind({ isDurable = false }: StartOptions): Promise<StoreServer> {
  const server = await startRedis(isDurable ? { appendonly: 'yes', appendfsync: 'always' } : {})
  const way = (address: string) =>
    detour(module, [server.port], (ports) => ({
      ...JSON.parse(address),
      url: `redis://127.0.0.1:${ports[server.port]}`,
    }))
  return {
    module,
    isShared: true,
    create: async () =>
      JSON.stringify({ kind: 'redis', url: server.url, options: { prefix: nextName('store') } }),
    open: (address, options) => openStorage(module, address, options),
    disturb: async (address, options) => disturbed(await way(address), patienceOf(options), options),
    detour: way,
    counts: () => countRedis([server]),
    stop: () => server.stop(),
  }
}

async function startClusterKind({ isDurable = false }: StartOptions): Promise<StoreServer> {
  const cluster = await startRedisCluster(
    isDurable ? { settings: { appendonly: 'yes', appendfsync: 'always' } } : {},
  )
  const nodePorts = cluster.nodes.map(({ port }) => port)
  const way = (address: string) =>
    detour(module, nodePorts, (ports) => ({
      ...JSON.parse(address),
      urls: nodePorts.map((port) => `redis://127.0.0.1:${ports[port]}`),
      ports,
    }))
  return {
    module,
    isShared: true,
    create: async () =>
      JSON.stringify({ kind: 'cluster', urls: cluster.urls, options: { prefix: nextName('store') } }),
    open: (address, options) => openStorage(module, address, options),
    disturb: async (address, options) => disturbed(await way(address), patienceOf(options), options),
    detour: way,
    counts: () => countRedis(cluster.nodes),
    stop: () => cluster.stop(),
  }
}

async function countRedis(
  nodes: readonly { ask(...command: readonly string[]): Promise<string> }[],
): Promise<ServerCounts> {
  const answers = await Promise.all(nodes.map((node) => node.ask('INFO', 'clients')))
  const connections = answers.map((answer) => Number(/connected_clients:(\d+)/.exec(answer)?.[1]) - 1)
  return { connections: connections.reduce((sum, count) => sum + count, 0), deadlocks: 0 }
}

let names = 0
function nextName(what: string): string {
  names += 1
  return `${what}_${names}`
}
