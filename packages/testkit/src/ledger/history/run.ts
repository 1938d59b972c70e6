import { type Clock, isGatewayError, type LedgerStore, type PlanTable } from '@farebox/core'
import type { Random } from '../../simulation/random.ts'
import { readAccount } from '../check-invariants.ts'
import { checkHistory } from './check.ts'
import { drawRequest } from './draw-request.ts'
import { lastRequests, type Operation, type Recorder, recordHistory } from './record.ts'

export interface HistoryOptions {
  /** What each caller works with. They see the same accounts: connections of their own to one database, say. */
  readonly stores: readonly LedgerStore[]
  /** Of the callers. */
  readonly clock: Clock
  readonly plans: PlanTable
  /** Where the requests are drawn from. */
  readonly random: Random
  /** How many requests each caller makes, one after the other. */
  readonly requests: number
}

/**
 * Lets callers work on alice's account at the same time, each on its own store and one request after the other, and checks
 * what they were answered. Gives the history.
 *
 * @throws AssertionError when no order of the operations explains every answer.
 */
export async function playHistory(options: HistoryOptions): Promise<readonly Operation[]> {
  const { stores, plans, random, requests } = options
  const recorder = recordHistory({ ...options, isUnknown: isOutOfReach })
  // Drawn beforehand: what is asked must not depend on who is answered first.
  const work = stores.map((store) => ({
    store,
    requests: Array.from({ length: requests }, () => drawRequest(random)),
  }))
  await Promise.all(
    work.map(async ({ store, requests: mine }) => {
      for (const request of mine) await recorder.run(store, request)
    }),
  )
  const [store] = stores
  if (store !== undefined) await checkRecorded(recorder, store, plans)
  return recorder.operations
}

/**
 * Checks a history that has come to rest, and that the account is what it has led to.
 *
 * @throws AssertionError when no order of the operations explains every answer.
 */
export async function checkRecorded(recorder: Recorder, store: LedgerStore, plans: PlanTable): Promise<void> {
  for (const request of lastRequests) await recorder.run(store, request)
  const { version } = await readAccount(store, 'alice')
  checkHistory(recorder.operations, plans, version)
}

/** Whether nobody knows what was done, because the store was out of reach. */
export function isOutOfReach(error: unknown): boolean {
  return isGatewayError(error) && error.code === 'store_unavailable'
}
