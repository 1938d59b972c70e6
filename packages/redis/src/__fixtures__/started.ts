import { createClient, createCluster } from 'redis'
import { afterAll, beforeAll } from 'vitest'
import {
  type RedisCluster,
  type RedisServer,
  startRedis,
  startRedisCluster,
} from '../../../testkit/src/servers/redis.ts'

/** A server for the tests of a `describe`, and a client that is connected to it. */
export function startedServer(settings: Readonly<Record<string, string>> = {}) {
  return started(async () => {
    const server = await startRedis(settings)
    return { server, client: createClient({ url: server.url }) }
  })
}

/** The same with a cluster of three nodes. */
export function startedCluster() {
  return started(async () => {
    const server = await startRedisCluster()
    return { server, client: createCluster({ rootNodes: server.urls.map((url) => ({ url })) }) }
  })
}

interface Connected {
  on(event: 'error', listener: () => void): unknown
  connect(): Promise<unknown>
  destroy(): void
}

function started<S extends RedisServer | RedisCluster, C extends Connected>(
  start: () => Promise<{ readonly server: S; readonly client: C }>,
) {
  let both: { readonly server: S; readonly client: C } | undefined
  const startedNow = () => {
    if (both === undefined) throw new Error('The server is started before the first test, not sooner.')
    return both
  }
  beforeAll(async () => {
    both = await start()
    both.client.on('error', () => {})
    await both.client.connect()
  })
  afterAll(async () => {
    both?.client.destroy()
    await both?.server.stop()
  })
  return {
    get server() {
      return startedNow().server
    },
    get client() {
      return startedNow().client
    },
  }
}
