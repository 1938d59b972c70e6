import { type Nano, parseDecimal, type Rate } from './money.ts'
import {
  isPriceFor,
  type LongContextTier,
  type Price,
  rateOf,
  sumLines,
  type TargetPrice,
  UnpricedUnitError,
} from './price.ts'
import { measureOf, type Unit } from './unit.ts'
import type { Quantities } from './usage.ts'

/** A service tier that was served and that its price does not know. */
export class UnpricedTierError extends Error {
  override readonly name: string = 'UnpricedTierError'
  readonly serviceTier: string
  constructor(serviceTier: string, why = 'at all') {
    super(`There is no price for the service tier "${serviceTier}" ${why}.`)
    this.serviceTier = serviceTier
  }
}

export interface RateOptions {
  /** The tier the provider says it served. @default the list price */
  readonly serviceTier?: string | undefined
}

/** What providers call the tier that has the list price. */
const listTiers: readonly string[] = ['default', 'standard', 'auto', 'on_demand']

/** Whether a service tier is another one than that of the list price. */
export function isPricedApart(serviceTier: string): boolean {
  return !listTiers.includes(serviceTier)
}

/**
 * Prices one attempt: the one function that settlement, audit and re-rating go by.
 *
 * `quantities` may have more measures than the price is for; the price names the ones that count. All lines are summed as
 * one fraction and rounded up once: never below the exact cost, less than one nano-USD above. Tokens of a class that the
 * price does not name are charged as the class that contains them.
 *
 * @throws UnpricedUnitError when something counts that has no price, or nothing that was used does.
 * @throws UnpricedTierError when the tier that was served has no price.
 * @throws RangeError when a quantity is negative or not a decimal.
 */
export function rateUsage(quantities: Quantities, target: TargetPrice, options: RateOptions = {}): Nano {
  const { serviceTier } = options
  const isFlat = target.tiers === undefined && (serviceTier === undefined || !isPricedApart(serviceTier))
  return sumCounted(quantities, isFlat ? target.price : priceFor(quantities, target, serviceTier))
}

/** What was priced, and what stood in the way of an exact price. */
export interface Rated {
  readonly cost: Nano
  readonly unpriced?: UnpricedUnitError | UnpricedTierError
}

/**
 * Prices an attempt that has happened, whatever became of its price: a served tier without a price at the list price, a
 * class of tokens without one as ordinary tokens, anything else without one as nothing. `unpriced` says that this
 * is an estimate and not the cost.
 */
export function rateKnown(quantities: Quantities, target: TargetPrice, options: RateOptions = {}): Rated {
  try {
    return { cost: rateUsage(quantities, target, options) }
  } catch (unpriced) {
    if (unpriced instanceof UnpricedTierError) {
      const { cost } = rateKnown(quantities, { price: listPriceFor(quantities, target) })
      return { cost, unpriced }
    }
    if (!(unpriced instanceof UnpricedUnitError)) throw unpriced
    const price = priceFor(quantities, target, options.serviceTier)
    return { cost: sumLines(quantities, price, (unit) => baseRate(unit, price)), unpriced }
  }
}

/** All tokens of one side, in every class. */
export function countTokens(quantities: Quantities, side: 'input' | 'output'): bigint {
  let tokens = 0n
  for (const name in quantities) {
    const quantity = quantities[name as Unit]
    if (quantity === undefined || measureOf(name) !== side) continue
    tokens += typeof quantity === 'bigint' ? quantity : wholeOf(quantity)
  }
  return tokens
}

/** Tokens that somebody measured as a decimal: a part of one is one. */
function wholeOf(quantity: string): bigint {
  const { digits, scale } = parseDecimal(quantity)
  const unit = 10n ** BigInt(scale)
  return (digits + unit - 1n) / unit
}

/** The price of a request of this length in the tier that was served. */
function priceFor(quantities: Quantities, target: TargetPrice, serviceTier: string | undefined): Price {
  if (serviceTier === undefined || !isPricedApart(serviceTier)) return listPriceFor(quantities, target)
  const { price, tiers } = target
  const services = tiers?.service ?? {}
  // A provider's words look nothing up that the price does not have itself.
  const service = Object.hasOwn(services, serviceTier) ? services[serviceTier] : undefined
  if (service === undefined) throw new UnpricedTierError(serviceTier)
  const served = { ...price, ...service.price }
  const tokens = countTokens(quantities, 'input')
  const longer = tierOf(service.longContext, tokens)
  if (longer !== undefined) return { ...served, ...longer.price }
  // Half of which price would a long prompt be at? The list does not say.
  if (service.longContext === undefined && tierOf(tiers?.longContext, tokens) !== undefined) {
    throw new UnpricedTierError(serviceTier, `with ${tokens} tokens of input`)
  }
  return served
}

function listPriceFor(quantities: Quantities, { price, tiers }: TargetPrice): Price {
  if (tiers?.longContext === undefined) return price
  const longer = tierOf(tiers.longContext, countTokens(quantities, 'input'))
  return longer === undefined ? price : { ...price, ...longer.price }
}

/** The last tier whose bound this many tokens exceed. */
function tierOf(tiers: readonly LongContextTier[] | undefined, tokens: bigint): LongContextTier | undefined {
  return tiers?.findLast(({ overInputTokens }) => tokens > overInputTokens)
}

/** Sums what counts for this price, and leaves out measures that it is not for. */
function sumCounted(quantities: Quantities, price: Price): Nano {
  let leftOut: Unit | undefined
  const cost = sumLines(quantities, price, (unit) => {
    if (counts(unit, price)) throw new UnpricedUnitError(unit)
    leftOut = unit
    return undefined
  })
  if (leftOut !== undefined && !isAnyCounted(quantities, price)) throw new UnpricedUnitError(leftOut)
  return cost
}

/** Whether a price is for what this unit measures. A web search is never another view of something else. */
function counts(unit: Unit, price: Price): boolean {
  const measure = measureOf(unit)
  if (measure === 'input' || measure === 'output')
    return isPriceFor(price, 'input') || isPriceFor(price, 'output')
  return measure === undefined || measure === 'web-search' || isPriceFor(price, measure)
}

function isAnyCounted(quantities: Quantities, price: Price): boolean {
  for (const name in quantities) {
    if (quantities[name as Unit] !== undefined && rateOf(name as Unit, price) !== undefined) return true
  }
  return false
}

/** The ordinary rate of the measure a unit belongs to. */
function baseRate(unit: Unit, price: Price): Rate | undefined {
  const measure = measureOf(unit)
  return measure === 'input' ? price.input_token : measure === 'output' ? price.output_token : undefined
}
