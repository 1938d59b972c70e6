import type { InferenceCall } from '../dialects/inference-call.ts'
import type { Operation } from '../http/routes.ts'
import type { TargetPrice } from '../price.ts'
import { boundsOf } from './bounds.ts'
import { offersFor } from './offers.ts'
import { type PriceBook, type PriceBookVersion, rowKey, versionAt } from './price-book.ts'
import type { CatalogRow, Target } from './target.ts'

/** What can be bought from the providers of one gateway, at the prices in force now. */
export interface Catalog {
  readonly targets: readonly Target[]
  /**
   * The targets that could serve a call, in catalog order.
   *
   * @throws GatewayError `model_not_found`, `model_not_supported` or `invalid_model_suffix`.
   */
  candidates(call: InferenceCall): readonly Target[]
  /** All targets of a canonical model; empty when there is none. */
  targetsOf(model: string): readonly Target[]
  /** Every version of every book, by when it takes effect, past and future. */
  readonly versions: readonly PriceBookVersion[]
  /**
   * What something cost, or will cost, in a version; `undefined` when the version is unknown or has no such row, and when
   * the operation is left out and the model does several.
   */
  priceOf(query: PriceQuery & { readonly priceVersion: string }): VersionedPrice | undefined
  /** The same for every operation of the model. */
  pricesOf(query: PriceQuery & { readonly priceVersion: string }): readonly VersionedPrice[]
  /** What something cost, or will cost, at a moment. */
  priceAt(query: PriceQuery & { readonly atMs: number }): VersionedPrice | undefined
  /** All rows in force at a moment, of every provider that the books know. */
  rowsAt(atMs: number): readonly CatalogRow[]
}

export interface PriceQuery {
  readonly providerId: string
  readonly providerModel: string
  /** May be left out where the model does one thing only. */
  readonly operation?: Operation | undefined
}

export interface VersionedPrice extends TargetPrice {
  readonly priceVersion: string
}

export interface CatalogOptions {
  /** A row of a later book replaces one of an earlier book for the same provider, model and operation. */
  readonly books: readonly PriceBook[]
  readonly providerIds: readonly string[]
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Targets at the prices of one stretch of time. */
interface Offer {
  readonly sinceMs: number
  readonly untilMs: number
  readonly targets: readonly Target[]
  readonly byModel: ReadonlyMap<string, readonly Target[]>
}

/** Builds the catalog of these providers. A change that takes effect while the process runs is picked up by itself. */
export function createCatalog({ books, providerIds, now }: CatalogOptions): Catalog {
  const versions = books
    .flatMap((book) => book.versions)
    .toSorted((a, b) => a.effectiveAtMs - b.effectiveAtMs)
  const changes = [...new Set(versions.map(({ effectiveAtMs }) => effectiveAtMs))]
  const neverChanges = changes.every((effectiveAtMs) => effectiveAtMs <= 0)
  const byVersion = new Map(versions.map((each) => [each.version, each]))
  const find = priceFinder()
  let offer = offerAt(neverChanges ? 0 : now())

  function offerAt(atMs: number): Offer {
    const targets = rowsOf(books, atMs)
      .filter(({ row }) => providerIds.includes(row.providerId))
      .map(({ row, version }) => targetOf(row, version))
    return {
      sinceMs: changes.findLast((change) => change <= atMs) ?? Number.NEGATIVE_INFINITY,
      untilMs: changes.find((change) => change > atMs) ?? Number.POSITIVE_INFINITY,
      targets,
      byModel: groupBy(targets, ({ model }) => model),
    }
  }

  function current(): Offer {
    if (neverChanges) return offer
    const atMs = now()
    if (atMs < offer.sinceMs || atMs >= offer.untilMs) offer = offerAt(atMs)
    return offer
  }

  function pricesOf({ priceVersion, ...query }: PriceQuery & { readonly priceVersion: string }) {
    const version = byVersion.get(priceVersion)
    return version === undefined ? [] : find([version], query)
  }

  const targetsOf = (model: string) => current().byModel.get(model) ?? []
  return {
    get targets() {
      return current().targets
    },
    targetsOf,
    candidates: (call) => offersFor(call, targetsOf(call.model), providerIds),
    versions,
    priceOf: (query) => only(pricesOf(query)),
    pricesOf,
    priceAt: ({ atMs, ...query }) => only(find(versionsAt(books, atMs).toReversed(), query)),
    rowsAt: (atMs) => rowsOf(books, atMs).map(({ row }) => row),
  }
}

function versionsAt(books: readonly PriceBook[], atMs: number): readonly PriceBookVersion[] {
  return books.flatMap((book) => versionAt(book, atMs) ?? [])
}

/** Rows in force, each with the version it is from. */
function rowsOf(
  books: readonly PriceBook[],
  atMs: number,
): { readonly row: CatalogRow; readonly version: string }[] {
  const byKey = new Map<string, { readonly row: CatalogRow; readonly version: string }>()
  for (const { version, rows } of versionsAt(books, atMs)) {
    for (const row of rows) byKey.set(rowKey(row), { row, version })
  }
  return [...byKey.values()]
}

function targetOf(row: CatalogRow, version: string): Target {
  return {
    ...row,
    targetId: `${row.providerId}/${row.providerModel}`,
    limits: row.limits ?? {},
    priceVersion: version,
    bounds: boundsOf(row),
  }
}

/** One price, if there is no doubt which is meant. */
function only(prices: readonly VersionedPrice[]): VersionedPrice | undefined {
  return prices.length === 1 ? prices[0] : undefined
}

/**
 * Finds the prices of a model in the first version that has any. Each version is indexed when it is first asked, because an
 * audit asks once for every attempt of a journal.
 */
function priceFinder(): (
  versions: readonly PriceBookVersion[],
  query: PriceQuery,
) => readonly VersionedPrice[] {
  const indexes = new Map<PriceBookVersion, ReadonlyMap<string, readonly CatalogRow[]>>()
  const indexOf = (version: PriceBookVersion) => {
    const known = indexes.get(version)
    if (known !== undefined) return known
    const index = groupBy(version.rows, ({ providerId, providerModel }) => `${providerId}/${providerModel}`)
    indexes.set(version, index)
    return index
  }
  return (versions, { providerId, providerModel, operation }) => {
    for (const version of versions) {
      const rows = indexOf(version).get(`${providerId}/${providerModel}`) ?? []
      const found = rows.filter((row) => operation === undefined || row.operation === operation)
      if (found.length > 0) return found.map((row) => versioned(row, version.version))
    }
    return []
  }
}

function versioned({ price, tiers }: CatalogRow, priceVersion: string): VersionedPrice {
  return { price, ...(tiers === undefined ? {} : { tiers }), priceVersion }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}
