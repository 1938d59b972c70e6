import type { CostSource, ReceiptAttempt } from '../ledger/receipt.ts'
import type { Nano } from '../money.ts'
import { isPriceFor, type Price, type TargetPrice, UnpricedUnitError } from '../price.ts'
import { rateUsage, UnpricedTierError } from '../rate-usage.ts'
import { type Measure, measureOf, type Unit } from '../unit.ts'
import type { Quantities, Quantity } from '../usage.ts'

/** What one attempt cost, and what its usage costs at other prices. */
export interface ReratedAttempt {
  readonly attemptId: string
  readonly providerId: string
  readonly providerModel: string
  /** What it cost; `null` when that is unknown. For an attempt on the customer's own key, what the provider bills. */
  readonly was: Nano | null
  /** Where that cost came from. */
  readonly costSource: CostSource
  /** What it costs at the other prices; `null` when they do not cover it. */
  readonly cost: Nano | null
  /** The version of the other prices, where it has one. */
  readonly priceVersion?: string
  /** Whether its usage was told by the provider or estimated. */
  readonly certainty?: 'exact' | 'estimate'
  /** Why there is no cost. */
  readonly reason?: UnratedReason
}

/**
 * `no-usage`: nobody knows what was used. `no-price`: the other prices have no such model. `not-measured`: they are for
 * something that was not measured then. `unpriced`: they have no rate for something that was used.
 */
export type UnratedReason = 'no-usage' | 'no-price' | 'not-measured' | 'unpriced'

/** Other prices for an attempt: `same` where they are not others, `undefined` where there are none. */
export type FindPrice = (
  attempt: ReceiptAttempt,
) => (TargetPrice & { readonly priceVersion?: string }) | 'same' | undefined

/** Rates the usage of an attempt at other prices. Usage is taken as it was recorded, estimates included. */
export function rerateAttempt(attempt: ReceiptAttempt, find: FindPrice): ReratedAttempt {
  const { attemptId, providerId, providerModel, costSource, usage, serviceTier } = attempt
  const was = attempt.cost ?? attempt.memoCost ?? null
  const known = { attemptId, providerId, providerModel, was, costSource }
  const price = find(attempt)
  if (price === 'same') return { ...known, cost: was }
  if (usage === undefined) return { ...known, cost: null, reason: 'no-usage' }
  const { quantities, certainty } = usage
  if (price === undefined) return { ...known, cost: null, certainty, reason: 'no-price' }
  const { priceVersion } = price
  const at = { ...known, certainty, ...(priceVersion === undefined ? {} : { priceVersion }) }
  const measured = measuredFor(price.price, quantities)
  if (measured === undefined) return { ...at, cost: null, reason: 'not-measured' }
  try {
    return { ...at, cost: rateUsage(measured, price, { serviceTier }) }
  } catch (error) {
    if (!(error instanceof UnpricedUnitError) && !(error instanceof UnpricedTierError)) throw error
    return { ...at, cost: null, reason: 'unpriced' }
  }
}

/** Sums of attempts that could be rated, so that like is compared with like. */
export interface RerateTotals {
  readonly was: Nano
  readonly cost: Nano
  /** How much more, or less, the other prices come to. */
  readonly difference: bigint
  /** Attempts with a cost. */
  readonly rated: number
  /** Attempts that had a cost and have none at the other prices. They are in no sum. */
  readonly unrated: number
}

export function totalOf(attempts: readonly ReratedAttempt[]): RerateTotals {
  let [was, cost, rated, unrated] = [0n, 0n, 0, 0]
  for (const attempt of attempts) {
    if (attempt.was === null) continue
    if (attempt.cost === null) {
      unrated += 1
      continue
    }
    rated += 1
    was += attempt.was
    cost += attempt.cost
  }
  return { was: was as Nano, cost: cost as Nano, difference: cost - was, rated, unrated }
}

/** Measures that need not be told: a request is one request, and a search that nobody told of was not made. */
const untold: readonly (Measure | undefined)[] = ['request', 'web-search']

/** The quantities, if everything that the price is for was measured. */
function measuredFor(price: Price, quantities: Quantities): Quantities | undefined {
  const measures = new Set(Object.keys(quantities).map(measureOf))
  for (const unit of Object.keys(price)) {
    const measure = measureOf(unit)
    if (!measures.has(measure) && !untold.includes(measure)) return undefined
  }
  if (!isPriceFor(price, 'request') || measures.has('request')) return quantities
  const withRequest: Partial<Record<Unit, Quantity>> = { ...quantities, request: 1n }
  return withRequest
}
