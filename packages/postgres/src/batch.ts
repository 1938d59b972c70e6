import { type Key, Unavailable } from '@farebox/core'
import { decideAll, draftAccount, type Outcome } from '@farebox/core/batching'
import type { Connection } from './connections.ts'
import { isContention, isRefused, unavailable, writeFault } from './fault.ts'
import {
  type Batch,
  type BatchContext,
  type Knowledge,
  knowledgeOf,
  readRequest,
  recall,
  writeRequest,
} from './knowledge.ts'
import type { Tables, WriteRequest } from './tables.ts'

/**
 * Decides calls of one account and commits what they write. Gives an outcome for each of the first calls, in their order; the
 * rest is to be run again.
 *
 * @throws Unavailable when none was applied.
 */
export type RunBatch = (
  connection: Connection,
  batch: Batch,
  /** Told when the account's turn is waited for, which may take a while. */
  onQueue: () => void,
) => Promise<readonly Outcome[]>

/**
 * How an attempt knows the account. `remembered` costs no way to the server, but a decision holds only if the write that
 * carries it succeeds. `read` decides on what is there now, and a write may still lose a race. `queued` waits for the
 * account's turn among all processes and then cannot lose.
 */
type Basis = 'remembered' | 'read' | 'queued'

/** A queued attempt is lost only when a record exists that was to be created, and the next one reads it. */
const attemptsMax = 8

export function batchRunner(context: BatchContext): RunBatch {
  const { tables, cache, clock, races } = context

  async function ask(
    connection: Connection,
    isQueued: boolean,
    { batch, alsoKeys }: { readonly batch: Batch; readonly alsoKeys: Iterable<Key> },
  ): Promise<Knowledge> {
    const request = readRequest(context, batch, alsoKeys)
    const reading = await (isQueued
      ? tables.lockAndRead(connection, request)
      : tables.read(connection, request))
    const cached = cache.get(batch.accountId)
    if (isQueued && cached !== undefined) races.note(batch.accountId, cached.version !== reading.version)
    return knowledgeOf(context, request, reading)
  }

  /** Whether the changes are committed; `false` when they surely are not and others were faster. */
  async function commit(connection: Connection, isQueued: boolean, request: WriteRequest): Promise<boolean> {
    const answer = await (isQueued
      ? tables.writeAndCommit(connection, request)
      : tables.write(connection, request))
    clock.learn(answer.serverMs)
    return answer.isWritten
  }

  return async (connection, batch, onQueue) => {
    const { accountId, calls } = batch
    const alsoKeys = new Set<Key>()
    let basis: Basis = races.isContended(accountId) ? 'queued' : 'remembered'
    for (let attempt = 0; attempt < attemptsMax; ) {
      const known = basis === 'remembered' ? recall(context, accountId) : undefined
      if (basis === 'remembered' && known === undefined) basis = 'read'
      const isQueued = basis === 'queued'
      if (isQueued) onQueue()
      const inTurn = <T>(work: () => Promise<T>): Promise<T> =>
        isQueued ? orRollBack(tables, connection, work) : work()
      const knowledge =
        known ?? (await inTurn(() => ask(connection, isQueued, { batch, alsoKeys })).catch(throwUnavailable))
      const draft = draftAccount(knowledge.stored, knowledge.reading)
      const outcomes = decideAll(calls, draft, knowledge.now)
      if (!draft.isWritten) {
        if (basis === 'remembered') {
          // What is only looked at, or refused, has to be true now.
          basis = 'read'
          continue
        }
        if (isQueued) await tables.rollBack(connection).catch(throwUnavailable)
        cache.set(accountId, draft.committed(draft.version, false))
        return outcomes
      }
      attempt += 1
      const request = writeRequest(accountId, draft, knowledge)
      try {
        if (await inTurn(() => commit(connection, isQueued, request))) {
          cache.set(accountId, draft.committed(draft.version, request.purgeMax > 0))
          return outcomes
        }
      } catch (error) {
        if (!isContention(error)) {
          cache.delete(accountId)
          const fault = writeFault(error)
          return outcomes.map((outcome) => failedBy(fault, outcome))
        }
      }
      for (const key of draft.assumed()) alsoKeys.add(key)
      basis = 'queued'
    }
    throw new Unavailable('The account was written by others at the same time, again and again.')
  }
}

/** Of calls that share a commit, one that wrote nothing has surely applied nothing. */
export function failedBy(fault: Error, outcome: Outcome): Outcome {
  const isWrite = outcome.kind === 'decided' && outcome.isWrite
  return { kind: 'failed', error: isWrite ? fault : unavailable(fault.cause ?? fault) }
}

/** A statement that was refused leaves its transaction open; a connection that is lost has ended it. */
async function orRollBack<T>(tables: Tables, connection: Connection, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isRefused(error) || error instanceof Unavailable) await tables.rollBack(connection)
    throw error
  }
}

function throwUnavailable(error: unknown): never {
  throw unavailable(error)
}
