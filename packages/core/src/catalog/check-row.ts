import type { Operation } from '../http/routes.ts'
import type { Rate } from '../money.ts'
import { type LongContextTier, type Price, ratesOf } from '../price.ts'
import { isUnit, type Measure, measureOf, type Unit } from '../unit.ts'
import { isDearer } from './bounds.ts'
import type { CatalogRow } from './target.ts'

/** The sets of measures that pay for an operation: all of one of them must have a rate. */
const billableBases: Readonly<Record<Operation, readonly (readonly Unit[])[]>> = {
  chat: [['input_token', 'output_token'], ['compute_second']],
  completions: [['input_token', 'output_token'], ['compute_second']],
  embeddings: [['input_token'], ['compute_second']],
  images: [
    ['output_image'],
    ['megapixel'],
    ['compute_second'],
    ['request'],
    ['input_token', 'output_token'],
    ['input_token', 'output_image_token'],
  ],
  moderations: [['request'], ['input_token']],
  speech: [['character'], ['compute_second']],
  transcriptions: [['audio_second'], ['compute_second']],
}

/** What a request of an operation is bounded in, so that its cost can be held. Nothing else can be sold. */
const boundedMeasures: Readonly<Record<Operation, readonly Measure[]>> = {
  chat: ['input', 'output', 'compute', 'request', 'web-search'],
  completions: ['input', 'output', 'compute', 'request'],
  embeddings: ['input', 'compute', 'request'],
  images: ['input', 'output', 'image', 'sized-image', 'megapixel', 'compute', 'request'],
  moderations: ['input', 'request'],
  speech: ['character', 'compute', 'request'],
  transcriptions: ['audio', 'compute', 'request'],
}

/**
 * The dearest believable price of one unit, in US dollars. Far above every list read until November 2026, where the
 * dearest token is $600 for a million and the dearest second $0.02; far below what a slipped decimal point or a price for
 * a million taken for the price of one makes of it.
 */
const dearestUsd: Readonly<Record<Measure, Rate>> = {
  input: { nano: 10_000_000n, per: 1n },
  output: { nano: 10_000_000n, per: 1n },
  character: { nano: 10_000_000n, per: 1n },
  audio: { nano: 1_000_000_000n, per: 1n },
  compute: { nano: 1_000_000_000n, per: 1n },
  image: { nano: 100_000_000_000n, per: 1n },
  'sized-image': { nano: 100_000_000_000n, per: 1n },
  megapixel: { nano: 100_000_000_000n, per: 1n },
  request: { nano: 100_000_000_000n, per: 1n },
  'web-search': { nano: 100_000_000_000n, per: 1n },
  search: { nano: 100_000_000_000n, per: 1n },
}

/**
 * Refuses a row that would sell something for nothing, for less than nothing, or for a price that cannot be meant.
 *
 * @throws RangeError that names the row.
 */
export function checkRow(row: CatalogRow): void {
  for (const member of ['providerId', 'providerModel', 'model'] as const) {
    if (typeof row[member] !== 'string' || row[member] === '')
      throw new RangeError(
        `catalog: a row needs ${member}, as a text; it is read from ${String(row.source)}.`,
      )
  }
  const name = `The catalog row of ${row.providerModel} on ${row.providerId}`
  const { operation, price, tiers } = row
  if (!Object.hasOwn(billableBases, operation)) {
    const known = Object.keys(billableBases).join(', ')
    throw new RangeError(`${name} has the operation "${String(operation)}". There are: ${known}.`)
  }
  if (typeof price !== 'object' || price === null) throw new RangeError(`${name} has no price.`)
  checkBases(price, operation, name)
  checkLadder(tiers?.longContext, name)
  for (const [tier, service] of Object.entries(tiers?.service ?? {})) {
    if (!/^[a-z0-9_-]{1,32}$/.test(tier)) {
      throw new RangeError(
        `${name} has a service tier "${tier}"; write it as the provider says it, in lower case.`,
      )
    }
    checkLadder(service.longContext, name)
  }
  const prices = pricesOf(row)
  for (const each of prices) checkPrice(each, operation, name)
  checkLimits(row, Object.assign({}, ...prices), name)
}

/** Every price of a row, in every tier. */
function pricesOf({ price, tiers }: CatalogRow): readonly Price[] {
  const service = Object.values(tiers?.service ?? {})
  const ladders = [tiers?.longContext ?? [], ...service.map(({ longContext }) => longContext ?? [])]
  return [price, ...service.map((tier) => tier.price), ...ladders.flat().map((tier) => tier.price)]
}

function checkPrice(price: Price, operation: Operation, row: string): void {
  for (const [unit, rate] of ratesOf(price)) {
    if (!isUnit(unit)) throw new RangeError(`${row} has a price for "${unit}", which is no unit.`)
    const { nano, per }: { readonly nano: unknown; readonly per: unknown } = rate
    if (typeof nano !== 'bigint' || typeof per !== 'bigint' || nano < 0n || per <= 0n) {
      throw new RangeError(`${row} has a price for "${unit}" that is no price.`)
    }
    const measure = measureOf(unit) as Measure
    if (isDearer(rate, dearestUsd[measure])) {
      throw new RangeError(`${row} has a price for "${unit}" that is too high to be meant.`)
    }
    if (!boundedMeasures[operation].includes(measure)) {
      throw new RangeError(
        `${row} has a price for "${unit}", which nothing in a request for ${operation} bounds.`,
      )
    }
  }
  const { input_token: input, cached_input_token: cached } = price
  // A cache that costs more than no cache is a mistake in the list, not a price.
  if (input !== undefined && cached !== undefined && isDearer(cached, input)) {
    throw new RangeError(`${row} has cached input that is dearer than input.`)
  }
}

function checkBases(price: Price, operation: Operation, row: string): void {
  const bases = billableBases[operation]
  const isPriced = (unit: Unit) =>
    price[unit] !== undefined || Object.keys(price).some((name) => name.startsWith(`${unit}:`))
  if (!bases.some((units) => units.every(isPriced))) {
    const needed = bases.map((units) => units.join(' and ')).join(', or ')
    throw new RangeError(`${row} needs prices for ${operation}: ${needed}.`)
  }
  const measures = Object.keys(price).map(measureOf)
  if (measures.includes('image') && measures.includes('sized-image')) {
    throw new RangeError(
      `${row} has prices for images by size and for images of any size; it needs one or the other.`,
    )
  }
}

function checkLadder(tiers: readonly LongContextTier[] | undefined, row: string): void {
  let below = 0
  for (const { overInputTokens } of tiers ?? []) {
    if (!Number.isSafeInteger(overInputTokens) || overInputTokens <= below) {
      throw new RangeError(`${row} has long-context tiers that do not rise in whole tokens.`)
    }
    below = overInputTokens
  }
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
}

/** What no request bounds must be bounded by the row. `all` has every unit of every tier. */
function checkLimits({ operation, limits }: CatalogRow, all: Price, row: string): void {
  for (const [limit, value] of Object.entries(limits ?? {}) as [string, unknown][]) {
    if (value === undefined || (isCount(value) && (limit.endsWith('Seconds') || Number.isInteger(value))))
      continue
    throw new RangeError(`${row} has limits.${limit}, which must be a whole number: holds are built on it.`)
  }
  if (all.web_search_request !== undefined && limits?.webSearches === undefined) {
    throw new RangeError(
      `${row} sells web searches and needs limits.webSearches, because no request bounds them.`,
    )
  }
  if (all.audio_second !== undefined && limits?.audioSeconds === undefined) {
    throw new RangeError(
      `${row} sells audio by the second and needs limits.audioSeconds, because files do not tell how long they are.`,
    )
  }
  const isByToken = Object.keys(all).some((unit) => measureOf(unit) === 'output')
  if (operation === 'images' && isByToken && limits?.outputTokens === undefined) {
    throw new RangeError(
      `${row} sells images by token and needs limits.outputTokens, because no request bounds them.`,
    )
  }
}
