import { shareOf, type Taken } from '../ledger/counter-store.ts'
import type { RateLimitName } from '../ledger/rate-limits.ts'
import type { Limit } from './limits.ts'

/** A limit and what is left of it. */
export interface LimitState {
  readonly limit: Limit
  readonly remaining: number
  /** Whole seconds until there is room again; at least 1. */
  readonly resetSeconds: number
  readonly isReached: boolean
}

/** What is left of each limit, the one that matters most first: what was reached, then what is nearest to it. */
export function limitStates(limits: readonly Limit[], taken: Taken, nowMs: number): readonly LimitState[] {
  return limits
    .map((limit, index): LimitState => {
      const { before, taken: mine } = taken.counts[index] ?? { before: 0, taken: 0 }
      return {
        limit,
        remaining: Math.max(0, limit.quota - before - mine),
        resetSeconds:
          limit.windowMs === undefined ? 1 : Math.max(1, Math.ceil((limit.count.untilMs - nowMs) / 1000)),
        isReached: !taken.isTaken && shareOf(limit.count, before) === undefined,
      }
    })
    .toSorted(
      (a, b) =>
        Number(b.isReached) - Number(a.isReached) ||
        (a.isReached ? b.resetSeconds - a.resetSeconds : shareLeft(a) - shareLeft(b)),
    )
}

/**
 * `RateLimit` and `RateLimit-Policy` in the form of draft-ietf-httpapi-ratelimit-headers-09 that Hugging Face's Hub sends and its
 * clients read (hub-docs rate-limits.md, 2026-11-22), with an item for each limit. Names are words: its clients look for such.
 */
export function rateLimitHeaders(states: readonly LimitState[]): Readonly<Record<string, string>> {
  return {
    ratelimit: states
      .map((state) => `"${limitName(state.limit)}";r=${state.remaining};t=${state.resetSeconds}`)
      .join(', '),
    'ratelimit-policy': states
      .map(({ limit }) =>
        limit.windowMs === undefined
          ? `"concurrency";"${limitName(limit)}";q=${limit.quota}`
          : `"fixed window";"${limitName(limit)}";q=${limit.quota};w=${limit.windowMs / 1000}`,
      )
      .join(', '),
  }
}

const names: Readonly<Record<RateLimitName, string>> = {
  requestsPerMinute: 'requests_per_minute',
  requestsPerHour: 'requests_per_hour',
  tokensPerMinute: 'tokens_per_minute',
  concurrentRequests: 'concurrent_requests',
}

/** Such as `requests_per_minute`, or `key_tokens_per_minute`. */
export function limitName({ who, kind }: Limit): string {
  return who === 'account' ? names[kind] : `${who}_${names[kind]}`
}

function shareLeft({ remaining, limit }: LimitState): number {
  return remaining / limit.quota
}
