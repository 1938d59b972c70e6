import type { Catalog } from '../catalog/catalog.ts'
import type { RateAttempt } from '../ledger/audit/prices.ts'
import { rateKnown } from '../rate-usage.ts'

/** Rates attempts again at the version of the prices they were made at, in force or not, as far as it is known. */
export function rateBy({ pricesOf }: Catalog): RateAttempt {
  return ({ priceVersion, providerId, providerModel, usage, serviceTier, cost }) => {
    if (priceVersion === undefined || usage === undefined) return undefined
    // A model may do several things at several prices, and the attempt does not say which of them was asked for.
    const ratings = pricesOf({ priceVersion, providerId, providerModel }).map(
      (price) => rateKnown(usage.quantities, price, { serviceTier }).cost,
    )
    return ratings.find((rated) => rated === cost) ?? ratings[0]
  }
}
