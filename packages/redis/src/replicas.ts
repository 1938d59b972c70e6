import { OutcomeUnknown } from '@farebox/core'
import {
  isCluster,
  type RedisArgument,
  type RedisClient,
  type RedisCluster,
  type RedisCommandOptions,
} from './client.ts'
import { codeOf } from './fault.ts'
import { slotOf } from './slot.ts'

/** How many replicas have to confirm a write, and for how long to wait for them. */
export interface Replicas {
  readonly replicas: number
  readonly timeoutMs: number
}

export interface ReplicatedCommand {
  readonly key: string
  readonly args: readonly RedisArgument[]
  readonly commandOptions: RedisCommandOptions
  readonly replicas: Replicas
}

/**
 * Sends a command, and on the same connection asks how many replicas have it.
 *
 * A connection that was lost in between would be followed by another one, on which nothing was written, so that nothing
 * is waited for: the number of the connection before and after tells.
 *
 * @throws OutcomeUnknown when too few have confirmed it.
 */
export async function waitForReplicas(
  client: RedisClient | RedisCluster,
  { key, args, commandOptions, replicas: { replicas, timeoutMs } }: ReplicatedCommand,
): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    const node = await nodeOf(client, key)
    const send = (command: readonly RedisArgument[]) => node.sendCommand(command, commandOptions)
    const [before, answer, count, after] = await Promise.allSettled([
      send(['CLIENT', 'ID']),
      send(args),
      send(['WAIT', String(replicas), String(timeoutMs)]),
      send(['CLIENT', 'ID']),
    ])
    if (answer.status === 'rejected') {
      if (isCluster(client) && isRedirect(answer.reason) && attempt < 3) {
        // The client learns of its own where the slot is now, by a command that changes nothing.
        await client.sendCommand(key, false, ['PERSIST', key], commandOptions)
        continue
      }
      throw answer.reason
    }
    const isSame =
      before.status === 'fulfilled' && after.status === 'fulfilled' && before.value === after.value
    if (isSame && count.status === 'fulfilled' && Number(count.value) >= replicas) return answer.value
    throw new OutcomeUnknown(
      `The write was applied, but fewer than ${replicas} replicas have confirmed it within ${timeoutMs} ms.`,
    )
  }
}

function nodeOf(client: RedisClient | RedisCluster, key: string): RedisClient | Promise<RedisClient> {
  if (!isCluster(client)) return client
  const node = client.slots[slotOf(key)]?.master
  if (node === undefined) throw new Error('Cannot find node')
  return client.nodeClient(node as never)
}

function isRedirect(error: unknown): boolean {
  return codeOf(error) === 'MOVED' || codeOf(error) === 'ASK'
}
