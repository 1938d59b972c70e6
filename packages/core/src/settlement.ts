import type { Admission } from './admission/admit.ts'
import type { Clock } from './clock.ts'
import type { InferenceCall } from './dialects/inference-call.ts'
import { lookUpCosts } from './dispatch/costs.ts'
import type { Transport } from './dispatch/transport.ts'
import type { OnEvent } from './events.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Receipt } from './ledger/receipt.ts'
import type { SettledAttempt } from './ledger/settle.ts'
import type { Attempt } from './metering/attempt.ts'
import { estimateUsage, tokensOf } from './metering/estimate.ts'
import type { Nano } from './money.ts'
import { billable, charge } from './price.ts'
import type { Provider } from './providers/provider.ts'
import { completeUsage, type Usage } from './usage.ts'

export interface SettlementOptions {
  readonly ledger: Ledger
  readonly providers: ReadonlyMap<string, Provider>
  readonly transport: Transport
  readonly clock: Clock
  readonly onEvent: OnEvent
}

/**
 * Ends a reservation: prices every attempt and settles. Never rejects: what the store cannot take now is tried again in the
 * background, and left to reconciliation in the end. `undefined` when the receipt is not there yet.
 */
export type Settle = (admission: Admission, attempts: readonly Attempt[]) => Promise<Receipt | undefined>

/** Pauses before the store is asked again. The hold is durable: nothing is lost if all of them fail. */
const retryDelaysMs = [200, 1_000, 5_000, 20_000]

/** Pauses before a provider is asked for the cost of an attempt that broke off. */
const costDelaysMs = [100, 500, 2_000]

export function createSettlement(options: SettlementOptions): Settle {
  const { ledger, onEvent } = options

  async function settle(
    admission: Admission,
    attempts: readonly SettledAttempt[],
  ): Promise<Receipt | undefined> {
    const { accountId, requestId } = admission
    const result = await ledger.settle({ accountId, reservationId: requestId, attempts })
    if (result.outcome === 'unknown-reservation')
      throw new Error(`The hold of request ${requestId} has disappeared.`)
    onEvent({ kind: 'request.settled', receipt: result.receipt })
    return result.receipt
  }

  async function settleLater(admission: Admission, attempts: readonly SettledAttempt[]): Promise<void> {
    for (const [index, delayMs] of retryDelaysMs.entries()) {
      await pause(options.clock, delayMs)
      try {
        await settle(admission, attempts)
        return
      } catch (cause) {
        const willRetry = index < retryDelaysMs.length - 1
        onEvent({
          kind: 'settle.failed',
          requestId: admission.requestId,
          accountId: admission.accountId,
          willRetry,
          cause,
        })
      }
    }
  }

  return async (admission, attempts) => {
    const costs = await brokenOffCosts(attempts, options)
    const settled = attempts.map((attempt) =>
      priceAttempt(admission.call, attempt, costs.get(attempt.attemptId)),
    )
    try {
      return await settle(admission, settled)
    } catch (cause) {
      const { requestId, accountId } = admission
      onEvent({ kind: 'settle.failed', requestId, accountId, willRetry: true, cause })
      void settleLater(admission, settled)
      return undefined
    }
  }
}

/**
 * Who pays what for an attempt. The best source wins: the provider's word on the cost, then the price of the usage it
 * reported, then the price of an estimate. Unknown is never zero for what reached the caller.
 */
function priceAttempt(call: InferenceCall, attempt: Attempt, reportedCost: Nano | undefined): SettledAttempt {
  const { target, outcome } = attempt
  const common = {
    attemptId: attempt.attemptId,
    providerId: target.providerId,
    providerModel: target.providerModel,
    outcome: outcome === 'running' ? ('aborted' as const) : outcome,
    payer: outcome === 'failed' ? ('operator' as const) : ('customer' as const),
    priceVersion: target.priceVersion,
  }
  const reported = attempt.reported === undefined ? undefined : billable(attempt.reported, target.price)
  if (reportedCost !== undefined) {
    const usage =
      reported === undefined ? {} : { usage: { quantities: reported, certainty: 'exact' as const } }
    return { ...common, ...usage, costSource: 'provider', cost: reportedCost }
  }
  if (outcome === 'failed' && reported === undefined) {
    return attempt.mayHaveCost
      ? { ...common, costSource: 'unknown', cost: null }
      : { ...common, costSource: 'none', cost: null }
  }
  const usage = usageOf(call, attempt)
  return {
    ...common,
    usage,
    costSource: usage.certainty === 'exact' ? 'price-book' : 'estimate',
    cost: charge(usage.quantities, target.price),
  }
}

function usageOf(call: InferenceCall, attempt: Attempt): Usage {
  const { target, reported, replyBytes, outputEvents } = attempt
  const known = reported === undefined ? undefined : billable(reported, target.price)
  const outputTokens = replyBytes > 0 ? tokensOf(replyBytes) : outputEvents
  return completeUsage(known, withoutCached(estimateUsage(call, target, { outputTokens })))
}

/** A provider that does not mention cached tokens has cached none. */
function withoutCached(estimate: ReturnType<typeof estimateUsage>): ReturnType<typeof estimateUsage> {
  const { cached_input_token: _none, ...others } = estimate
  return others
}

/** Costs of attempts that broke off before they told their usage, from providers that can be asked. */
async function brokenOffCosts(
  attempts: readonly Attempt[],
  { providers, transport, clock }: SettlementOptions,
): Promise<ReadonlyMap<string, Nano>> {
  const last = attempts.at(-1)
  const provider = last === undefined ? undefined : providers.get(last.target.providerId)
  // A running count in a stream that broke off is less than what the provider charges.
  const isKnown = last?.outcome !== 'aborted' || last.isReportFinal || !last.mayHaveCost
  if (isKnown || provider?.costs === undefined) return noCosts
  for (const delayMs of costDelaysMs) {
    await pause(clock, delayMs)
    const costs = await lookUpCosts(provider, [last.attemptId], transport)
    if (costs.size > 0) return costs
  }
  return noCosts
}

const noCosts: ReadonlyMap<string, Nano> = new Map()

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve)
  })
}
