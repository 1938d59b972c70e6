import type { Catalog } from './catalog/catalog.ts'
import type { RateAttempt } from './ledger/audit-prices.ts'
import { rateKnown } from './rate-usage.ts'

/** Rates attempts again at the version of the price book they were made at, as far as the catalog still knows it. */
export function rateBy({ priceOf }: Catalog): RateAttempt {
  return ({ priceVersion, providerId, providerModel, usage, serviceTier }) => {
    if (priceVersion === undefined || usage === undefined) return undefined
    const known = priceOf({ priceVersion, providerId, providerModel })
    return known && rateKnown(usage.quantities, known, { serviceTier }).cost
  }
}
