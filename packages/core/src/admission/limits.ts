import type { LimitedBy } from '../auth/payer.ts'
import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import type { Count } from '../ledger/counter-store.ts'
import { type RateLimitName, type RateLimits, rateLimitNames } from '../ledger/rate-limits.ts'
import { tokensOf } from '../metering/estimate.ts'
import { inputLimit, outputLimit } from './ceiling.ts'

/** One limit that a request is counted against. */
export interface Limit {
  readonly who: 'account' | LimitedBy['who']
  readonly kind: RateLimitName
  readonly quota: number
  /** `undefined` for what is under way at once. */
  readonly windowMs: number | undefined
  readonly count: Count
}

/** Tokens that one request may need. */
export interface TokenNeed {
  /** No prompt has more. */
  readonly inputMost: number
  /** At a guess, for a prompt that could not even be sent by itself otherwise. */
  readonly inputLikely: number
  /** In each answer, and how many answers there are. */
  readonly outputMost: number
  readonly choices: number
}

export interface TokenNeedOptions {
  /** Output tokens of an answer that nobody has bounded. */
  readonly outputTokens: number
}

const windowsMs: Readonly<Record<RateLimitName, number | undefined>> = {
  requestsPerMinute: 60_000,
  requestsPerHour: 3_600_000,
  tokensPerMinute: 60_000,
  concurrentRequests: undefined,
}

/** An image at a guess, in tokens: what a tile or two make of it. */
const likelyImageTokens = 1024

/** How much a call may need at these targets. Only a chat has output that a limit could bound. */
export function tokenNeed(
  call: InferenceCall,
  candidates: readonly Target[],
  { outputTokens }: TokenNeedOptions,
): TokenNeed {
  const inputMost = Math.max(...candidates.map((target) => inputLimit(call, target)))
  const outputs = candidates.map((target) => outputLimit(call, target, { outputTokens }))
  const outputMost = Math.min(Math.max(...outputs), call.outputTokensMax ?? outputTokens)
  return {
    inputMost,
    inputLikely: Math.min(inputMost, tokensOf(call.body.byteLength) + call.inputImages * likelyImageTokens),
    outputMost: call.operation === 'chat' ? outputMost : 0,
    choices: call.choices,
  }
}

export interface LimitsOptions {
  /** What is under way is forgotten after this long, if its process has died. */
  readonly slotMs: number
  /** The shortest answer worth admitting, in tokens. */
  readonly outputTokensMin: number
  readonly nowMs: number
  readonly requestId: string
  readonly need: TokenNeed
}

/** Everything that a request is to be counted against. A limit on tokens that it can never keep has a least above its quota. */
export function limitsFor(
  plan: RateLimits | undefined,
  others: readonly LimitedBy[],
  options: LimitsOptions,
): readonly Limit[] {
  const limits: Limit[] = []
  if (plan !== undefined) addLimits(limits, { who: 'account', name: 'account', limits: plan }, options)
  for (const other of others) addLimits(limits, other, options)
  return limits
}

function addLimits(
  limits: Limit[],
  limited: { readonly who: Limit['who']; readonly name: string; readonly limits: RateLimits },
  options: LimitsOptions,
): void {
  for (const kind of rateLimitNames) {
    const quota = limited.limits[kind]
    if (quota === undefined) continue
    const windowMs = windowsMs[kind]
    limits.push({
      who: limited.who,
      kind,
      quota,
      windowMs,
      count: countFor(`${limited.name}/${kind}`, { kind, quota, windowMs }, options),
    })
  }
}

function countFor(
  name: string,
  { kind, quota, windowMs }: Pick<Limit, 'kind' | 'quota' | 'windowMs'>,
  { nowMs, slotMs, requestId, need, outputTokensMin }: LimitsOptions,
): Count {
  if (windowMs === undefined) {
    return { name, amount: 1, least: 1, limit: quota, untilMs: nowMs + slotMs, holder: requestId }
  }
  const startMs = nowMs - (nowMs % windowMs)
  const { amount, least } =
    kind === 'tokensPerMinute' ? tokenAmounts(need, quota, outputTokensMin) : { amount: 1, least: 1 }
  return { name: `${name}@${startMs}`, amount, least, limit: quota, untilMs: startMs + windowMs }
}

/**
 * Tokens are taken for the longest answer that the limit has room for, and for a prompt that has as many tokens as bytes, so a
 * burst stays within the limit whatever comes of it. A prompt that would only fit by its likely length gets a window for
 * itself: else a small limit would admit nothing at all.
 */
function tokenAmounts(
  need: TokenNeed,
  quota: number,
  outputTokensMin: number,
): { readonly amount: number; readonly least: number } {
  const leastOutput = leastAnswer(need, quota, outputTokensMin) * need.choices
  const least = need.inputMost + leastOutput
  if (least <= quota) return { amount: need.inputMost + need.outputMost * need.choices, least }
  if (need.inputLikely + leastOutput <= quota) return { amount: quota, least: quota }
  return { amount: need.inputLikely + leastOutput, least: need.inputLikely + leastOutput }
}

/**
 * The shortest answer that a limit is to allow: an eighth of it, shared by all answers of the request. With less left it is
 * better to wait for the next window than to be cut short.
 */
export function leastAnswer(need: TokenNeed, quota: number, outputTokensMin: number): number {
  return Math.min(need.outputMost, Math.max(outputTokensMin, Math.floor(quota / 8 / need.choices)))
}
