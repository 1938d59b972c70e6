import { createAccountKeeping } from './account-keeping.ts'
import { type AccountStatements, createAccountStatements } from './account-statements.ts'
import { createAnnounce } from './announce.ts'
import { createAnswer } from './answer.ts'
import type { AccountSettings, ChangeSettingsRequest } from './auth/account-settings.ts'
import type { ProviderKeys } from './auth/provider-keys.ts'
import { createCatalog } from './catalog/catalog.ts'
import { bookOf } from './catalog/price-book.ts'
import { shippedPrices } from './catalog/shipped-prices.ts'
import { systemClock } from './clock.ts'
import { openaiError } from './dialects/openai-error.ts'
import { createTransport } from './dispatch/transport.ts'
import { GatewayError, isGatewayError } from './errors.ts'
import { type GatewayEvent, guarded } from './events.ts'
import { createGatewayLedger } from './gateway-ledger.ts'
import type { GatewayRequest, GatewayResponse } from './http/exchange.ts'
import { findRoute } from './http/routes.ts'
import { type FetchOptions, fromWeb, toWeb } from './http/web.ts'
import { randomIds } from './ids.ts'
import { createJournalExport, type JournalExport } from './journal-export.ts'
import type { Account } from './ledger/account.ts'
import type { AdjustRequest, AdjustResult } from './ledger/adjust.ts'
import type { AuditOptions } from './ledger/audit/audit.ts'
import type { AuditReport } from './ledger/audit/report.ts'
import type { Balance } from './ledger/balance.ts'
import type { CapMemberRequest } from './ledger/cap-member.ts'
import type { ConfigureRequest } from './ledger/configure.ts'
import type { JournalEntry } from './ledger/entry.ts'
import type { GrantRequest, GrantResult } from './ledger/grant.ts'
import type { MemberBalance, MemberRequest } from './ledger/member-balance.ts'
import { memoryKeys } from './ledger/memory-keys.ts'
import { memoryStorage } from './ledger/memory-storage.ts'
import { planPreset } from './ledger/plan-presets.ts'
import type { Receipt } from './ledger/receipt.ts'
import type { RefundRequest, RefundResult } from './ledger/refund.ts'
import { graceMs, resolveWithinMs } from './ledger/reservation.ts'
import type { VoidGrantRequest, VoidGrantResult } from './ledger/void-grant.ts'
import { checkOptions, type GatewayOptions } from './options.ts'
import { createPrices, type Prices } from './prices.ts'
import { rateBy } from './rate-attempt.ts'
import { type LateCost, type ReconcileReport, tellCost } from './reconcile.ts'
import { createReconciliation } from './reconciliation.ts'
import { createReplay } from './replay/replay.ts'
import { errorResponse } from './response.ts'
import { createHealth } from './routing/health.ts'
import { createStages, holdMarginMs } from './stages.ts'
import { createFoldLater } from './statements/fold-later.ts'
import { createUnderWay } from './under-way.ts'

/** How long requests that were cut off at closing may take to settle. */
const cutOffMs = 5_000

/** What a host mounts, and what it manages accounts with. */
export interface Gateway extends AccountStatements {
  /** Answers a request, or gives `undefined` when its path is not the gateway's. Rejects only on faults of the gateway itself. */
  handle(request: GatewayRequest): Promise<GatewayResponse | undefined>
  /**
   * Answers a web-standard request, for hosts such as Hono or route handlers of Next.js. Gives `undefined` when its path is not
   * below `prefix`, or is not the gateway's. `host` is handed to `authenticate`, by default the request itself.
   */
  fetch(request: Request, options?: FetchOptions): Promise<Response | undefined>
  readonly accounts: {
    /** Puts an account on a plan, with seats, a spending limit, and a cap for each member. */
    configure(request: ConfigureRequest): Promise<Account>
    balance(accountId: string): Promise<Balance>
    /** Gives one member of an account a cap of their own, or takes it away. */
    capMember(request: CapMemberRequest): Promise<MemberBalance>
    /** What a member has used in this period, and may still use. */
    member(request: MemberRequest): Promise<MemberBalance>
    /** What an account has set for its requests. */
    settings(accountId: string): Promise<AccountSettings>
    /** Changes what an account has set: at once in this process, within ten seconds in others. */
    changeSettings(request: ChangeSettingsRequest): Promise<AccountSettings>
    /** Ids of all accounts, in order, up to a hundred at a time. Give the cursor of one page to get the next. */
    list(
      cursor?: string | null,
    ): Promise<{ readonly accountIds: readonly string[]; readonly cursor: string | null }>
    /** Entries of the account's journal after a sequence number, at most 1,000. */
    journal(request: {
      readonly accountId: string
      readonly afterSeq?: bigint
    }): Promise<readonly JournalEntry[]>
  }
  /** Hands journals over to somebody else: at least once, each account in order. */
  readonly journal: JournalExport
  readonly providerKeys: ProviderKeys
  readonly credits: {
    /** Adds credit. The same `grantId` adds it once, however often it is sent. */
    grant(request: GrantRequest): Promise<GrantResult>
    /** Takes back what is left of a grant, or some of it. What was spent stays spent. Once for each `opId`, as all below. */
    void(request: VoidGrantRequest): Promise<VoidGrantResult>
    /** Corrects an account by hand: lowers the bill and gives credit, or takes credit and raises the bill. */
    adjust(request: AdjustRequest): Promise<AdjustResult>
    /** Gives back what an attempt was charged, to where it came from. */
    refund(request: RefundRequest): Promise<RefundResult>
  }
  readonly receipts: {
    get(request: { readonly accountId: string; readonly requestId: string }): Promise<Receipt | undefined>
  }
  /** What past requests cost at other prices, and what differs between prices. Nothing there moves money. */
  readonly prices: Prices
  readonly costs: {
    /**
     * Takes the cost of an attempt from a provider that calls back instead of being asked. Gives whether it was news: a cost
     * that is final is never changed.
     */
    report(cost: LateCost): Promise<boolean>
  }
  /**
   * Finds out costs that are still unknown: of requests that a dead process left behind, and of those whose provider tells
   * costs later. Runs by itself, see `lateCosts.everyMs`; may be called at any time.
   */
  reconcile(): Promise<ReconcileReport>
  /**
   * Replays an account's journal: proves that it is whole, that the balance is what it adds up to, and that nothing was
   * charged beyond what the provider charges. Writes nothing. Rejects when the store is out of reach.
   */
  audit(accountId: string, options?: AuditOptions): Promise<AuditReport>
  /** Refuses new requests, waits for those under way and their settlement, and closes connections and storage. */
  close(): Promise<void>
}

/**
 * Builds a gateway.
 *
 * @throws RangeError when an option is wrong, naming it.
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { limits, timeouts, lateCosts } = checkOptions(options)
  const clock = options.clock ?? systemClock
  const ids = options.ids ?? randomIds
  const storage = options.storage ?? memoryStorage({ clock })
  const observe = guarded(options.onEvent)
  const onEvent = (event: GatewayEvent) => {
    if (event.kind === 'request.settled') foldLater.booked(event.receipt.accountId)
    observe(event)
  }
  const { ledger, close: closeLedger } = createGatewayLedger({
    store: storage.ledger,
    plans: options.plans ?? planPreset('hf-2026-02-04'),
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
  const catalog = createCatalog({
    books: [shippedPrices(), bookOf(options.catalog ?? [])],
    providerIds: [...providers.keys()],
    now: clock.now,
  })
  const rate = rateBy(catalog)
  const announce = createAnnounce(onEvent, rate)
  const health = createHealth({
    clock,
    onCircuit: ({ providerId, model }, state) =>
      onEvent({ kind: 'circuit.changed', providerId, model, state }),
  })
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
  const requests = createUnderWay()
  const holds = createUnderWay()
  const stagesOf = createStages({
    options,
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
    authenticate: options.authenticate,
    setups: keeping.setups,
    stagesOf,
    catalog,
    stats: health.stats,
    ledger,
    clock,
  })
  const journalExport = createJournalExport(ledger, clock)

  async function close(): Promise<void> {
    const within = (delayMs: number) => new Promise<void>((resolve) => clock.after(delayMs, resolve))
    const stopped = Promise.all([reconciliation.stop(), journalExport.stop()])
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
    if (route === undefined || request.method === 'OPTIONS') return undefined
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
      return errorResponse(openaiError(error, requestId))
    } finally {
      requests.leave()
    }
  }

  return {
    handle,
    async fetch(request, options) {
      const asked = fromWeb(request, options)
      const response = asked === undefined ? undefined : await handle(asked)
      return response === undefined ? undefined : toWeb(response, request.method)
    },
    accounts: {
      configure: (request) => ledger.configure(request),
      balance: (accountId) => ledger.balance(accountId),
      capMember: (request) => ledger.capMember(request),
      member: (request) => ledger.memberBalance(request),
      settings: keeping.settings,
      changeSettings: keeping.changeSettings,
      list: (cursor = null) => ledger.accounts(cursor),
      journal: ({ accountId, afterSeq }) => ledger.journal(accountId, afterSeq ?? 0n, 1000),
    },
    journal: { export: journalExport.export, follow: journalExport.follow, trim: journalExport.trim },
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
