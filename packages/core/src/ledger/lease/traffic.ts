import { type Nano, nano } from '../../money.ts'
import type { LeaseWish } from './lease-size.ts'
import type { FullLeaseTerms } from './lease-terms.ts'

/** What an account's requests have asked for and cost lately, as one process sees them. */
export interface Traffic {
  held(amount: Nano, nowMs: number): void
  spent(cost: Nano): void
  /** Whether so many requests came that asking for each of them is worth avoiding. */
  isBusy(nowMs: number): boolean
  wish(terms: Pick<FullLeaseTerms, 'timeToLiveMs' | 'checkpointMs'>, nowMs: number): LeaseWish
}

/** What was seen in a stretch of time. Sums of nano-USD. */
interface Stretch {
  readonly sinceMs: number
  requests: number
  held: bigint
  largest: bigint
  costs: number
  spent: bigint
}

/** Traffic is judged by the last ten to twenty seconds. */
const stretchMs = 10_000

/** Fewer requests than this in that time are no burden to any store. */
const busyRequests = 8

/** A lease holds what so many checkpoints' worth of requests ask for: each of them frees it again. */
const checkpointsAhead = 10

/** A balance that does not pay for so many typical requests is not worth leasing. */
const requestsLeast = 20

export function createTraffic(startMs: number): Traffic {
  let before: Stretch | undefined
  let current = emptyStretch(startMs)

  function turn(nowMs: number): void {
    if (nowMs - current.sinceMs < stretchMs) return
    before = nowMs - current.sinceMs < 2 * stretchMs ? current : undefined
    current = emptyStretch(nowMs)
  }

  return {
    held(amount, nowMs) {
      turn(nowMs)
      current.requests += 1
      current.held += amount
      if (amount > current.largest) current.largest = amount
    },
    spent(cost) {
      current.costs += 1
      current.spent += cost
    },
    isBusy(nowMs) {
      turn(nowMs)
      return current.requests + (before?.requests ?? 0) >= busyRequests
    },
    wish({ timeToLiveMs, checkpointMs }, nowMs) {
      turn(nowMs)
      const seen = both(before, current)
      const overMs = BigInt(Math.max(Math.ceil(nowMs - seen.sinceMs), checkpointMs))
      const ahead = (seen.held * BigInt(checkpointsAhead * checkpointMs)) / overMs
      const spending = (seen.spent * BigInt(2 * timeToLiveMs)) / overMs
      const few = 4n * seen.largest
      // As long as nothing has ended, what requests ask for is all that is known of them.
      const typical =
        seen.costs > 0 ? ceiling(seen.spent, seen.costs) : ceiling(seen.held, Math.max(seen.requests, 1))
      const least = larger(2n * seen.largest, typical * BigInt(requestsLeast))
      return { wanted: nano(larger(larger(ahead + spending, few), least)), least: nano(larger(least, 1n)) }
    },
  }
}

function emptyStretch(sinceMs: number): Stretch {
  return { sinceMs, requests: 0, held: 0n, largest: 0n, costs: 0, spent: 0n }
}

function both(before: Stretch | undefined, current: Stretch): Stretch {
  if (before === undefined) return current
  return {
    sinceMs: before.sinceMs,
    requests: before.requests + current.requests,
    held: before.held + current.held,
    largest: larger(before.largest, current.largest),
    costs: before.costs + current.costs,
    spent: before.spent + current.spent,
  }
}

function ceiling(sum: bigint, count: number): bigint {
  return (sum + BigInt(count) - 1n) / BigInt(count)
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
