import type { Clock } from '../clock.ts'
import type { WebhookDropReason } from '../events.ts'
import { spread } from './signature.ts'

/** One event on its way. */
export interface Delivery {
  readonly id: string
  readonly kind: string
  readonly body: string
  attempts: number
}

/** What came of one attempt. */
export type AttemptOutcome =
  | { readonly kind: 'delivered' }
  /** The receiver wants no more events, ever. */
  | { readonly kind: 'gone' }
  | {
      readonly kind: 'failed'
      readonly reason: 'refused' | 'unreachable'
      readonly status?: number
      /** How long the receiver asks to be left alone. */
      readonly restMs?: number
    }

export interface WebhookQueueOptions {
  readonly clock: Clock
  /** Deliveries that are on their way or wait to be tried again. */
  readonly queueMax: number
  readonly inFlightMax: number
  readonly attemptsMax: number
  /** Never rejects. */
  readonly attempt: (delivery: Delivery) => Promise<AttemptOutcome>
  readonly onDropped: (delivery: Delivery, reason: WebhookDropReason, status: number | undefined) => void
}

export interface WebhookQueue {
  add(delivery: Delivery): void
  /** Tries everything that waits once more, now, and resolves when nothing is left. */
  drain(): Promise<void>
  /** Drops everything, also what is on its way and does not arrive any more. Comes after `drain`. */
  abandon(): void
}

/** Pauses before another attempt; the last one is for all further ones. */
const pausesMs = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000]

/** However long a receiver asks to be left alone. */
const restMaxMs = 3_600_000

/**
 * Sends deliveries, a few at a time, and each again until it arrives or was tried often enough. Deliveries that wait do not
 * hold up others. Bounded: beyond `queueMax` new ones are dropped, because old ones may be half delivered.
 */
export function createWebhookQueue(options: WebhookQueueOptions): WebhookQueue {
  const { clock, queueMax, inFlightMax, attemptsMax, attempt, onDropped } = options
  const ready: Delivery[] = []
  /** Deliveries that wait to be tried again, with what ends the wait. */
  const waiting = new Map<Delivery, () => void>()
  let inFlight = 0
  let isGone = false
  let isDraining = false
  let isAbandoned = false
  let restUntilMs = 0
  let cancelRest: (() => void) | undefined
  let onEmpty: (() => void)[] = []

  function pump(): void {
    const restMs = restUntilMs - clock.monotonicMs()
    if (restMs > 0 && !isDraining) {
      cancelRest ??= clock.after(restMs, () => {
        cancelRest = undefined
        pump()
      })
      return
    }
    while (inFlight < inFlightMax) {
      const delivery = ready.shift()
      if (delivery === undefined) break
      inFlight += 1
      delivery.attempts += 1
      void attempt(delivery).then((outcome) => {
        inFlight -= 1
        conclude(delivery, outcome)
        pump()
      })
    }
    if (inFlight > 0 || ready.length > 0 || waiting.size > 0) return
    for (const resolve of onEmpty) resolve()
    onEmpty = []
  }

  function conclude(delivery: Delivery, outcome: AttemptOutcome): void {
    if (outcome.kind === 'delivered') return
    if (outcome.kind === 'gone') {
      isGone = true
      onDropped(delivery, 'gone', 410)
      abandon('gone')
      return
    }
    const { reason, status, restMs = 0 } = outcome
    if (isGone || isDraining || delivery.attempts >= attemptsMax) {
      onDropped(delivery, isGone ? 'gone' : isAbandoned ? 'closed' : reason, status)
      return
    }
    if (restMs > 0) restUntilMs = clock.monotonicMs() + Math.min(restMs, restMaxMs)
    const pauseMs = pausesMs[Math.min(delivery.attempts, pausesMs.length) - 1] ?? 0
    // Three quarters to five quarters of it, so that what failed together does not come back together.
    const delayMs = pauseMs * (0.75 + spread(delivery.id, delivery.attempts) / 2)
    waiting.set(
      delivery,
      clock.after(delayMs, () => {
        waiting.delete(delivery)
        ready.push(delivery)
        pump()
      }),
    )
  }

  function wakeAll(): void {
    cancelRest?.()
    cancelRest = undefined
    for (const [delivery, cancel] of waiting) {
      cancel()
      ready.push(delivery)
    }
    waiting.clear()
  }

  function abandon(reason: 'gone' | 'closed'): void {
    wakeAll()
    for (const delivery of ready.splice(0)) onDropped(delivery, reason, undefined)
  }

  return {
    add(delivery) {
      // Who said that it wants no more is not told of what it misses.
      if (isGone) return
      if (inFlight + ready.length + waiting.size >= queueMax) {
        onDropped(delivery, 'queue-full', undefined)
        return
      }
      ready.push(delivery)
      pump()
    },
    drain: () =>
      new Promise((resolve) => {
        isDraining = true
        wakeAll()
        onEmpty.push(resolve)
        pump()
      }),
    abandon() {
      isAbandoned = true
      abandon('closed')
    },
  }
}
