import type { Attempt } from '../metering/attempt.ts'
import { countTokens } from '../rate-usage.ts'
import type { Health } from './health.ts'

/** Remembers how a request's last attempt went. Failures before the first byte are recorded where the next target is tried. */
export function recordAttempt(health: Health, attempt: Attempt | undefined): void {
  if (attempt === undefined) return
  if (attempt.outcome === 'aborted' && attempt.failure !== undefined) health.recordFailure(attempt.target)
  if (attempt.outcome !== 'served') return
  const { startedMs, firstByteMs = startedMs, endedMs = startedMs } = attempt
  const output = Number(countTokens(attempt.reported ?? {}, 'output'))
  const seconds = (endedMs - startedMs) / 1000
  health.recordSuccess(attempt.target, {
    startedMs,
    firstTokenMs: firstByteMs - startedMs,
    tokensPerSecond: output > 1 && seconds > 0 ? output / seconds : undefined,
  })
}
