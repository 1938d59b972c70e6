import { setTimeout as delay } from 'node:timers/promises'
import { isContention, unavailable } from './fault.ts'

/**
 * Runs a query again and again while another connection holds the lock, without stopping the event loop.
 *
 * @throws Unavailable after `timeoutMs`, or at once for any other fault. @throws OutcomeUnknown when a commit failed.
 */
export async function whenUnlocked<T>(query: () => T, timeoutMs: number): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    try {
      return query()
    } catch (error) {
      if (!isContention(error) || performance.now() >= deadlineMs) throw unavailable(error)
      await delay(2)
    }
  }
}
