import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStorage, type Storage } from '@farebox/core'
import { migrate, postgres } from '@farebox/postgres'
import { redis } from '@farebox/redis'
import { sqlite } from '@farebox/sqlite'
import { hasPostgres, hasRedis, startPostgres, startRedis, startRedisCluster } from '@farebox/testkit/servers'
import Database from 'libsql'
import pg from 'pg'
import { createClient, createCluster } from 'redis'

/** A kind of storage, on a server of the test's own where it needs one. */
export interface StorageKind {
  /** Whether its server is on this machine. */
  readonly isHere: boolean
  /** Starts the server. What is to be undone at the end of all tests is added to `undo`. */
  open(undo: (() => unknown)[]): Promise<OpenStorage>
}

/** Opens an empty storage, once for each of so many processes. */
export type OpenStorage = (processes?: number) => Promise<readonly [Storage, ...Storage[]]>

let made = 0

/** Every kind of storage there is. */
export const storageKinds: Readonly<Record<string, StorageKind>> = {
  memory: {
    isHere: true,
    open: async () => async (processes) => {
      const storage = memoryStorage()
      return times(processes, () => storage)
    },
  },
  SQLite: {
    isHere: true,
    async open(undo) {
      const folder = mkdtempSync(join(tmpdir(), 'farebox-kinds-'))
      undo.push(() => rmSync(folder, { recursive: true, force: true }))
      return async (processes) => {
        made += 1
        const file = join(folder, `${made}.db`)
        return times(processes, () => sqlite(new Database(file)))
      }
    },
  },
  PostgreSQL: {
    isHere: hasPostgres(),
    async open(undo) {
      const server = await startPostgres({ settings: { fsync: 'off' } })
      const pool = new pg.Pool({ connectionString: server.url, max: 8 })
      undo.push(async () => {
        await pool.end()
        await server.stop()
      })
      return async (processes) => {
        made += 1
        const schema = `kind_${made}`
        await migrate(pool, { schema })
        return times(processes, () => postgres(pool, { schema, acceptsLoss: true }))
      }
    },
  },
  Redis: {
    isHere: hasRedis(),
    async open(undo) {
      const server = await startRedis()
      const client = createClient({ url: server.url })
      client.on('error', () => {})
      await client.connect()
      undo.push(async () => {
        client.destroy()
        await server.stop()
      })
      return async (processes) => {
        made += 1
        const prefix = `kind-${made}`
        return times(processes, () => redis(client, { prefix }))
      }
    },
  },
  'Redis Cluster': {
    isHere: hasRedis(),
    async open(undo) {
      const cluster = await startRedisCluster()
      const client = createCluster({ rootNodes: cluster.urls.map((url) => ({ url })) })
      client.on('error', () => {})
      await client.connect()
      undo.push(async () => {
        client.destroy()
        await cluster.stop()
      })
      return async (processes) => {
        made += 1
        const prefix = `kind-${made}`
        return times(processes, () => redis(client, { prefix }))
      }
    },
  },
}

function times(processes = 1, open: () => Storage): readonly [Storage, ...Storage[]] {
  return [open(), ...Array.from({ length: processes - 1 }, open)]
}
