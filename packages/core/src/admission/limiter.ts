import type { Payer } from '../auth/payer.ts'
import type { PlanLimits } from '../auth/plan-limits.ts'
import type { Clock } from '../clock.ts'
import { GatewayError } from '../errors.ts'
import type { CounterStore } from '../ledger/counter-store.ts'
import type { Counting } from '../ledger/counting.ts'
import type { RateLimits } from '../ledger/rate-limits.ts'
import type { AdmitRequest } from './admit.ts'
import { type Limit, leastAnswer, limitsFor, type TokenNeed, tokenNeed } from './limits.ts'
import { type LimitState, limitName, limitStates, rateLimitHeaders } from './rate-limit-headers.ts'

/** A request as it was counted, for what it really used to be corrected. */
export interface Counted {
  readonly accountId: string
  readonly by: CounterStore
  readonly limits: readonly Limit[]
  /** What was taken, in the order of the limits. */
  readonly taken: readonly number[]
  /** The bound that a limit on tokens puts on each answer. */
  readonly outputTokens: number | undefined
  /** Tells the caller what is left. */
  readonly headers: Readonly<Record<string, string>>
}

export interface Limiter {
  /**
   * What the plan of the payer limits. `undefined` when nothing limits this payer at all: then nothing needs to be done or
   * waited for. `null` when only others than the plan do.
   */
  planOf(payer: Payer): RateLimits | null | undefined | Promise<RateLimits | undefined>
  /**
   * Counts a request against all its limits. `undefined` when there are none.
   *
   * @throws GatewayError `rate_limit_exceeded`, and then it counts nowhere; `request_over_token_limit` when waiting will not help.
   */
  take(request: AdmitRequest, plan: RateLimits | null | undefined): Promise<Counted | undefined>
  /**
   * Gives back what a request took beyond what it used, and its places among those under way. `usedTokens` is `undefined` when
   * nobody knows: then all that was taken stays taken. Never rejects.
   */
  end(counted: Counted, usedTokens: number | undefined): Promise<void>
}

export interface LimiterOptions {
  readonly planLimits: PlanLimits
  readonly counting: Counting
  readonly clock: Clock
  readonly slotMs: number
  readonly outputTokensMin: number
  readonly outputTokensDefault: number
}

export function createLimiter(options: LimiterOptions): Limiter {
  const { planLimits, counting, clock, slotMs, outputTokensMin, outputTokensDefault } = options
  return {
    planOf({ accountId, limits }) {
      return planLimits.of(accountId) ?? (limits === undefined ? undefined : null)
    },

    async take({ requestId, payer, call, candidates }, plan) {
      const { accountId } = payer
      const nowMs = clock.now()
      const need = tokenNeed(call, candidates, { outputTokens: outputTokensDefault })
      const limits = limitsFor(plan ?? undefined, payer.limits ?? [], {
        nowMs,
        slotMs,
        requestId,
        need,
        outputTokensMin,
      })
      if (limits.length === 0) return undefined
      const never = limits.find(({ count, quota }) => count.least > quota)
      if (never !== undefined) throw overTokenLimit(payer, never)
      const { taken, by } = await counting.take({
        accountId,
        nowMs,
        counts: limits.map(({ count }) => count),
      })
      const states = limitStates(limits, taken, nowMs)
      if (!taken.isTaken) throw limitReached(payer, states)
      const amounts = taken.counts.map((count) => count.taken)
      return {
        accountId,
        by,
        limits,
        taken: amounts,
        outputTokens: need.outputMost === 0 ? undefined : boundBy(limits, amounts, { need, outputTokensMin }),
        headers: rateLimitHeaders(states),
      }
    },

    end({ accountId, by, limits, taken }, usedTokens) {
      const counts = limits.flatMap(({ kind, count: { name, holder } }, index) => {
        if (holder !== undefined) return [{ name, amount: 1, holder }]
        if (kind !== 'tokensPerMinute' || usedTokens === undefined) return []
        const amount = (taken[index] ?? 0) - usedTokens
        return amount === 0 ? [] : [{ name, amount }]
      })
      return counts.length === 0 ? Promise.resolve() : counting.giveBack(by, { accountId, counts })
    },
  }
}

/** What the tokens that were taken leave for each answer; `undefined` when no limit is on tokens. */
function boundBy(
  limits: readonly Limit[],
  taken: readonly number[],
  { need, outputTokensMin }: { readonly need: TokenNeed; readonly outputTokensMin: number },
): number | undefined {
  let bound: number | undefined
  for (const [index, { kind, quota }] of limits.entries()) {
    if (kind !== 'tokensPerMinute') continue
    const left = Math.floor(((taken[index] ?? 0) - need.inputMost) / need.choices)
    const granted = Math.max(left, leastAnswer(need, quota, outputTokensMin))
    bound = Math.min(bound ?? need.outputMost, granted)
  }
  return bound
}

const unitTexts: Readonly<Record<Limit['kind'], string>> = {
  requestsPerMinute: 'requests a minute',
  requestsPerHour: 'requests an hour',
  tokensPerMinute: 'tokens a minute',
  concurrentRequests: 'requests at once',
}

function whoIsLimited({ name }: Payer, { who }: Limit): string {
  if (who === 'account') return `'${name}'`
  return who === 'key' ? 'this API key' : 'you'
}

function limitReached(payer: Payer, states: readonly LimitState[]): GatewayError {
  const [first] = states
  if (first === undefined) throw new Error('A request without limits was refused.')
  const { limit, remaining, resetSeconds } = first
  const isTokens = limit.kind === 'tokensPerMinute'
  const needed = isTokens ? ` This request may need ${limit.count.least}, and ${remaining} are left.` : ''
  const remedy =
    limit.windowMs === undefined
      ? 'Wait until one of them is done.'
      : `Try again in ${resetSeconds} ${resetSeconds === 1 ? 'second' : 'seconds'}${isTokens ? ', or ask for fewer output tokens' : ''}.`
  return new GatewayError(
    'rate_limit_exceeded',
    `Rate limit reached for ${whoIsLimited(payer, limit)}: ${limit.quota} ${unitTexts[limit.kind]}.${needed} ${remedy}`,
    {
      retryAfterSeconds: resetSeconds,
      headers: rateLimitHeaders(states),
      facts: { payer: payer.name, limit: limitName(limit), quota: limit.quota, remaining },
    },
  )
}

function overTokenLimit(payer: Payer, limit: Limit): GatewayError {
  return new GatewayError(
    'request_over_token_limit',
    `This request needs about ${limit.count.least} tokens, and the limit of ${whoIsLimited(payer, limit)} is ` +
      `${limit.quota} tokens a minute. Send less.`,
    { facts: { payer: payer.name, limit: limitName(limit), quota: limit.quota } },
  )
}
