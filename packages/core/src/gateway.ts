import { createAccountKeeping } from './accounts/account-keeping.ts'
import { createAccountStatements } from './accounts/account-statements.ts'
import { createAnswer } from './answer.ts'
import { assert } from './assert.ts'
import { createApiKeys } from './auth/api-keys.ts'
import type { Identify } from './auth/principal.ts'
import { createCatalog } from './catalog/catalog.ts'
import { bookOf } from './catalog/price-book.ts'
import { shippedPrices } from './catalog/shipped-prices.ts'
import { pause, systemClock } from './clock.ts'
import { allDialects } from './dialects/all-dialects.ts'
import { isAnthropicClient } from './dialects/anthropic-messages/anthropic-client.ts'
import { anthropicError } from './dialects/anthropic-messages/error.ts'
import type { Dialect } from './dialects/dialect.ts'
import { openaiError } from './dialects/openai-error.ts'
import { createTransport } from './dispatch/transport.ts'
import { GatewayError, isGatewayError } from './errors.ts'
import { type GatewayEvent, guarded } from './events.ts'
import type { Gateway } from './gateway-interface.ts'
import { createGatewayLedger } from './gateway-ledger.ts'
import type { GatewayRequest, GatewayResponse } from './http/exchange.ts'
import { findRoute, type Route } from './http/routes.ts'
import { fromWeb, toWeb } from './http/web.ts'
import { randomIds, randomSecrets } from './ids.ts'
import { createJournalExport } from './journals/journal-export.ts'
import { memoryKeys } from './ledger/memory-keys.ts'
import { memoryStorage } from './ledger/memory-storage.ts'
import { planPreset } from './ledger/plan-presets.ts'
import { graceMs, resolveWithinMs } from './ledger/reservation.ts'
import { checkOptions, type GatewayOptions } from './options.ts'
import { createRateLimiting } from './rate-limits.ts'
import { createReplay } from './replay/replay.ts'
import { createRetries } from './replay/retries.ts'
import { createPrices } from './rerating/prices.ts'
import { rateBy } from './rerating/rate-attempt.ts'
import { errorResponse } from './response.ts'
import { createAnnounce } from './settlement/announce.ts'
import { createReconciliation } from './settlement/reconciliation.ts'
import { tellCost } from './settlement/tell-cost.ts'
import { createStages, holdMarginMs } from './stages.ts'
import { createFoldLater } from './statements/fold-later.ts'
import { createTargetHealth } from './target-health.ts'
import { createUnderWay } from './under-way.ts'

/** How long requests that were cut off at closing may take to settle. */
const cutOffMs = 5_000

/**
 * Builds a gateway.
 *
 * @throws RangeError when an option is wrong, naming it.
 */
export function createGateway(options: GatewayOptions): Gateway {
  const {
    limits,
    timeouts,
    lateCosts,
    health: { shared: isHealthShared },
  } = checkOptions(options)
  const clock = options.clock ?? systemClock
  const ids = options.ids ?? randomIds
  const storage = options.storage ?? memoryStorage({ clock })
  const observe = guarded(options.onEvent)
  const onEvent = (event: GatewayEvent) => {
    if (event.kind === 'request.settled') foldLater.booked(event.receipt.accountId)
    observe(event)
  }
  const plans = options.plans ?? planPreset('hf-2026-02-04')
  const { ledger, close: closeLedger } = createGatewayLedger({
    store: storage.ledger,
    plans,
    clock,
    ids,
    late: lateCosts,
    onEvent,
    announce: (settled) => announce(settled),
  })
  const foldLater = createFoldLater(ledger.statements)
  const transport =
    options.transport ??
    createTransport({
      connectionsMax: limits.connectionsMax,
      connectTimeoutMs: timeouts.connectMs,
      clock,
    })
  const providers = new Map(options.providers.map((provider) => [provider.id, provider]))
  const keeping = createAccountKeeping({
    keys: storage.keys,
    keyRing: options.keyRing,
    providers,
    clock,
    onEvent,
  })
  const apiKeys = createApiKeys({
    keys: storage.keys,
    clock,
    secrets: randomSecrets,
    balances: ledger.keyBalances,
  })
  const authenticate = identifyBy(options, apiKeys.authenticate)
  const catalog = createCatalog({
    books: [shippedPrices(), bookOf(options.catalog ?? [])],
    providerIds: [...providers.keys()],
    now: clock.now,
  })
  const rate = rateBy(catalog)
  const announce = createAnnounce(onEvent, rate)
  const targetHealth = createTargetHealth({
    counters: isHealthShared ? storage.counters : undefined,
    catalog,
    clock,
    onEvent,
  })
  const { health } = targetHealth
  const replay = createReplay({
    // Without a store for documents, repeats are recognised by the process that saw the first request.
    keys: storage.keys ?? memoryKeys(),
    clock,
    storeNow: ledger.storeNow,
    bytesMax: limits.replayBytesMax,
    keepMs: timeouts.replayMs,
    chargedWithinMs: timeouts.totalMs + holdMarginMs + graceMs + resolveWithinMs,
    isCharged: ledger.isCharged,
    onNotKept: (requestId, cause) => onEvent({ kind: 'answer.not-kept', requestId, cause }),
  })
  const retries = createRetries({
    clock,
    retryMs: timeouts.retryMs,
    bytesMax: limits.replayBytesMax,
  })
  const rateLimiting = createRateLimiting({
    plans,
    ledger,
    counters: storage.counters,
    clock,
    onEvent,
    limits,
    slotMs: timeouts.totalMs + holdMarginMs,
  })
  const requests = createUnderWay()
  const holds = createUnderWay()
  const stagesOf = createStages({
    options,
    authenticate,
    accounts: keeping.setups,
    limits,
    timeouts,
    catalog,
    ledger,
    health,
    transport,
    clock,
    onEvent,
    announce,
    holds,
    replay,
    retries,
    limiter: rateLimiting.limiter,
  })
  let closing: Promise<void> | undefined
  const reconciliation = createReconciliation({
    ledger,
    providers,
    transport,
    onEvent,
    announce,
    clock,
    everyMs: lateCosts.everyMs,
    chores: [replay.prune, foldLater.run],
  })

  const answer = createAnswer({
    authenticate,
    setups: keeping.setups,
    stagesOf,
    catalog,
    stats: health.stats,
    ledger,
    clock,
    requestBytesMax: limits.requestBytesMax,
  })
  const journalExport = createJournalExport(ledger, clock)

  async function close(): Promise<void> {
    // Whoever sends a request again is refused from now on.
    retries.close()
    const within = (delayMs: number) => pause(clock, delayMs)
    const stopped = Promise.all([reconciliation.stop(), journalExport.stop(), targetHealth.stop()])
    await Promise.race([requests.idle().then(() => holds.idle()), within(timeouts.closeMs)])
    // What is still running is cut off here, and settled before the store goes.
    await transport.close()
    await Promise.race([holds.idle().then(() => stopped), within(cutOffMs)])
    await Promise.race([closeLedger(), within(cutOffMs)])
    try {
      await storage.ledger.close()
    } finally {
      await options.onEvent?.close?.()
    }
  }

  async function handle(request: GatewayRequest): Promise<GatewayResponse | undefined> {
    const route = findRoute(request.path)
    // Preflights belong to the host's CORS middleware.
    if (route === undefined || request.method === 'OPTIONS' || !isOurs(route, request)) return undefined
    const requestId = ids()
    requests.enter()
    try {
      if (closing !== undefined)
        throw new GatewayError('gateway_closed', 'The gateway is shutting down.', { retryAfterSeconds: 1 })
      if (Math.max(requests.count, holds.count) > limits.requestsMax) {
        throw new GatewayError('gateway_busy', 'Too many requests are under way.', { retryAfterSeconds: 1 })
      }
      return await answer(route, requestId, request)
    } catch (error) {
      if (!isGatewayError(error)) throw error
      const { code, status, message } = error
      onEvent({ kind: 'request.refused', requestId, code, status, message })
      return errorResponse(errorWriter(route, request)(error, requestId))
    } finally {
      requests.leave()
    }
  }

  /** Paths outside of `/v1` are taken only for what they are known for: the host may have such ones too. */
  function isOurs(route: Route, { method, query = '' }: GatewayRequest): boolean {
    if (route.kind === 'hub-model') return query.includes('inferenceProviderMapping')
    if (route.kind !== 'inference') return true
    if (route.providerId !== undefined) return providers.has(route.providerId)
    return route.model === undefined || method === 'POST'
  }

  return {
    handle,
    async fetch(request, options) {
      const asked = fromWeb(request, options)
      const response = asked === undefined ? undefined : await handle(asked)
      return response === undefined ? undefined : toWeb(response, request.method)
    },
    accounts: {
      async configure(request) {
        const account = await ledger.configure(request)
        rateLimiting.forget(request.accountId)
        return account
      },
      balance: (accountId) => ledger.balance(accountId),
      capMember: (request) => ledger.capMember(request),
      member: (request) => ledger.memberBalance(request),
      async key({ accountId, keyId, cap }) {
        const [balance] = await ledger.keyBalances(accountId, [{ keyId, cap }])
        assert(balance !== undefined, 'a key has a balance')
        return balance
      },
      settings: keeping.settings,
      changeSettings: keeping.changeSettings,
      list: (cursor = null) => ledger.accounts(cursor),
      journal: ({ accountId, afterSeq }) => ledger.journal(accountId, afterSeq ?? 0n, 1000),
    },
    journal: { export: journalExport.export, follow: journalExport.follow, trim: journalExport.trim },
    keys: apiKeys,
    providerKeys: keeping.providerKeys,
    credits: {
      grant: (request) => ledger.grant(request),
      void: (request) => ledger.voidGrant(request),
      adjust: (request) => ledger.adjust(request),
      refund: (request) => ledger.refund(request),
    },
    prices: createPrices(catalog, ledger),
    ...createAccountStatements(ledger.statements, onEvent),
    receipts: { get: ({ accountId, requestId }) => ledger.receipt(accountId, requestId) },
    costs: { report: (cost) => tellCost(cost, { ledger, onEvent, announce }) },
    reconcile: reconciliation.run,
    audit: (accountId, options) => ledger.audit(accountId, { ...options, rate }),
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** How the dialect of a route writes errors. Routes that are in no dialect answer Anthropic's clients in theirs. */
function errorWriter(route: Route, request: GatewayRequest): NonNullable<Dialect['error']> {
  if ('dialect' in route) return allDialects[route.dialect].error ?? openaiError
  return isAnthropicClient(request) ? anthropicError : openaiError
}

/** The host's word on who asks, or that of the API keys. */
function identifyBy({ authenticate }: GatewayOptions, byApiKey: Identify): Identify {
  return authenticate === undefined ? byApiKey : (request) => authenticate(request, byApiKey)
}
