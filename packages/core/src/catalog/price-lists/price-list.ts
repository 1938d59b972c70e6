import { parseDecimal, type Rate } from '../../money.ts'
import type { LongContextTier, Price, PriceTiers, ServiceTier, TargetPrice } from '../../price.ts'
import type { Unit } from '../../unit.ts'
import { checkRow } from '../check-row.ts'
import { type PriceEdition, rowKey } from '../price-book.ts'
import type { CatalogRow } from '../target.ts'
import { type ExactJson, numberTextOf } from './exact-json.ts'

/** How a price list of somebody else is read. */
export interface PriceListOptions {
  /** Which providers to take, from the list's name to the gateway's: `{ together_ai: 'together' }`. */
  readonly providers: Readonly<Record<string, string>>
  /** The day the list was read, `YYYY-MM-DD`. */
  readonly readOn: string
  /** Where it was read. @default the list's public address */
  readonly source?: string
  /** Canonical ids of models, by the list's own id. @default the list's id */
  readonly models?: Readonly<Record<string, string>>
  /** Ids of models that are known to be free. Elsewhere a price of zero is one that the list does not know. @default none */
  readonly free?: readonly string[]
}

/** Prices as data, ready for `createPriceBook(list.editions)`. */
export interface PriceList {
  /** All rows, and again all rows from each moment on at which the list says that a price changes. */
  readonly editions: readonly PriceEdition[]
  /** What was left out, and why: nothing is sold at a price that was not understood. */
  readonly refused: readonly RefusedEntry[]
}

export interface RefusedEntry {
  /** The provider and the model as the list calls them. */
  readonly entry: string
  readonly reason: string
}

/** A row, and what becomes of it when. */
export interface DatedRow {
  readonly row: CatalogRow
  readonly changes: readonly { readonly effectiveAtMs: number; readonly row: CatalogRow }[]
}

/** Takes entries one by one, keeps those that can be sold, and gathers why the others can not. */
export function collectRows() {
  const kept: DatedRow[] = []
  const refused: RefusedEntry[] = []
  return {
    /** `read` throws a RangeError that says what it does not understand. */
    add(entry: string, read: () => DatedRow | CatalogRow): void {
      try {
        const found = read()
        const dated = 'changes' in found ? found : { row: found, changes: [] }
        for (const { row } of [dated, ...dated.changes]) checkRow(row)
        kept.push(dated)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        refused.push({ entry, reason: error.message })
      }
    },
    list: (): PriceList => ({ editions: editionsOf(kept), refused }),
  }
}

/** All rows as they are at each moment when one of them changes. */
function editionsOf(dated: readonly DatedRow[]): readonly PriceEdition[] {
  const moments = new Set(dated.flatMap(({ changes }) => changes.map(({ effectiveAtMs }) => effectiveAtMs)))
  return [0, ...[...moments].filter((moment) => moment > 0).toSorted((a, b) => a - b)].map(
    (effectiveAtMs) => {
      const byKey = new Map<string, CatalogRow>()
      for (const { row, changes } of dated) {
        const inForce = changes.filter((change) => change.effectiveAtMs <= effectiveAtMs).at(-1)?.row ?? row
        byKey.set(rowKey(inForce), inForce)
      }
      return { effectiveAtMs, rows: [...byKey.values()] }
    },
  )
}

/**
 * A price as the list writes it, or `undefined` where there is none.
 *
 * @throws RangeError when it is no decimal, or negative, which lists write for a price that depends on something.
 */
export function amountOf(value: ExactJson | undefined, name: string): string | undefined {
  if (value === undefined || value === null) return undefined
  const text = numberTextOf(value)
  if (text === undefined) throw new RangeError(`"${name}" is no price.`)
  if (parseDecimal(text).digits < 0n) throw new RangeError(`"${name}" is negative: ${text}.`)
  return text
}

export function isZero(amount: string): boolean {
  return parseDecimal(amount).digits === 0n
}

/** What a list calls a unit, and how it writes its rates. */
export interface UnitNames {
  readonly names: Readonly<Record<string, Unit>>
  readonly toRate: (amount: string) => Rate
}

/** Units without which nothing can be sold: a zero is a price for them, if it is known to be meant. */
const baseUnits: readonly Unit[] = ['input_token', 'output_token', 'output_image']

/**
 * The price in an object of the list. A zero for a class of tokens says that the list has no price for the class, so it is
 * charged as the class that contains it; a zero for all input or all output is refused unless it is known to be meant.
 */
export function priceOf(
  members: { readonly [name: string]: ExactJson | undefined },
  { names, toRate }: UnitNames,
  isFree: boolean,
): Price {
  const price: Partial<Record<Unit, Rate>> = {}
  for (const [name, unit] of Object.entries(names)) {
    const amount = amountOf(members[name], name)
    if (amount === undefined) continue
    if (isZero(amount)) {
      if (!baseUnits.includes(unit)) continue
      if (!isFree) {
        throw new RangeError(
          `"${name}" is zero, which lists also write for a price they do not know. Name the model in \`free\` if it is.`,
        )
      }
    }
    price[unit] = toRate(amount)
  }
  return price
}

/**
 * A list that writes one price for cache writes and another for those of an hour means five minutes by the first, in every
 * tier. Where it has no price for an hour, nobody knows what it means.
 */
export function withWriteTimes(terms: TargetPrice): TargetPrice {
  const { price, tiers } = terms
  if (price.cache_write_1h_token === undefined) return terms
  const { longContext, service } = tiers ?? {}
  const ladder = (steps: readonly LongContextTier[] | undefined) =>
    steps === undefined
      ? {}
      : { longContext: steps.map((step) => ({ ...step, price: fiveMinutes(step.price) })) }
  return {
    price: fiveMinutes(price),
    ...(tiers === undefined
      ? {}
      : {
          tiers: {
            ...ladder(longContext),
            ...(service === undefined
              ? {}
              : {
                  service: Object.fromEntries(
                    Object.entries(service).map(([name, tier]) => [
                      name,
                      { price: fiveMinutes(tier.price), ...ladder(tier.longContext) },
                    ]),
                  ),
                }),
          },
        }),
  }
}

function fiveMinutes(price: Price): Price {
  const { cache_write_token: write, ...others } = price
  return write === undefined ? price : { ...others, cache_write_5m_token: write }
}

/** Tiers in the order in which they are reached, without those that change nothing. */
export function ladderOf(tiers: readonly LongContextTier[]): readonly LongContextTier[] | undefined {
  const steps = tiers
    .filter(({ price }) => Object.keys(price).length > 0)
    .toSorted((a, b) => a.overInputTokens - b.overInputTokens)
  return steps.length === 0 ? undefined : steps
}

/** Tiers, if there are any. */
export function tiersOf(
  longContext: readonly LongContextTier[] | undefined,
  service: Readonly<Record<string, ServiceTier>> = {},
): { readonly tiers?: PriceTiers } {
  const hasService = Object.keys(service).length > 0
  if (longContext === undefined && !hasService) return {}
  return {
    tiers: { ...(longContext === undefined ? {} : { longContext }), ...(hasService ? { service } : {}) },
  }
}

/** @throws RangeError when it is no whole number of tokens. */
export function tokenCountOf(value: ExactJson | undefined): number {
  const tokens = Number(numberTextOf(value))
  if (!Number.isSafeInteger(tokens) || tokens <= 0)
    throw new RangeError('A tier has no whole number of tokens.')
  return tokens
}
