import type { Catalog } from './catalog/catalog.ts'
import type { Target } from './catalog/target.ts'
import type { RateAttempt } from './ledger/audit-prices.ts'
import { billable, charge } from './price.ts'

/** Rates attempts again at the prices of this catalog, as far as they were made at its version. */
export function rateBy({ targets, version }: Catalog): RateAttempt {
  const byModel = new Map<string, Target[]>()
  for (const target of targets) {
    const same = byModel.get(target.targetId)
    if (same === undefined) byModel.set(target.targetId, [target])
    else same.push(target)
  }
  return ({ priceVersion, providerId, providerModel, usage, cost }) => {
    if (priceVersion !== version || usage === undefined) return undefined
    // A model may do several things at several prices, and the attempt does not say which of them was asked for.
    const ratings = (byModel.get(`${providerId}/${providerModel}`) ?? []).map(({ price }) =>
      charge(billable(usage.quantities, price), price),
    )
    return ratings.find((rated) => rated === cost) ?? ratings[0]
  }
}
