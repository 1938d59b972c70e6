/** What a command is sent with, of what node-redis knows. */
export interface RedisCommandOptions {
  /** Takes the command back as long as it was not sent. */
  readonly abortSignal?: AbortSignal
  /** Empty: texts come as texts, whatever the host's own commands get. */
  readonly typeMapping?: Record<never, never>
  /** None: the store has limits of its own, and the driver's costs a timer for each command. */
  readonly timeout?: 0
}

export type RedisArgument = string | Buffer

/** A client of your own `redis`, connected. It may be shared with the rest of the host. */
export interface RedisClient {
  /** Whether there is a connection now. */
  readonly isReady?: boolean
  sendCommand(args: readonly RedisArgument[], options?: RedisCommandOptions): Promise<unknown>
}

/** A cluster client of your own `redis`, connected. */
export interface RedisCluster {
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: readonly RedisArgument[],
    options?: RedisCommandOptions,
  ): Promise<unknown>
  readonly masters: readonly object[]
  /** By slot: which node has it. */
  readonly slots: readonly { readonly master: object }[]
  nodeClient(node: never): RedisClient | Promise<RedisClient>
}

export function isCluster(client: RedisClient | RedisCluster): client is RedisCluster {
  return 'nodeClient' in client
}

/** The clients of all masters, or the only one. */
export async function nodesOf(client: RedisClient | RedisCluster): Promise<readonly RedisClient[]> {
  if (!isCluster(client)) return [client]
  return Promise.all(client.masters.map((node) => client.nodeClient(node as never)))
}
