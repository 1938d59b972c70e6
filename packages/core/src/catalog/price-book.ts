import { hash } from 'node:crypto'
import type { Rate } from '../money.ts'
import { type LongContextTier, type Price, ratesOf } from '../price.ts'
import { checkRow } from './check-row.ts'
import type { CatalogRow } from './target.ts'

/** Prices and when they are in force. Published versions stay in it, so that what was charged can be explained later. */
export interface PriceBook {
  /** In the order in which they take effect. */
  readonly versions: readonly PriceBookVersion[]
}

/** All rows of a book from one moment on, until the next version takes effect. */
export interface PriceEdition {
  /** Milliseconds since 1970; 0 for prices that were always in force. */
  readonly effectiveAtMs: number
  readonly rows: readonly CatalogRow[]
}

export interface PriceBookVersion extends PriceEdition {
  /** A hash over all its prices, which is in every receipt priced by it. */
  readonly version: string
}

/** Books that were checked and named when they were made. */
const made = new WeakSet<PriceBook>()

/** More changes than this in one book are a mistake. */
const versionsMax = 10_000

/**
 * Builds a price book of editions, each with all rows in force from its moment on. Of two rows for the same provider,
 * model and operation in one edition the later holds.
 *
 * @throws RangeError when two editions take effect at once, or a row would sell something unpriced, for less than nothing
 * or for a price that cannot be meant; it names the row.
 */
export function createPriceBook(editions: readonly PriceEdition[]): PriceBook {
  if (editions.length > versionsMax) {
    throw new RangeError(`A price book has at most ${versionsMax} versions, not ${editions.length}.`)
  }
  const versions = editions.map(({ effectiveAtMs, rows }): PriceBookVersion => {
    if (!Number.isSafeInteger(effectiveAtMs) || effectiveAtMs < 0) {
      throw new RangeError(
        `A version of a price book cannot take effect at ${effectiveAtMs}; use milliseconds since 1970.`,
      )
    }
    for (const row of rows) checkRow(row)
    const byKey = new Map(rows.map((row) => [rowKey(row), row]))
    return { version: versionOf([...byKey.values()]), effectiveAtMs, rows: [...byKey.values()] }
  })
  versions.sort((a, b) => a.effectiveAtMs - b.effectiveAtMs)
  for (const [index, { effectiveAtMs }] of versions.entries()) {
    if (versions[index - 1]?.effectiveAtMs === effectiveAtMs) {
      throw new RangeError(
        `Two versions of a price book take effect at ${new Date(effectiveAtMs).toISOString()}.`,
      )
    }
  }
  const book = { versions }
  made.add(book)
  return book
}

/**
 * The book of a host: rows that are always in force, or a book with versions of its own.
 *
 * @throws RangeError as `createPriceBook`, and when a version is not the hash of its prices.
 */
export function bookOf(catalog: readonly CatalogRow[] | PriceBook): PriceBook {
  if (!('versions' in catalog)) return createPriceBook([{ effectiveAtMs: 0, rows: catalog }])
  if (made.has(catalog)) return catalog
  const book = createPriceBook(catalog.versions)
  for (const { version } of catalog.versions) {
    if (!book.versions.some((known) => known.version === version)) {
      throw new RangeError(
        `catalog: "${version}" is not the version of its prices. Make books with createPriceBook.`,
      )
    }
  }
  return book
}

/** The version in force at a moment; `undefined` before the first one. */
export function versionAt({ versions }: PriceBook, atMs: number): PriceBookVersion | undefined {
  return versions.findLast(({ effectiveAtMs }) => effectiveAtMs <= atMs)
}

/** What a row is a price for: a later row with the same key replaces it. */
export function rowKey({ providerId, model, operation }: CatalogRow): string {
  return `${providerId}/${model}/${operation}`
}

/** The first 16 hexadecimal digits of SHA-256 over all prices, in a fixed order. */
function versionOf(rows: readonly CatalogRow[]): string {
  const lines = rows.map(({ providerId, providerModel, operation, price, tiers }) => {
    const service = Object.entries(tiers?.service ?? {}).map(
      ([tier, at]) => `${tier}{${priceText(at.price)}${ladderText(at.longContext)}}`,
    )
    const terms = `${priceText(price)}${ladderText(tiers?.longContext)}${service.sort().join('')}`
    return `${providerId} ${providerModel} ${operation} ${terms}`
  })
  return hash('sha256', lines.sort().join('\n')).slice(0, 16)
}

function ladderText(tiers: readonly LongContextTier[] = []): string {
  return tiers.map(({ overInputTokens, price }) => ` >${overInputTokens}{${priceText(price)}}`).join('')
}

function priceText(price: Price): string {
  const rates = ratesOf(price).map(([unit, rate]) => `${unit}=${rateText(rate)}`)
  return rates.sort().join(' ')
}

/** A rate in lowest terms: the same price is the same text, however it was written. */
function rateText({ nano, per }: Rate): string {
  let [a, b] = [nano, per]
  while (b !== 0n) [a, b] = [b, a % b]
  return `${nano / a}/${per / a}`
}
