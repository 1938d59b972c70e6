import type { Clock } from '@farebox/core'
import { Refusal } from './refusal.ts'

export interface StripeAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: object
}

/** Keys are forgotten after a day. */
const keptMs = 24 * 60 * 60 * 1000

/**
 * Runs each idempotency key once (https://docs.stripe.com/api/idempotent_requests, read 2026-11-25): the first answer is
 * saved once execution has begun, failures of the server included, and given again for a day. The same key with other
 * parameters is refused.
 */
export type Once = (key: string, fingerprint: string, execute: () => StripeAnswer) => StripeAnswer

export function createOnce(clock: Clock): Once {
  const saved = new Map<string, { fingerprint: string; savedAtMs: number; answer: StripeAnswer }>()
  return (key, fingerprint, execute) => {
    const earlier = saved.get(key)
    if (earlier !== undefined && earlier.savedAtMs + keptMs > clock.now()) {
      if (earlier.fingerprint !== fingerprint) throw otherParameters(key)
      return { ...earlier.answer, headers: { ...earlier.answer.headers, 'idempotent-replayed': 'true' } }
    }
    const answer = execute()
    // What was refused before anything was executed is not saved.
    if (answer.status < 400 || answer.status >= 500) {
      saved.set(key, { fingerprint, savedAtMs: clock.now(), answer })
    }
    return answer
  }
}

function otherParameters(key: string): Refusal {
  return new Refusal(
    400,
    `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
    { type: 'idempotency_error' },
  )
}
