import {
  type AccountDraft,
  type CachedAccount,
  type Call,
  decideAll,
  draftAccount,
  type Outcome,
  openRecords,
} from '@farebox/core/batching'
import { failedBy } from './batch.ts'
import type { Connection } from './connections.ts'
import { isContention, writeFault } from './fault.ts'
import { type Batch, type BatchContext, type Knowledge, recall, writeRequest } from './knowledge.ts'
import type { WriteRequest } from './tables.ts'

/**
 * Calls of a busy account, step by step: what comes next is decided while the step before it is being written, so that this
 * process and the server work at the same time. It is decided on what the account is going to be, and forgotten if it does
 * not come to that; nothing of it has left the process by then.
 */
export interface Steps {
  /** Decides on what is remembered. `undefined` where nothing is, or the calls write nothing: that has to be read. */
  first(batch: Batch): Step | undefined
  /** Decides on what the account is once `step` is written. `undefined` as above. */
  next(step: Step, calls: readonly Call[]): Step | undefined
  /** Gives the outcomes of the step, or `undefined` when others were faster: then nothing was applied. */
  write(connection: Connection, step: Step): Promise<readonly Outcome[] | undefined>
}

export interface Step {
  readonly accountId: string
  /** One for each of the first calls. */
  readonly outcomes: readonly Outcome[]
  readonly request: WriteRequest
  /** What is true of the account once this is written. */
  committed(): CachedAccount<bigint>
}

export function steps(context: BatchContext): Steps {
  const { tables, cache, clock } = context

  function decide(accountId: string, calls: readonly Call[], knowledge: Knowledge): Step | undefined {
    const draft = draftAccount(knowledge.stored, undefined)
    const outcomes = decideAll(calls, draft, knowledge.now)
    if (!draft.isWritten) return undefined
    try {
      const request = writeRequest(accountId, draft, knowledge)
      return { accountId, outcomes, request, committed: once(draft, request) }
    } catch {
      // A head that can not be stored: these calls fail when they are run by themselves.
      return undefined
    }
  }

  return {
    first({ accountId, calls }) {
      const knowledge = recall(context, accountId)
      return knowledge && decide(accountId, calls, knowledge)
    },
    next(step, calls) {
      const now = clock.now()
      if (now === undefined) return undefined
      const knowledge = { stored: step.committed(), now, toleranceMs: clock.toleranceMs }
      return decide(step.accountId, calls, knowledge)
    },
    async write(connection, step) {
      const { accountId, outcomes, request } = step
      try {
        const answer = await tables.write(connection, request)
        clock.learn(answer.serverMs)
        if (answer.isWritten) {
          cache.set(accountId, step.committed())
          return outcomes
        }
      } catch (error) {
        if (!isContention(error)) {
          cache.delete(accountId)
          const fault = writeFault(error)
          return outcomes.map((outcome) => failedBy(fault, outcome))
        }
      }
      // The step after this one may have changed what is remembered of open records, as if this one had been written.
      const cached = cache.get(accountId)
      if (cached !== undefined) cache.set(accountId, { ...cached, open: openRecords() })
      return undefined
    },
  }
}

/** A draft changes what is remembered of open records as it is committed: it is asked once. */
function once(draft: AccountDraft<bigint>, { purgeMax }: WriteRequest): () => CachedAccount<bigint> {
  let account: CachedAccount<bigint> | undefined
  return () => {
    account ??= draft.committed(draft.version, purgeMax > 0)
    return account
  }
}
