import { createAdmit } from './admission/admit.ts'
import { limitedAdmit, limitedSettle } from './admission/limited-admit.ts'
import type { Limiter } from './admission/limiter.ts'
import { createOnce } from './answered-once.ts'
import type { AccountSetups } from './auth/account-documents.ts'
import { authenticatePayer } from './auth/authenticate.ts'
import type { Identify } from './auth/principal.ts'
import { findCandidates } from './candidates.ts'
import type { Catalog } from './catalog/catalog.ts'
import type { Clock } from './clock.ts'
import { allDialects, dialectNames } from './dialects/all-dialects.ts'
import { createDispatch } from './dispatch/dispatch.ts'
import type { Transport } from './dispatch/transport.ts'
import type { OnEvent } from './events.ts'
import { createHardStops } from './hard-stops.ts'
import { readJsonBody } from './http/request-body.ts'
import type { DialectName } from './http/routes.ts'
import type { Ledger } from './ledger/ledger.ts'
import { createMeter } from './meter.ts'
import type { Attempt } from './metering/attempt.ts'
import { namedModel } from './named-model.ts'
import type { CheckedOptions, GatewayOptions } from './options.ts'
import type { Stages } from './pipeline.ts'
import { cheapest } from './policies/cheapest.ts'
import { fastest } from './policies/fastest.ts'
import { preferred } from './policies/preferred.ts'
import type { Replay } from './replay/replay.ts'
import type { Retries } from './replay/retries.ts'
import { inferenceResponse } from './response.ts'
import type { Health } from './routing/health.ts'
import { expectedCost, orderTargets } from './routing/order-targets.ts'
import { recordAttempt } from './routing/record-attempt.ts'
import type { Announce } from './settlement/announce.ts'
import { createSettlement } from './settlement/settlement.ts'
import type { UnderWay } from './under-way.ts'

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
      orderTargets(policies, targets, {
        call,
        stats: health.stats,
        expectedCost: (target) => expectedCost(call, target),
        preferredProviders: payer.preferredProviders,
      }),
    dispatch: ({ requestId, request }, { call, outputTokens, ownKeys }, targets, attempts) =>
      dispatch({ requestId, call, targets, outputTokens, ownKeys, attempts, signal: request.signal }),
    meter: createMeter(providers, clock),
    settle(admission, attempts) {
      recordAttempt(health, attempts.at(-1))
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
