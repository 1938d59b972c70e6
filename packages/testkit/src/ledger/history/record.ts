import {
  type Clock,
  createLedger,
  isOutcomeUnknown,
  type LedgerOptions,
  type LedgerStore,
  type PlanTable,
  type Reduce,
} from '@farebox/core'
import { answerOf, reconcileIn, showBalance, showCredits } from '../answer.ts'
import type { Command } from '../command.ts'
import type { Answer } from '../model/world.ts'

/**
 * What a caller asks about alice's account: an operation, to `look` at the balance, or to `count` every credit as the last
 * write left it. Time is not asked for: it passes.
 */
export type Request =
  | Exclude<Command, { readonly do: 'wait' | 'period-end' | 'close' }>
  | { readonly do: 'look' }
  | { readonly do: 'count' }

/** A run of an operation's reducer: what it read, and whether it wrote. */
export interface Step {
  /** The account's version that it read. A write makes the next one. */
  readonly version: bigint
  readonly isWrite: boolean
  /** Whether that changed anything. A try after an unknown outcome writes the account again as it was. */
  readonly isChange: boolean
  /** The store's time that it read, and by when what it was shown is due, where it asked for more than that. */
  readonly nowMs: number
  readonly dueByMs?: number
  /** Whether it only looked after what was due, and the operation was to be run again. */
  readonly isAgain: boolean
}

/** One operation of a history. */
export interface Operation {
  /** In the order they began. */
  readonly index: number
  readonly request: Request
  /** When it began and ended, on a clock that never goes back and all callers share; `undefined` when it never ended. */
  readonly beganAt: number
  readonly endedAt: number | undefined
  /** By the caller's wall clock, as it began. */
  readonly askedMs: number
  /** What it answered; `undefined` when nobody knows whether it took effect. */
  readonly answer: Answer | undefined
  /** The steps that were confirmed, in order. */
  readonly steps: readonly Step[]
  /** Writes that may have been applied or not. */
  readonly maybe: readonly Step[]
}

/** Asked when everybody has finished, they tell what the whole history has led to. */
export const lastRequests: readonly Request[] = [{ do: 'look' }, { do: 'count' }]

export interface Recorder {
  /** The history so far. What has not ended yet is in it without an answer. */
  readonly operations: readonly Operation[]
  /** Runs an operation on this store, and resolves when it has ended, whichever way. Rejects with what is no outcome at all. */
  run(store: LedgerStore, request: Request): Promise<void>
}

export interface RecorderOptions {
  readonly plans: PlanTable
  /** Of the callers. */
  readonly clock: Clock
  /** Whether an error means that nobody knows what was done. */
  readonly isUnknown: (error: unknown) => boolean
}

/**
 * Records what callers ask and get, and between which moments, while many of them work at the same time. Each operation
 * gets a ledger of its own over the store, so that what its reducers read can be told apart.
 */
export function recordHistory({ plans, clock, isUnknown }: RecorderOptions): Recorder {
  const operations: Operation[] = []
  // Counted, not measured: two events of a history never happen at the same time.
  let moment = 0
  const next = (): number => {
    moment += 1
    return moment
  }
  return {
    operations,
    async run(store, request) {
      const index = operations.length
      const steps: Step[] = []
      const maybe: Step[] = []
      const begun = { index, request, beganAt: next(), askedMs: clock.now(), steps, maybe }
      operations.push({ ...begun, endedAt: undefined, answer: undefined })
      const end = (answer: Answer | undefined) => {
        operations[index] = { ...begun, endedAt: answer && next(), answer }
      }
      try {
        end(await ask(request, { store: watch(store, steps, maybe), plans, clock }, begun.askedMs))
      } catch (error) {
        if (!isUnknown(error)) throw error
        end(undefined)
      }
    },
  }
}

function ask(request: Request, options: LedgerOptions, nowMs: number): Promise<Answer> {
  if (request.do === 'count') return showCredits(options.store)
  const ledger = createLedger(options)
  // Its receipt would be of another moment.
  if (request.do === 'reconcile') return reconcileIn(ledger, request)
  return request.do === 'look' ? showBalance(ledger) : answerOf(ledger, request, nowMs)
}

/** Notes what the reducers on alice's account read. Of the runs of one call, the last is the one that counts. */
function watch(store: LedgerStore, steps: Step[], maybe: Step[]): LedgerStore {
  return {
    ...store,
    async transact(accountId, keys, reduce, options) {
      if (accountId !== 'alice') return store.transact(accountId, keys, reduce, options)
      let last: Step | undefined
      const forget = () => {
        if (last !== undefined && maybe.at(-1) === last) maybe.pop()
      }
      const noted: Reduce<unknown> = (cut) => {
        const { result, write } = reduce(cut)
        forget()
        const isAgain = (result as { readonly outcome?: unknown } | undefined)?.outcome === 'again'
        const isWrite = write !== undefined
        const isChange = isWrite && (write.head !== cut.head || write.put !== undefined)
        const dueByMs = options?.dueBy
        const due = dueByMs === undefined ? {} : { dueByMs }
        last = { version: cut.version, isWrite, isChange, nowMs: cut.now, ...due, isAgain }
        // Until it is confirmed, also when it never is.
        if (last.isWrite) maybe.push(last)
        return { result, write }
      }
      try {
        const result = await store.transact(accountId, keys, noted as typeof reduce, options)
        forget()
        if (last !== undefined) steps.push(last)
        return result
      } catch (error) {
        if (!isOutcomeUnknown(error)) forget()
        throw error
      }
    },
  }
}
