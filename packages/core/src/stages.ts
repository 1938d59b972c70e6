import { createAdmit } from './admission/admit.ts'
import { limitedAdmit, limitedSettle } from './admission/limited-admit.ts'
import type { Limiter } from './admission/limiter.ts'
import type { Announce } from './announce.ts'
import { createOnce } from './answered-once.ts'
import type { AccountSetups } from './auth/account-documents.ts'
import { authenticatePayer } from './auth/authenticate.ts'
import type { Identify } from './auth/principal.ts'
import { findCandidates } from './candidates.ts'
import type { Catalog } from './catalog/catalog.ts'
import type { Target } from './catalog/target.ts'
import type { Clock } from './clock.ts'
import { allDialects, dialectNames } from './dialects/all-dialects.ts'
import type { InferenceCall, PolicyName } from './dialects/inference-call.ts'
import { openaiErrorObject } from './dialects/openai-error.ts'
import { createDispatch } from './dispatch/dispatch.ts'
import type { Transport } from './dispatch/transport.ts'
import type { OnEvent } from './events.ts'
import { createHardStops } from './hard-stops.ts'
import { ByteStream } from './http/byte-stream.ts'
import type { JsonObject } from './http/json-object.ts'
import { readJsonBody } from './http/request-body.ts'
import type { DialectName, Operation } from './http/routes.ts'
import { encodeEvent } from './http/sse.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Attempt } from './metering/attempt.ts'
import { estimateUsage } from './metering/estimate.ts'
import { findUsage } from './metering/reply-meter.ts'
import { type CostMembers, meterStream } from './metering/stream-meter.ts'
import { formatUsd, zero } from './money.ts'
import { namedModel } from './named-model.ts'
import type { CheckedOptions, GatewayOptions } from './options.ts'
import type { Stages } from './pipeline.ts'
import { cheapest } from './policies/cheapest.ts'
import { fastest } from './policies/fastest.ts'
import { preferred } from './policies/preferred.ts'
import { countTokens, rateKnown } from './rate-usage.ts'
import type { Replay } from './replay/replay.ts'
import type { Retries } from './replay/retries.ts'
import { inferenceResponse } from './response.ts'
import type { Health } from './routing/health.ts'
import type { RoutePolicy } from './routing/policy.ts'
import { createSettlement } from './settlement.ts'
import type { UnderWay } from './under-way.ts'
import type { Quantities } from './usage.ts'

/** Output of a typical chat answer, to compare costs by when the caller set no bound. */
const typicalOutputTokens = 512

/** A hold outlives the longest request by this much. */
export const holdMarginMs = 60_000

export interface StageParts extends Pick<CheckedOptions, 'limits' | 'timeouts'> {
  readonly options: GatewayOptions
  readonly authenticate: Identify
  readonly accounts: AccountSetups
  readonly catalog: Catalog
  readonly ledger: Ledger
  readonly health: Health
  readonly transport: Transport
  readonly clock: Clock
  readonly onEvent: OnEvent
  readonly announce: Announce
  /** Holds of this process that are not settled yet. */
  readonly holds: UnderWay
  readonly replay: Replay
  readonly retries: Retries
  readonly limiter: Limiter
}

/** The stages of one gateway for callers who speak a dialect. */
export type StagesOf = (dialect: DialectName) => Stages

/** Binds every verb to what it needs. No decision is made here. */
export function createStages(parts: StageParts): StagesOf {
  const { options, accounts, catalog, ledger, health, transport, clock } = parts
  const { limits, timeouts, onEvent, announce, holds, replay, limiter } = parts
  const providers = new Map(options.providers.map((provider) => [provider.id, provider]))
  const policies = {
    default: options.policy ?? fastest(),
    fastest: fastest(),
    cheapest: cheapest(),
    preferred: preferred(),
  }
  const admitUnlimited = createAdmit({
    ledger,
    defaults: { outputTokens: limits.outputTokensDefault },
    outputTokensMin: limits.outputTokensMin,
    timeToLiveMs: timeouts.totalMs + holdMarginMs,
    attemptsMax: limits.attemptsMax,
    tellsCosts: (providerId) => providers.get(providerId)?.costs !== undefined,
    onHeld: holds.enter,
    onRefused: createHardStops(onEvent),
  })
  const admit = limitedAdmit(admitUnlimited, limiter)
  const dispatch = createDispatch({
    providers,
    transport,
    health,
    clock,
    attemptsMax: limits.attemptsMax,
    replyBytesMax: limits.replyBytesMax,
    timeouts,
    onAttemptFailed: (attempt) => onEvent(attemptFailed(attempt)),
  })
  const settleUnlimited = createSettlement({
    ledger,
    providers,
    transport,
    clock,
    onEvent,
    announce,
    onEnded: holds.leave,
  })
  const settlement = limitedSettle(settleUnlimited, limiter)

  const shared: Omit<Stages, 'parse' | 'respond'> = {
    authenticate: ({ request }) => authenticatePayer(parts.authenticate, accounts, request),
    candidates: (call, payer) => findCandidates(call, payer, catalog, providers),
    admit: ({ requestId }, payer, call, candidates) => admit({ requestId, payer, call, candidates }),
    route: ({ call, targets }, payer) =>
      order(policies, call, targets, {
        call,
        stats: health.stats,
        expectedCost: (target) => expectedCost(call, target),
        preferredProviders: payer.preferredProviders,
      }),
    dispatch: ({ requestId, request }, { call, outputTokens, ownKeys }, targets, attempts) =>
      dispatch({ requestId, call, targets, outputTokens, ownKeys, attempts, signal: request.signal }),
    async meter({ request }, { call, ownKeys }, upstream, settle) {
      const { attempt } = upstream
      const provider = providers.get(attempt.target.providerId)
      const readUsage = (reply: unknown) => {
        const serviceTier = provider?.serviceTier?.(reply)
        if (serviceTier !== undefined) attempt.serviceTier = serviceTier
        return provider?.usage(reply, call)
      }
      if (upstream.kind === 'reply' && !call.isStreaming) {
        const { reply, object, contentType } = upstream
        if (attempt.reported === undefined) {
          const told = toldBy(call.operation, reply, object)
          if (told !== undefined) attempt.reported = readUsage(told)
        }
        attempt.outcome = 'served'
        attempt.endedMs = clock.monotonicMs()
        return { kind: 'reply', attempt, reply, contentType, receipt: await settle() }
      }
      const stream = meterStream({
        upstream: upstream.kind === 'stream' ? upstream.stream : streamOf(upstream.reply),
        attempt,
        wantsUsage: call.wantsUsage,
        readUsage,
        // A provider that prices afterwards has not told a cost yet.
        costOf: (quantities) =>
          provider?.costs?.settles === 'afterwards' && !attempt.isOwnKey
            ? undefined
            : costMembers(quantities, attempt),
        hide: (ownKeys.get(attempt.target.providerId) ?? provider)?.hide,
        writeError: (error) => encodeEvent(JSON.stringify({ error: openaiErrorObject(error) })),
        signal: request.signal,
        settle: async () => {
          await settle()
        },
        monotonicMs: clock.monotonicMs,
      })
      return { kind: 'stream', attempt, stream }
    },
    settle(admission, attempts) {
      recordHealth(health, attempts.at(-1))
      return settlement(admission, attempts)
    },
    once: createOnce(replay, parts.retries),
  }
  const operationsOf = (model: string) => [
    ...new Set(catalog.targetsOf(model).map(({ operation }) => operation)),
  ]

  function stagesOf(name: DialectName): Stages {
    const dialect = allDialects[name]
    const read = dialect.read ?? (({ body }, bytesMax) => readJsonBody(body, bytesMax))
    return {
      ...shared,
      parse: async ({ request, route }) =>
        dialect.parse(namedModel(await read(request, limits.requestBytesMax), route, catalog), {
          request,
          route,
          operationsOf,
        }),
      respond: (admission, metered) => inferenceResponse(admission, metered, dialect),
    }
  }
  const byDialect = new Map(dialectNames.map((name) => [name, stagesOf(name)]))
  return (name) => byDialect.get(name) ?? stagesOf(name)
}

/** Healthy targets in the order of the policy, then the unhealthy ones: better a bad chance than none. */
function order(
  policies: Readonly<Record<'default' | PolicyName, RoutePolicy>>,
  call: InferenceCall,
  targets: readonly Target[],
  context: Parameters<RoutePolicy>[1],
): readonly Target[] {
  if (targets.length === 1 || call.selector.kind === 'provider') return targets
  const policy = call.selector.kind === 'policy' ? call.selector.policy : 'default'
  const ordered = policies[policy](targets, context)
  if (ordered.every((target) => context.stats(target).isHealthy)) return ordered
  return ordered.toSorted((a, b) => Number(context.stats(b).isHealthy) - Number(context.stats(a).isHealthy))
}

function expectedCost(call: InferenceCall, target: Target): bigint {
  const outputTokens =
    Math.min(call.outputTokensMax ?? typicalOutputTokens, typicalOutputTokens) * call.choices
  const { serviceTier } = call
  return rateKnown(estimateUsage(call, target, { outputTokens }), target, { serviceTier }).cost
}

function recordHealth(health: Health, attempt: Attempt | undefined): void {
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

/**
 * What the caller is told in a stream, where it is sure: with the account's own key nothing, and beside it what the provider
 * will bill.
 */
function costMembers(
  quantities: Quantities,
  { target, serviceTier, isOwnKey }: Attempt,
): CostMembers | undefined {
  const rated = rateKnown(quantities, target, { serviceTier })
  if (rated.unpriced !== undefined) return undefined
  const cost = formatUsd(rated.cost)
  return isOwnKey ? { cost: formatUsd(zero), memo_cost: cost } : { cost }
}

/** What a provider reads usage from. A file of sound tells nothing: what it cost follows from what was asked. */
function toldBy(operation: Operation, reply: Buffer, object: JsonObject | undefined): unknown {
  switch (operation) {
    case 'images':
    case 'moderations':
    case 'transcriptions':
      return parseJson(reply)
    case 'speech':
      return {}
    default:
      return findUsage(reply, object)
  }
}

/** A whole event stream, for providers whose answer only exists once it is complete. */
function streamOf(reply: Buffer): ByteStream {
  const stream = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
  stream.write(reply)
  stream.end()
  return stream
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function attemptFailed({ attemptId, target, isOwnKey, failure }: Attempt): Parameters<OnEvent>[0] {
  return {
    kind: 'attempt.failed',
    attemptId,
    providerId: target.providerId,
    model: target.model,
    isOwnKey,
    reason: failure?.reason ?? 'unknown',
    message: failure?.message ?? '',
  }
}
