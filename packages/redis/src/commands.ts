import { OutcomeUnknown } from '@farebox/core'
import {
  isCluster,
  type RedisArgument,
  type RedisClient,
  type RedisCluster,
  type RedisCommandOptions,
} from './client.ts'
import { codeOf, unavailable, writeFault } from './fault.ts'
import { type Replicas, waitForReplicas } from './replicas.ts'
import type { Script } from './scripts.ts'

/** Runs scripts on the node that has their keys, each within a bounded time. */
export interface Commands {
  /** @throws Unavailable whatever goes wrong. */
  read(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>
  /** @throws Unavailable when surely nothing was applied. @throws OutcomeUnknown */
  write(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>
}

export interface CommandOptions {
  /** How long a command may wait until it is sent. */
  readonly waitTimeoutMs: number
  /** How long the whole may take. */
  readonly answerTimeoutMs: number
  readonly replicas: Replicas | undefined
  readonly chance: () => number
  /** Done before every command. `undefined` when there is nothing to wait for. */
  readonly prepare: () => Promise<void> | undefined
}

/** While a slot moves, the keys of an account come one by one: a moment later they are together again. */
const movingAttemptsMax = 12

export function commands(client: RedisClient | RedisCluster, options: CommandOptions): Commands {
  const { waitTimeoutMs, answerTimeoutMs, replicas, chance, prepare } = options

  function send(key: string, args: readonly RedisArgument[], isWrite: boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      // A client with a connection sends at once: then there is nothing to take back.
      const controller = isReady(client) ? undefined : new AbortController()
      const sendOptions =
        controller === undefined ? plainOptions : { ...plainOptions, abortSignal: controller.signal }
      let timer = setTimeout(() => {
        // Takes back what has not been sent. What has been sent is waited for a while longer.
        controller?.abort()
        timer = setTimeout(
          () => reject(new OutcomeUnknown(`Redis did not answer within ${answerTimeoutMs} ms.`)),
          Math.max(0, answerTimeoutMs - waitTimeoutMs),
        )
      }, waitTimeoutMs)
      sendTo(key, args, { isWrite, sendOptions }).then(
        (answer) => {
          clearTimeout(timer)
          resolve(answer)
        },
        (error: unknown) => {
          clearTimeout(timer)
          reject(error)
        },
      )
    })
  }

  function sendTo(
    key: string,
    args: readonly RedisArgument[],
    { isWrite, sendOptions }: { readonly isWrite: boolean; readonly sendOptions: RedisCommandOptions },
  ): Promise<unknown> {
    if (isWrite && replicas !== undefined) {
      return waitForReplicas(client, { key, args, commandOptions: sendOptions, replicas })
    }
    return isCluster(client)
      ? client.sendCommand(key, false, args, sendOptions)
      : client.sendCommand(args, sendOptions)
  }

  async function run(
    { sha, text }: Script,
    { keys, args, isWrite }: { keys: readonly string[]; args: readonly RedisArgument[]; isWrite: boolean },
  ): Promise<unknown> {
    const preparing = prepare()
    if (preparing !== undefined) await preparing
    const key = keys[0] as string
    const command = ['EVALSHA', sha, String(keys.length), ...keys, ...args]
    const end = performance.now() + waitTimeoutMs
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await send(key, command, isWrite)
      } catch (error) {
        const code = codeOf(error)
        if (code === 'NOSCRIPT' && command[0] === 'EVALSHA') {
          // A node that was restarted, or whose scripts were flushed: the text tells it again.
          command.splice(0, 2, 'EVAL', text)
        } else {
          if (!isMoving(code) || attempt >= movingAttemptsMax || performance.now() > end) throw error
          await pause(Math.min(2 ** attempt, 250) * (0.5 + chance()))
        }
      }
    }
  }

  return {
    async read(script, keys, args) {
      try {
        return await run(script, { keys, args, isWrite: false })
      } catch (error) {
        throw unavailable(error)
      }
    },
    async write(script, keys, args) {
      try {
        return await run(script, { keys, args, isWrite: true })
      } catch (error) {
        throw writeFault(error)
      }
    },
  }
}

/** Nothing was done, and will be soon. The client follows most of it by itself. */
function isMoving(code: string | undefined): boolean {
  return code === 'TRYAGAIN' || code === 'MOVED' || code === 'ASK'
}

const plainOptions: RedisCommandOptions = { typeMapping: {}, timeout: 0 }

function isReady(client: RedisClient | RedisCluster): boolean {
  return 'isReady' in client && client.isReady === true
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
