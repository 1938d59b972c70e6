import { type Clock, pause } from '../clock.ts'
import { GatewayError } from '../errors.ts'
import { isOutcomeUnknown, isUnavailable } from './storage.ts'

/** How often an operation whose outcome is unknown is asked again before the caller is told. */
const attemptsMax = 4

/**
 * Runs an operation on a store. Every operation may be repeated: a reducer recognises its id, and compare-and-set its version.
 * So an unknown outcome is simply asked again.
 *
 * @throws GatewayError `store_unavailable` when the store stays out of reach.
 */
export function reach<R>(clock: Clock, operation: () => Promise<R>): Promise<R> {
  return operation().catch((cause: unknown) => reachAgain(clock, operation, cause))
}

/**
 * Runs an operation again whose first try went wrong with `first`, if nobody knows what it has done.
 *
 * @throws GatewayError `store_unavailable` when the store stays out of reach.
 */
export async function reachAgain<R>(clock: Clock, operation: () => Promise<R>, first: unknown): Promise<R> {
  let cause = first
  for (let attempt = 1; isOutcomeUnknown(cause) && attempt < attemptsMax; attempt += 1) {
    await pause(clock, 10 * 2 ** attempt)
    try {
      return await operation()
    } catch (next) {
      cause = next
    }
  }
  if (!isUnavailable(cause) && !isOutcomeUnknown(cause)) throw cause
  throw new GatewayError('store_unavailable', 'The credit ledger is out of reach. Please try again.', {
    retryAfterSeconds: 1,
    cause,
  })
}
