import { createPriceBook, type PriceBook } from './price-book.ts'
import { cerebrasRows } from './shipped/cerebras.ts'
import { replicateRows } from './shipped/replicate.ts'
import { togetherRows } from './shipped/together.ts'
import type { CatalogRow } from './target.ts'

/**
 * What can be bought, from whom, at which published price. One row for each provider and model; every row says where its
 * price was read and when. Prices change: hosts pass their own rows to `createGateway({ catalog })` to add or replace.
 */
export const priceBook: readonly CatalogRow[] = [...cerebrasRows, ...togetherRows, ...replicateRows]

/**
 * The prices that Farebox was released with, with their history. A published version is not changed: a price that changes
 * is a further edition with its date, so that receipts of older releases can still be explained.
 */
export function shippedPrices(): PriceBook {
  shipped ??= createPriceBook([{ effectiveAtMs: 0, rows: priceBook }])
  return shipped
}

/** Checked and hashed once: it never changes, and whoever tests makes many gateways. */
let shipped: PriceBook | undefined
