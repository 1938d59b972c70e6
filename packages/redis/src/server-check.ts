import { type StoreTraits, Unavailable } from '@farebox/core'
import { nodesOf, type RedisClient, type RedisCluster } from './client.ts'
import type { RedisEvent } from './event.ts'
import { unavailable } from './fault.ts'

export interface ServerCheck {
  /** What the servers promise of an answered write, as far as they were asked. */
  readonly durability: StoreTraits['durability']
  /**
   * Looks at the servers at first use, and again now and then in passing: settings change, and so does who is in charge.
   * `undefined` when they are known to be fit.
   *
   * @throws Unavailable when a server would throw keys away to save memory, or is a replica.
   */
  ensure(): Promise<void> | undefined
}

export interface ServerCheckOptions {
  readonly client: RedisClient | RedisCluster
  readonly answerTimeoutMs: number
  readonly onEvent: (event: RedisEvent) => void
}

const lookEveryMs = 60_000
const lookAgainMs = 5000

export function serverCheck({ client, answerTimeoutMs, onEvent }: ServerCheckOptions): ServerCheck {
  let durability: StoreTraits['durability'] = 'async-replica'
  let isFit = false
  let lookedAtMs = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | undefined
  let wasWarned = false

  async function look(): Promise<void> {
    lookedAtMs = performance.now()
    const nodes = await nodesOf(client)
    const asked = await Promise.allSettled(nodes.map((node) => readInfo(node, answerTimeoutMs)))
    const infos = asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    const [failed] = asked.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
    if (infos.length === 0) throw failed
    // A node of a cluster that is down keeps nobody from the others, and is asked soon.
    if (failed !== undefined) lookedAtMs -= lookEveryMs - lookAgainMs
    for (const info of infos) checkInfo(info)
    if (infos.some(({ policy }) => policy === undefined) && !wasWarned) {
      wasWarned = true
      onEvent({ kind: 'settings-unknown', message: unknownPolicy })
    }
    durability = weakest(infos)
  }

  function lookOnce(): Promise<void> {
    looking ??= look()
      .then(
        () => {
          isFit = true
        },
        (cause: unknown) => {
          const error = unavailable(cause)
          // A server that can not be asked now was fit before; the next command tells how it is.
          if (error.cause === undefined) isFit = false
          throw error
        },
      )
      .finally(() => {
        looking = undefined
      })
    return looking
  }

  return {
    get durability() {
      return durability
    },
    ensure() {
      if (!isFit) return lookOnce()
      if (performance.now() - lookedAtMs > lookEveryMs) lookOnce().catch(() => {})
      return undefined
    },
  }
}

const unknownPolicy =
  'Redis does not tell its maxmemory-policy. Make sure that it is noeviction: with any other, it may throw accounts away.'

interface ServerInfo {
  readonly policy: string | undefined
  readonly role: string | undefined
  readonly replicaCount: number
  readonly hasAppendOnly: boolean
  readonly appendFsync: string | undefined
}

function checkInfo({ policy, role }: ServerInfo): void {
  if (role === 'slave') throw new Unavailable('Redis is a replica: connect to its primary.')
  if (policy === undefined || policy === 'noeviction') return
  throw new Unavailable(
    `Redis would throw accounts away when its memory is full: maxmemory-policy is ${policy}. ` +
      'Set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf), and use another server for caches.',
  )
}

/** The loss of which machine is survived, by the server that promises the least. */
function weakest(infos: readonly ServerInfo[]): StoreTraits['durability'] {
  const promised = infos.map(({ replicaCount, hasAppendOnly, appendFsync }) => {
    if (replicaCount > 0) return 'async-replica'
    return hasAppendOnly && appendFsync === 'always' ? 'local-fsync' : 'none'
  })
  return promised.includes('none')
    ? 'none'
    : promised.includes('local-fsync')
      ? 'local-fsync'
      : 'async-replica'
}

async function readInfo(node: RedisClient, timeoutMs: number): Promise<ServerInfo> {
  const ask = (...args: readonly string[]): Promise<unknown> =>
    node.sendCommand(args, { abortSignal: AbortSignal.timeout(timeoutMs), typeMapping: {} })
  const text = String(await ask('INFO'))
  const settingOf = (name: string): string | undefined =>
    new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1]
  // Many hosted servers forbid CONFIG; then nobody knows, and nothing is promised.
  const fsync = await ask('CONFIG', 'GET', 'appendfsync').catch(() => undefined)
  return {
    policy: settingOf('maxmemory_policy'),
    role: settingOf('role'),
    replicaCount: Number(settingOf('connected_slaves') ?? 0),
    hasAppendOnly: settingOf('aof_enabled') === '1',
    appendFsync: fsyncOf(fsync),
  }
}

/** A list with the older protocol, an object with the newer. */
function fsyncOf(answer: unknown): string | undefined {
  if (Array.isArray(answer)) return String(answer[1])
  if (typeof answer === 'object' && answer !== null && 'appendfsync' in answer)
    return String(answer.appendfsync)
  return undefined
}
