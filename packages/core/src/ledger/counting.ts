import type { Clock } from '../clock.ts'
import type { CounterStore, GiveBackRequest, Taken, TakeRequest } from './counter-store.ts'
import { memoryCounters } from './memory-counters.ts'
import { isOutcomeUnknown, isUnavailable } from './storage.ts'

/** Counts requests whatever happens to the store of counters. */
export interface Counting {
  take(request: TakeRequest): Promise<{ readonly taken: Taken; readonly by: CounterStore }>
  /** Never rejects: what cannot be given back is forgotten when its time is over. */
  giveBack(by: CounterStore, request: GiveBackRequest): Promise<void>
}

export interface CountingOptions {
  /** `undefined` when the storage has none. */
  readonly shared: CounterStore | undefined
  readonly clock: Clock
  /** Told when the store was found out of reach, at most once in each time that the process counts by itself. */
  readonly onLost: (cause: unknown) => void
}

/** For how long a process counts by itself before it asks the store again. */
const aloneMs = 5_000

/**
 * While the store of counters is out of reach, the process counts in its own memory: each process then keeps the limits by
 * itself, so a request is neither refused for the store's sake nor let through unlooked at. Money is held all the same.
 */
export function createCounting({ shared, clock, onLost }: CountingOptions): Counting {
  const own = memoryCounters()
  let aloneUntilMs = Number.NEGATIVE_INFINITY

  function countAlone(cause: unknown): void {
    const nowMs = clock.monotonicMs()
    if (nowMs < aloneUntilMs) return
    aloneUntilMs = nowMs + aloneMs
    onLost(cause)
  }

  return {
    async take(request) {
      if (shared !== undefined && clock.monotonicMs() >= aloneUntilMs) {
        try {
          return { taken: await shared.take(request), by: shared }
        } catch (cause) {
          if (!isUnavailable(cause) && !isOutcomeUnknown(cause)) throw cause
          countAlone(cause)
        }
      }
      return { taken: await own.take(request), by: own }
    },
    async giveBack(by, request) {
      try {
        await by.giveBack(request)
      } catch (cause) {
        countAlone(cause)
      }
    },
  }
}
