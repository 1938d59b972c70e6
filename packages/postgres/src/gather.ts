import { type AccountDraft, decideAll, draftAccount, type Outcome } from '@farebox/core/batching'
import { failedBy } from './batch.ts'
import type { Connection } from './connections.ts'
import { isRefused, unavailable, writeFault } from './fault.ts'
import {
  type Batch,
  type BatchContext,
  type Knowledge,
  knowledgeOf,
  readRequest,
  recall,
  writeRequest,
} from './knowledge.ts'
import type { WriteRequest } from './tables.ts'

/**
 * Decides calls of many accounts and commits what they write together: one statement to read those that are not remembered,
 * and one to write. Each account is still written by itself or not at all, whatever becomes of the others. The statement
 * waits for nobody, so it can neither hold others up nor be in a deadlock: an account that somebody else is writing is left out.
 *
 * Gives for each account what `RunBatch` gives, or `undefined` for one that has to be run by itself.
 */
export type RunTogether = (
  connection: Connection,
  batches: readonly Batch[],
) => Promise<readonly (readonly Outcome[] | undefined)[]>

interface Decided {
  readonly batch: Batch
  readonly knowledge: Knowledge
  readonly draft: AccountDraft<bigint>
  readonly outcomes: readonly Outcome[]
}

export function togetherRunner(context: BatchContext): RunTogether {
  const { tables, cache, clock } = context

  function decide(batch: Batch, knowledge: Knowledge): Decided {
    const draft = draftAccount(knowledge.stored, knowledge.reading)
    return { batch, knowledge, draft, outcomes: decideAll(batch.calls, draft, knowledge.now) }
  }

  /** Decisions on what is remembered, for those accounts whose calls then write; only a write can prove them right. */
  function decideRemembered(batch: Batch): Decided | undefined {
    const knowledge = recall(context, batch.accountId)
    const decided = knowledge && decide(batch, knowledge)
    return decided?.draft.isWritten ? decided : undefined
  }

  async function decideRead(connection: Connection, batches: readonly Batch[]): Promise<readonly Decided[]> {
    if (batches.length === 0) return []
    const requests = batches.map((batch) => readRequest(context, batch))
    const readings = await tables.readTogether(connection, requests)
    return batches.flatMap((batch, index) => {
      const [request, reading] = [requests[index], readings[index]]
      return request && reading ? [decide(batch, knowledgeOf(context, request, reading))] : []
    })
  }

  /** The accounts that were written. */
  async function write(
    connection: Connection,
    requests: readonly WriteRequest[],
  ): Promise<ReadonlySet<string>> {
    if (requests.length === 0) return new Set()
    const answer = await tables.writeTogether(connection, requests)
    if (answer.serverMs !== undefined) clock.learn(answer.serverMs)
    return answer.written
  }

  return async (connection, batches) => {
    const decided = new Map<Batch, Decided>()
    for (const batch of batches) {
      const remembered = decideRemembered(batch)
      if (remembered !== undefined) decided.set(batch, remembered)
    }
    const unknown = batches.filter((batch) => !decided.has(batch))
    try {
      for (const read of await decideRead(connection, unknown)) decided.set(read.batch, read)
    } catch (error) {
      throw unavailable(error)
    }
    const requests = new Map<Batch, WriteRequest>()
    for (const { batch, draft, knowledge } of decided.values()) {
      if (!draft.isWritten) continue
      const request = writeRequest(batch.accountId, draft, knowledge)
      // A new account has no row yet that could be written, and deleting what expired is for an account by itself.
      if (request.changes.from > 0n && request.purgeMax === 0) requests.set(batch, request)
    }
    let written: ReadonlySet<string> = new Set()
    let fault: Error | undefined
    try {
      written = await write(connection, [...requests.values()])
    } catch (error) {
      // Refused as a whole, perhaps for the sake of one: each by itself.
      if (!isRefused(error)) fault = writeFault(error)
    }
    return batches.map((batch) => {
      const known = decided.get(batch)
      if (known === undefined) return undefined
      if (!known.draft.isWritten || written.has(batch.accountId)) {
        cache.set(batch.accountId, known.draft.committed(known.draft.version, false))
        return known.outcomes
      }
      if (!requests.has(batch)) {
        // What was just read saves reading it again.
        const { stored, reading } = known.knowledge
        cache.set(batch.accountId, draftAccount(stored, reading).committed(stored.position, false))
        return undefined
      }
      if (fault === undefined) return undefined
      const { outcomes } = known
      cache.delete(batch.accountId)
      return outcomes.map((outcome) => failedBy(fault, outcome))
    })
  }
}
