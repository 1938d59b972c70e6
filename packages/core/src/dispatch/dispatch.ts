import type { OwnKey } from '../auth/own-keys.ts'
import type { Target } from '../catalog/target.ts'
import type { Clock } from '../clock.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { isGatewayError } from '../errors.ts'
import type { CallerSignal } from '../http/exchange.ts'
import { attemptId } from '../ledger/reservation.ts'
import type { Attempt } from '../metering/attempt.ts'
import type { Provider } from '../providers/provider.ts'
import type { Health } from '../routing/health.ts'
import { openStream } from './event-stream.ts'
import { AttemptFailedError, exhausted } from './failure.ts'
import { BodyTooLargeError } from './read-body.ts'
import { isTransportError, type Transport } from './transport.ts'
import type { Upstream } from './upstream.ts'
import { fetchReply, type ReplyContext } from './whole-reply.ts'

export interface DispatchOptions {
  readonly providers: ReadonlyMap<string, Provider>
  readonly transport: Transport
  readonly health: Health
  readonly clock: Clock
  readonly attemptsMax: number
  readonly replyBytesMax: number
  readonly timeouts: DispatchTimeouts
  readonly onAttemptFailed: (attempt: Attempt) => void
}

export interface DispatchTimeouts {
  /** Until a stream has begun. */
  readonly firstByteMs: number
  /** Until a whole reply has begun to arrive. */
  readonly replyMs: number
  /** Between two pieces of an answer. */
  readonly idleMs: number
  /** Over all attempts of a request, streams included. */
  readonly totalMs: number
}

export interface DispatchRequest {
  readonly requestId: string
  readonly call: InferenceCall
  /** In the order they are tried. */
  readonly targets: readonly Target[]
  /** The bound on output tokens that the hold covers; `undefined` where the model's own maximum is covered. */
  readonly outputTokens: (target: Target) => number | undefined
  /** The account's own keys by provider: they are used in place of the gateway's, and never besides. */
  readonly ownKeys: ReadonlyMap<string, OwnKey>
  /** Every attempt is added here, also when this throws. */
  readonly attempts: Attempt[]
  readonly signal: CallerSignal
}

export type Dispatch = (request: DispatchRequest) => Promise<Upstream>

/**
 * Tries targets in order until one commits its first byte. A provider's own trouble — no connection, 401, 402, 429, 5xx,
 * silence, a broken answer — is not the caller's: the next target is tried. A request that is itself at fault ends here.
 */
export function createDispatch(options: DispatchOptions): Dispatch {
  return async ({ requestId, call, targets, outputTokens, ownKeys, attempts, signal }) => {
    const deadlineMs = options.clock.monotonicMs() + options.timeouts.totalMs
    for (const target of attemptOrder(targets, options.attemptsMax)) {
      if (attempts.length > 0 && !isWorthTrying(target, attempts, options.clock.monotonicMs() - deadlineMs))
        break
      const own = ownKeys.get(target.providerId)
      const attempt = begin(target, attemptId(requestId, attempts.length + 1), own, options.clock)
      // A provider that does not say which tier it served has served what it was asked for.
      if (call.serviceTier !== undefined) attempt.serviceTier = call.serviceTier
      attempts.push(attempt)
      try {
        return await tryTarget(
          call,
          attempt,
          { outputTokens: outputTokens(target), own, deadlineMs, signal },
          options,
        )
      } catch (error) {
        attempt.endedMs = options.clock.monotonicMs()
        if (!(error instanceof AttemptFailedError)) {
          // The caller has gone, or the request is at fault: neither says anything about the target.
          const hasLeft = hasLeftUnderWay(error)
          attempt.mayHaveCost = hasLeft || isTooLarge(error)
          attempt.outcome = hasLeft ? 'aborted' : 'failed'
          throw error
        }
        attempt.outcome = 'failed'
        attempt.failure = error.failure
        attempt.mayHaveCost = error.mayHaveCost
        if (isTargetsFault(attempt)) options.health.recordFailure(target)
        options.onAttemptFailed(attempt)
      }
    }
    throw exhausted(attempts)
  }
}

/** Whether the caller left when the provider may have begun. A request that was never sent costs nobody anything. */
function hasLeftUnderWay(error: unknown): boolean {
  if (!isGatewayError(error) || error.code !== 'client_closed') return false
  return !isTransportError(error.cause) || error.cause.wasSent
}

/** Whether the provider has done all of the work, for an answer that is too long to be passed on. */
function isTooLarge(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof BodyTooLargeError
}

/** Whether a failure tells anything to others: an account whose own key is bad or used up must not close a target for all. */
function isTargetsFault({ isOwnKey, failure }: Attempt): boolean {
  return !isOwnKey || failure?.status === undefined || failure.status >= 500
}

/** A single target gets a second try: a kept connection may just have been closed by the other side. */
function attemptOrder(targets: readonly Target[], attemptsMax: number): readonly Target[] {
  const order = targets.length === 1 ? [...targets, ...targets] : targets
  return order.slice(0, attemptsMax)
}

function isWorthTrying(target: Target, attempts: readonly Attempt[], overtimeMs: number): boolean {
  const last = attempts.at(-1)
  if (overtimeMs >= 0) return false
  return last?.target !== target || (last.failure?.reason === 'reset' && last.firstByteMs === undefined)
}

function begin(target: Target, id: string, own: OwnKey | undefined, clock: Clock): Attempt {
  return {
    attemptId: id,
    target,
    isOwnKey: own !== undefined,
    startedMs: clock.monotonicMs(),
    outcome: 'running',
    mayHaveCost: true,
    isReportFinal: false,
    outputEvents: 0,
    replyBytes: 0,
  }
}

async function tryTarget(
  call: InferenceCall,
  attempt: Attempt,
  bounds: {
    readonly outputTokens: number | undefined
    readonly own: OwnKey | undefined
    readonly deadlineMs: number
    readonly signal: CallerSignal
  },
  options: DispatchOptions,
): Promise<Upstream> {
  const { target } = attempt
  const { own, outputTokens, deadlineMs, signal } = bounds
  const provider = own?.provider ?? options.providers.get(target.providerId)
  if (provider === undefined) throw new Error(`No provider "${target.providerId}" is configured.`)
  const request = provider.encode(call, { target, attemptId: attempt.attemptId, outputTokens })
  const { firstByteMs, replyMs, idleMs } = options.timeouts
  const isStream = call.isStreaming && provider.follow === undefined
  const context: ReplyContext = {
    call,
    attempt,
    provider,
    hide: own === undefined ? provider.hide : own.hide,
    transport: options.transport,
    clock: options.clock,
    options: {
      signal,
      headersTimeoutMs: isStream ? firstByteMs : replyMs,
      bodyTimeoutMs: idleMs,
      totalTimeoutMs: Math.max(1, deadlineMs - attempt.startedMs),
    },
    replyBytesMax: options.replyBytesMax,
  }
  if (isStream) {
    const stream = await openStream(request, context)
    return { kind: 'stream', attempt, stream }
  }
  const { reply, object, contentType } = await fetchReply(request, context)
  attempt.replyBytes = reply.byteLength
  return { kind: 'reply', attempt, reply, object, contentType }
}
