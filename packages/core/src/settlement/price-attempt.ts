import type { Admission } from '../admission/admit.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import type { GatewayEvent } from '../events.ts'
import type { CostSource } from '../ledger/receipt.ts'
import type { SettledAttempt } from '../ledger/share.ts'
import type { Attempt } from '../metering/attempt.ts'
import { tokensOf, usageWithEstimates } from '../metering/estimate.ts'
import type { Nano } from '../money.ts'
import { isPricedApart, type Rated, rateKnown, UnpricedTierError } from '../rate-usage.ts'
import type { Quantities, Usage } from '../usage.ts'

/** An attempt with its cost, and what stood in the way of an exact one. */
export interface PricedAttempt {
  readonly settled: SettledAttempt
  readonly unpriced?: Rated['unpriced']
}

/**
 * Who pays what for an attempt. The best source wins: the provider's word on the cost, then the price of the usage it
 * reported, then the price of an estimate. Unknown is never zero for what reached the caller.
 */
export function priceAttempt(
  call: InferenceCall,
  attempt: Attempt,
  reportedCost: Nano | undefined,
): PricedAttempt {
  // Everything that was reported is booked, also what this price does not name: another version of it may.
  const { target, untoldEvents } = attempt
  const reported = withUntold(attempt)
  // Told while it went on, and then it broke off or went on without: the provider has counted more than that.
  const isPartial =
    untoldEvents !== undefined ||
    (attempt.outcome !== 'served' && attempt.outcome !== 'failed' && !attempt.isReportFinal)
  if (reportedCost !== undefined) {
    const usage: Usage | undefined = reported && {
      quantities: reported,
      certainty: isPartial ? 'estimate' : 'exact',
    }
    return { settled: settledAs(attempt, 'provider', reportedCost, usage) }
  }
  if (attempt.outcome === 'failed' && reported === undefined) {
    return { settled: settledAs(attempt, attempt.mayHaveCost ? 'unknown' : 'none', null, undefined) }
  }
  const outputTokens = attempt.replyBytes > 0 ? tokensOf(attempt.replyBytes) : attempt.outputEvents
  const completed = usageWithEstimates(reported, call, target, { outputTokens })
  const usage: Usage = isPartial ? { quantities: completed.quantities, certainty: 'estimate' } : completed
  const { cost, unpriced } = rateKnown(usage.quantities, target, attempt)
  const isExact = usage.certainty === 'exact' && unpriced === undefined
  return { settled: settledAs(attempt, isExact ? 'price-book' : 'estimate', cost, usage), unpriced }
}

/** What was reported, and what came behind it. */
function withUntold({ reported, untoldEvents }: Attempt): Quantities | undefined {
  if (reported === undefined || untoldEvents === undefined) return reported
  const { output_token: told = 0n } = reported
  return typeof told === 'bigint' ? { ...reported, output_token: told + BigInt(untoldEvents) } : reported
}

// Member by member, and the few that may be missing added: a copy takes longer than pricing does.
function settledAs(
  { attemptId, target, outcome, serviceTier, isOwnKey }: Attempt,
  costSource: CostSource,
  cost: Nano | null,
  usage: Usage | undefined,
): SettledAttempt {
  const settled: { -readonly [Name in keyof SettledAttempt]: SettledAttempt[Name] } = {
    attemptId,
    providerId: target.providerId,
    providerModel: target.providerModel,
    outcome: outcome === 'running' ? 'aborted' : outcome,
    payer: outcome === 'failed' ? 'operator' : 'customer',
    priceVersion: target.priceVersion,
    costSource,
    cost,
  }
  if (isOwnKey) {
    // What the provider bills the account for it is remembered, and moves no money.
    settled.payer = 'own-key'
    settled.costSource = 'own-key'
    settled.cost = null
    if (cost !== null) settled.memoCost = cost
  }
  if (usage === undefined) return settled
  settled.usage = usage
  if (serviceTier !== undefined && isPricedApart(serviceTier)) settled.serviceTier = serviceTier
  return settled
}

/** Tells the operator what the price book lacks. The customer pays for what it has. */
export function priceMissing(
  { requestId, accountId }: Admission,
  { attemptId, providerId, providerModel, priceVersion }: SettledAttempt,
  unpriced: NonNullable<Rated['unpriced']>,
): GatewayEvent {
  return {
    kind: 'price.missing',
    requestId,
    accountId,
    attemptId,
    providerId,
    providerModel,
    priceVersion,
    what: unpriced instanceof UnpricedTierError ? unpriced.serviceTier : unpriced.unit,
  }
}
