import { type Key, Unavailable } from '@farebox/core'
import {
  type AccountCache,
  type AccountDraft,
  accountOf,
  type CachedAccount,
  type Call,
  type Contention,
  type StoreClock,
} from '@farebox/core/batching'
import type { Reading } from './reading.ts'
import type { ReadRequest, Tables, WriteRequest } from './tables.ts'

/** A version comes once: it says which state of an account is meant. */
type Version = bigint

/** What a batch is run with. */
export interface BatchContext {
  readonly tables: Tables
  readonly cache: AccountCache<CachedAccount<Version>>
  readonly clock: StoreClock
  readonly races: Contention
}

/** Calls of one account. */
export interface Batch {
  readonly accountId: string
  readonly calls: readonly Call[]
}

/** What calls are decided on. */
export interface Knowledge {
  readonly stored: CachedAccount<Version>
  readonly reading?: Reading
  readonly now: number
  /** How far `now` may be from the server's time when the write gets there. */
  readonly toleranceMs: number
}

/** What is remembered of an account; `undefined` when it has to be read. */
export function recall({ cache, clock }: BatchContext, accountId: string): Knowledge | undefined {
  const stored = cache.get(accountId)
  const now = clock.now()
  return stored && now !== undefined ? { stored, now, toleranceMs: clock.toleranceMs } : undefined
}

const dueReadMax = 2000

/** Everything these calls need to know of their account. */
export function readRequest(
  { clock }: BatchContext,
  { accountId, calls }: Batch,
  alsoKeys: Iterable<Key> = [],
): ReadRequest {
  const hostNow = clock.isHosts ? (clock.now() ?? 0) : 0
  const dueMax = calls.reduce((sum, call) => sum + call.dueMax + 1, 0)
  return {
    accountId,
    keys: [...new Set([...calls.flatMap(({ keys }) => keys), ...alsoKeys])],
    now: hostNow,
    dueBy: calls.reduce((latest, { dueBy }) => Math.max(latest, dueBy), hostNow),
    dueMax: Math.min(dueMax, dueReadMax),
  }
}

/** @throws Unavailable when it was read from a server that takes no writes. */
export function knowledgeOf(
  { cache, clock }: BatchContext,
  request: ReadRequest,
  reading: Reading,
): Knowledge {
  clock.learn(reading.serverMs)
  if (reading.isReadOnly) {
    throw new Unavailable('The database is read-only: it is a standby, or writing was turned off.')
  }
  return {
    stored: accountOf(reading, cache.get(request.accountId), (a, b) => a === b),
    reading,
    now: clock.isHosts ? request.now : reading.serverMs,
    toleranceMs: Number.POSITIVE_INFINITY,
  }
}

/** Expired records are deleted after this many others were written, twice as many: forgetting keeps up in small steps. */
const writesPerPurge = 64

export function writeRequest(
  accountId: string,
  draft: AccountDraft<Version>,
  { now, toleranceMs }: Knowledge,
): WriteRequest {
  const changes = draft.changes()
  const purgeMax = changes.unpurged < writesPerPurge ? 0 : 2 * changes.unpurged
  return { accountId, changes, absent: draft.assumed(), now, toleranceMs, purgeMax }
}
