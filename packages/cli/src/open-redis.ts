import type { Storage } from '@farebox/core'
import { type RedisClient, type RedisCluster, redis } from '@farebox/redis'
import { requireDriver } from './require-driver.ts'
import { CommandError, UsageError } from './terminal.ts'

interface Connected {
  on(event: 'error', listener: () => void): unknown
  connect(): Promise<unknown>
  destroy(): void
}

interface Driver {
  createClient(options: object): RedisClient & Connected
  createCluster(options: object): RedisCluster & Connected
}

export interface RedisPlace {
  /** Of a server, or of any node of a cluster. */
  readonly url: string
  readonly prefix: string
  /** Where the host's packages are looked for. */
  readonly folder: string
}

/** What the names of keys start with unless a call says otherwise. */
export const usualPrefix: string = 'farebox'

/** Who only reads waits for the first connection, and for no other one. */
const socket = { connectTimeout: 10_000, reconnectStrategy: false } as const

/**
 * Opens what `@farebox/redis` keeps on a server or in a cluster, by the driver of the host. The server says which of both it is.
 *
 * @throws UsageError when the URL or the prefix cannot be one. @throws CommandError when there is no driver, or no server.
 */
export async function openRedis({
  url,
  prefix,
  folder,
}: RedisPlace): Promise<{ readonly storage: Storage; close(): Promise<void> }> {
  const address = parse(url)
  const driver = requireDriver('redis', folder) as Driver
  const server = driver.createClient({ url, socket })
  await connect(server, address)
  try {
    const client = (await isOfCluster(server, address)) ? clusterOf(driver, url, address) : server
    if (client !== server) {
      server.destroy()
      await connect(client, address)
    }
    return opened(client, prefix)
  } catch (error) {
    if (server.isReady === true) server.destroy()
    throw error
  }
}

function opened(
  client: (RedisClient | RedisCluster) & Connected,
  prefix: string,
): { readonly storage: Storage; close(): Promise<void> } {
  try {
    return {
      storage: redis(client, { prefix, onEvent: () => undefined }),
      close: async () => client.destroy(),
    }
  } catch (error) {
    client.destroy()
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** Nodes are asked for by what they call themselves, with the name and password of the URL. */
function clusterOf(driver: Driver, url: string, address: URL): RedisCluster & Connected {
  const { username, password, protocol } = address
  const credentials = {
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
  }
  const tls = protocol === 'rediss:' ? { tls: true } : {}
  return driver.createCluster({
    rootNodes: [{ url }],
    defaults: { ...credentials, socket: { ...socket, ...tls } },
  })
}

async function connect(client: Connected, { host }: URL): Promise<void> {
  // Whoever waits for an answer hears of it; this only keeps it from ending the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (cause) {
    // By its host alone: the URL may have a password.
    throw new CommandError(`The Redis server at ${host} cannot be reached.`, { cause })
  }
}

async function isOfCluster(client: RedisClient, { host }: URL): Promise<boolean> {
  try {
    return /^cluster_enabled:1/m.test(String(await client.sendCommand(['INFO', 'cluster'])))
  } catch (cause) {
    throw new CommandError(`The Redis server at ${host} does not let this user look.`, { cause })
  }
}

function parse(url: string): URL {
  const address = URL.canParse(url) ? new URL(url) : undefined
  if (address?.protocol === 'redis:' || address?.protocol === 'rediss:') return address
  throw new UsageError('--redis takes a URL such as redis://user:password@host:6379.')
}
