import { isOutcomeUnknown, isUnavailable, OutcomeUnknown, Unavailable } from '@farebox/core'

/**
 * Answers with which a server says that it did nothing. https://redis.io/docs/latest/develop/reference/protocol-spec and the
 * sources of Redis 7.0, read on 2026-11-26. A script gives them at its first write, so nothing of it was done.
 */
const messageByCode: Readonly<Record<string, string>> = {
  ASK: 'Redis Cluster is moving the account to another node.',
  BUSY: 'Redis is busy with a script of somebody else.',
  CLUSTERDOWN: 'Redis Cluster is down.',
  CROSSSLOT: 'Redis Cluster refuses keys of several slots: the store has a fault.',
  LOADING: 'Redis is loading its data.',
  MASTERDOWN: 'Redis has lost its primary.',
  MISCONF: 'Redis cannot write its data to the disk and takes no writes.',
  MOVED: 'Redis Cluster has moved the account to another node.',
  NOAUTH: 'Redis wants a password.',
  NOREPLICAS: 'Redis has not enough replicas and takes no writes.',
  OOM: 'Redis is out of memory (maxmemory).',
  READONLY: 'Redis is read-only: it is a replica.',
  TRYAGAIN: 'Redis Cluster is moving the account to another node.',
  WRONGPASS: 'Redis refuses this password.',
}

/** What node-redis says when it has not sent the command, by the name of the class or by the message. */
const unsent: readonly (readonly [RegExp, string])[] = [
  [/AbortError|The command was aborted/, 'The command could not be sent to Redis in time.'],
  [
    /ClientClosedError|The client is closed/,
    'The Redis client is closed: connect() it first, and close the gateway before it.',
  ],
  [/ClientOfflineError|The client is offline/, 'The Redis client has no connection.'],
  [/The queue is full/, 'The queue of the Redis client is full.'],
  [
    /RootNodesUnavailableError|All the root nodes are unavailable/,
    'No node of Redis Cluster can be reached.',
  ],
  [/MaxCommandRedirectionsError/, 'Redis Cluster keeps pointing to other nodes.'],
  [/Cannot find node/, 'Redis Cluster points to a node that is not known.'],
]

/** The code of an answer that is an error, also inside what older servers say of scripts. */
export function codeOf(error: unknown): string | undefined {
  const message = messageOf(error)
  const code = /^([A-Z]{2,})\b/.exec(message)?.[1]
  if (code === undefined || code !== 'ERR') return code
  return /-([A-Z]{3,})\b/.exec(message)?.[1] ?? code
}

/** What became of a write that failed. */
export function writeFault(cause: unknown): Unavailable | OutcomeUnknown {
  if (isUnavailable(cause) || isOutcomeUnknown(cause)) return cause
  const refusal = refusalOf(cause)
  if (refusal !== undefined) return new Unavailable(refusal, { cause })
  return new OutcomeUnknown(`Nobody knows whether the write was applied. ${describeFault(cause)}`, { cause })
}

/** For what surely applied nothing. */
export function unavailable(cause: unknown): Unavailable {
  if (isUnavailable(cause)) return cause
  return new Unavailable(refusalOf(cause) ?? describeFault(cause), { cause })
}

function refusalOf(error: unknown): string | undefined {
  const code = codeOf(error)
  if (code !== undefined && messageByCode[code] !== undefined) return messageByCode[code]
  const text = `${error instanceof Error ? error.constructor.name : ''} ${messageOf(error)}`
  return unsent.find(([pattern]) => pattern.test(text))?.[1]
}

function describeFault(error: unknown): string {
  if (isOutcomeUnknown(error)) return error.message
  if (codeOf(error) === 'NOPERM') return 'The user may not do what the store needs in Redis.'
  if (/[Ss]ocket|ECONN|EPIPE|ETIMEDOUT|Disconnects/.test(messageOf(error)))
    return 'The connection to Redis was lost.'
  return 'Redis failed.'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}
