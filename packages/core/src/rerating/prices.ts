import { type Catalog, createCatalog } from '../catalog/catalog.ts'
import { comparePrices, type PriceChange } from '../catalog/compare-prices.ts'
import { bookOf } from '../catalog/price-book.ts'
import type { CatalogRow } from '../catalog/target.ts'
import type { JournalEntry } from '../ledger/entry.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { type FindPrice, type ReratedAttempt, type RerateTotals, rerateAttempt, totalOf } from './rerate.ts'

/** Which prices are meant: those of a version of a price book, or all that are in force at a moment. */
export type PriceMoment =
  | { readonly version: string; readonly atMs?: never }
  | { readonly atMs: number; readonly version?: never }

export type RerateRequest = PriceMoment & { readonly accountId: string; readonly requestId: string }

export type RerateResult =
  | ({
      readonly outcome: 'rerated'
      readonly accountId: string
      readonly requestId: string
      readonly attempts: readonly ReratedAttempt[]
    } & RerateTotals)
  | { readonly outcome: 'unknown-request' }
  | { readonly outcome: 'unknown-version' }

export interface CompareRequest {
  readonly from: PriceMoment
  readonly to: PriceMoment
}

export type CompareResult =
  | { readonly outcome: 'compared'; readonly changes: readonly PriceChange[] }
  | { readonly outcome: 'unknown-version'; readonly version: string }

/** Prices that are in force at a moment, those of a version, or rows that are not in any book yet. */
export type ProposedPrices =
  | (PriceMoment & { readonly rows?: never })
  | { readonly rows: readonly CatalogRow[]; readonly version?: never; readonly atMs?: never }

export type SimulateRequest = ProposedPrices & {
  readonly accountId: string
  /** Where to go on. @default the beginning of the journal */
  readonly afterSeq?: bigint
  /** Entries of the journal to look at, at most 1,000. @default 1000 */
  readonly limit?: number
}

export type SimulateResult =
  | ({
      readonly outcome: 'simulated'
      /** Requests found in this stretch. */
      readonly requests: number
      /** The same by canonical model, in the order in which they were found. */
      readonly byModel: readonly ({ readonly model: string; readonly requests: number } & RerateTotals)[]
      /** Where the next stretch begins, or `null` at the end of the journal. */
      readonly nextAfterSeq: bigint | null
    } & RerateTotals)
  | { readonly outcome: 'unknown-version' }

/** A version of a price book that the gateway knows. */
export interface KnownPrices {
  readonly version: string
  readonly effectiveAtMs: number
  readonly rows: number
}

/** What past requests cost at other prices, and what differs between prices. Nothing here moves money. */
export interface Prices {
  /** Every version that the gateway knows, of its own book and the host's, by when it takes effect. */
  versions(): readonly KnownPrices[]
  /** What a request would have cost at a version of the prices, or at a moment, by the usage on its receipt. */
  rerate(request: RerateRequest): Promise<RerateResult>
  /** Which rates differ between two versions, or two moments. */
  compare(request: CompareRequest): CompareResult
  /**
   * What a stretch of an account's journal would have cost at other prices. Proposed `rows` are for their own models; all
   * others keep what they cost. Follow `nextAfterSeq` for the whole journal.
   *
   * @throws RangeError when a proposed row could not be sold, or `limit` is not from 1 to 1,000.
   */
  simulate(request: SimulateRequest): Promise<SimulateResult>
}

const entriesMax = 1000

export function createPrices(catalog: Catalog, ledger: Pick<Ledger, 'receipt' | 'journal'>): Prices {
  const isKnown = (moment: PriceMoment) =>
    moment.version === undefined || catalog.versions.some(({ version }) => version === moment.version)

  return {
    versions: () =>
      catalog.versions.map(({ version, effectiveAtMs, rows }) => ({
        version,
        effectiveAtMs,
        rows: rows.length,
      })),
    async rerate({ accountId, requestId, ...moment }) {
      if (!isKnown(moment)) return { outcome: 'unknown-version' }
      const receipt = await ledger.receipt(accountId, requestId)
      if (receipt === undefined) return { outcome: 'unknown-request' }
      const find = finderAt(catalog, moment)
      const attempts = receipt.attempts.map((attempt) => rerateAttempt(attempt, find))
      return { outcome: 'rerated', accountId, requestId, attempts, ...totalOf(attempts) }
    },
    compare({ from, to }) {
      const unknown = [from, to].find((moment) => !isKnown(moment))?.version
      if (unknown !== undefined) return { outcome: 'unknown-version', version: unknown }
      return { outcome: 'compared', changes: comparePrices(rowsAt(catalog, from), rowsAt(catalog, to)) }
    },
    async simulate({ accountId, afterSeq = 0n, limit = entriesMax, ...proposed }) {
      if (!Number.isInteger(limit) || limit < 1 || limit > entriesMax) {
        throw new RangeError(`limit is a whole number from 1 to ${entriesMax}, not ${limit}.`)
      }
      if (proposed.rows === undefined && !isKnown(proposed)) return { outcome: 'unknown-version' }
      const find = proposed.rows === undefined ? finderAt(catalog, proposed) : finderOf(proposed.rows)
      const entries = await ledger.journal(accountId, afterSeq, limit)
      const requests = requestsOf(entries, find)
      const models = [...new Set(requests.map(({ model }) => model))]
      return {
        outcome: 'simulated',
        ...sumOf(requests),
        byModel: models.map((model) => ({
          model,
          ...sumOf(requests.filter((request) => request.model === model)),
        })),
        nextAfterSeq: entries.length < limit ? null : (entries.at(-1)?.seq ?? null),
      }
    },
  }
}

function rowsAt(catalog: Catalog, moment: PriceMoment): readonly CatalogRow[] {
  if (moment.version === undefined) return catalog.rowsAt(moment.atMs)
  return catalog.versions.find(({ version }) => version === moment.version)?.rows ?? []
}

function finderAt(catalog: Catalog, moment: PriceMoment): FindPrice {
  return (attempt) => {
    const { providerId, providerModel } = attempt
    return moment.version === undefined
      ? catalog.priceAt({ providerId, providerModel, atMs: moment.atMs })
      : catalog.priceOf({ providerId, providerModel, priceVersion: moment.version })
  }
}

/** Proposed rows for their own models. */
function finderOf(rows: readonly CatalogRow[]): FindPrice {
  const proposed = createCatalog({ books: [bookOf(rows)], providerIds: [], now: () => 0 })
  return ({ providerId, providerModel }) => {
    const found = proposed.priceAt({ providerId, providerModel, atMs: 0 })
    return found === undefined ? 'same' : { price: found.price, ...(found.tiers && { tiers: found.tiers }) }
  }
}

/** The attempts of every request in these entries, with the request's model. */
function requestsOf(entries: readonly JournalEntry[], find: FindPrice): readonly RatedRequest[] {
  return entries.flatMap(({ kind, attempts, terms }) => {
    if ((kind !== 'settled' && kind !== 'provisional') || attempts === undefined) return []
    const model = String(terms?.['model'] ?? '')
    return [{ model, attempts: attempts.map((attempt) => rerateAttempt(attempt, find)) }]
  })
}

interface RatedRequest {
  readonly model: string
  readonly attempts: readonly ReratedAttempt[]
}

function sumOf(requests: readonly RatedRequest[]): { readonly requests: number } & RerateTotals {
  return { requests: requests.length, ...totalOf(requests.flatMap(({ attempts }) => attempts)) }
}
