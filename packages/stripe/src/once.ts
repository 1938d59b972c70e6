import { createHash } from 'node:crypto'

/** Stripe's keys have at most 255 characters; ids of hosts may be longer, so they are hashed. */
export function keyOf(...parts: readonly string[]): string {
  return `farebox-${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`
}

/** How many keys are tried for one thing before its caller is told. */
export const keysMax = 8

/**
 * Runs a call of Stripe under an idempotency key that is the same for the same thing.
 *
 * Stripe saves what it answered first for a day, its own failures too (https://docs.stripe.com/api/idempotent_requests,
 * read 2026-11-25): after one 500 the key would give nothing else until tomorrow. So a failure that is given again is
 * answered by the next key. What the failed call may have left behind must do no harm.
 */
export async function onceMore<R>(key: string, call: (idempotencyKey: string) => Promise<R>): Promise<R> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(`${key}-${attempt}`)
    } catch (error) {
      if (attempt >= keysMax || !isReplayedFailure(error)) throw error
    }
  }
}

/** Whether this is the saved answer of an earlier call that had failed inside Stripe. */
export function isReplayedFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { statusCode, headers } = error as {
    readonly statusCode?: number
    readonly headers?: Readonly<Record<string, string>>
  }
  return (statusCode ?? 0) >= 500 && headers?.['idempotent-replayed'] === 'true'
}
