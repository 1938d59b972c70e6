import { type Nano, nano, parseDecimal, type Rate } from './money.ts'
import { type Measure, measureOf, type Unit } from './unit.ts'
import type { Quantities } from './usage.ts'

/** Exact rates of one target, by unit. */
export type Price = Readonly<Partial<Record<Unit, Rate>>>

/** What a target costs: its list price, and the tiers in which it differs. */
export interface TargetPrice {
  readonly price: Price
  readonly tiers?: PriceTiers
}

/** Prices that depend on more than the quantity. Units a tier does not name keep the price outside it. */
export interface PriceTiers {
  /** For long prompts, from the shortest to the longest. */
  readonly longContext?: readonly LongContextTier[]
  /** By the tier a provider says it served, in its own words: `flex`, `priority`, `batch`. */
  readonly service?: Readonly<Record<string, ServiceTier>>
}

/** All or nothing: with more tokens of input than this, cached ones included, the whole request has this price. */
export interface LongContextTier {
  readonly overInputTokens: number
  readonly price: Price
}

export interface ServiceTier {
  readonly price: Price
  readonly longContext?: readonly LongContextTier[]
}

/** A usage that its price does not cover. Farebox refuses to price it, because unknown is not free. */
export class UnpricedUnitError extends Error {
  override readonly name: string = 'UnpricedUnitError'
  readonly unit: Unit
  constructor(unit: Unit) {
    super(`There is no price for "${unit}".`)
    this.unit = unit
  }
}

/**
 * Prices quantities all of which count.
 *
 * The lines are summed as one fraction and rounded up once: never below the exact cost, less than one nano-USD above.
 * Tokens a price list does not name separately are charged as the class that contains them.
 *
 * @throws UnpricedUnitError when something was used that has no price.
 * @throws RangeError when a quantity is negative or not a decimal.
 */
export function charge(quantities: Quantities, price: Price): Nano {
  return sumLines(quantities, price, refuse)
}

/** The rate a unit is charged at, its own or that of the class that contains it; `undefined` when there is none. */
export function rateOf(unit: Unit, price: Price): Rate | undefined {
  return price[unit] ?? containingRate(unit, price)
}

/** The units a price names, with their rates. */
export function ratesOf(price: Price): readonly (readonly [Unit, Rate])[] {
  return Object.entries(price).flatMap(([unit, rate]) =>
    rate === undefined ? [] : [[unit as Unit, rate] as const],
  )
}

/** Whether a price is for this measure: then all that was used in it counts. */
export function isPriceFor(price: Price, measure: Measure): boolean {
  for (const name in price) if (measureOf(name) === measure) return true
  return false
}

/** Sums all lines as one fraction. `unpriced` says what becomes of a unit without a rate: it gives one, or none, or throws. */
export function sumLines(
  quantities: Quantities,
  price: Price,
  unpriced: (unit: Unit) => Rate | undefined,
): Nano {
  let numerator = 0n
  let denominator = 1n
  for (const name in quantities) {
    const unit = name as Unit
    const quantity = quantities[unit]
    if (quantity === undefined) continue
    let count: bigint
    let per = 1n
    if (typeof quantity === 'bigint') count = quantity
    else ({ digits: count, per } = parseFraction(quantity))
    if (count < 0n) throw new RangeError(`A quantity of "${unit}" cannot be negative.`)
    if (count === 0n) continue
    const rate = price[unit] ?? containingRate(unit, price) ?? unpriced(unit)
    if (rate === undefined) continue
    per = per === 1n ? rate.per : rate.per * per
    if (per === denominator) {
      numerator += count * rate.nano
    } else if (numerator === 0n) {
      numerator = count * rate.nano
      denominator = per
    } else {
      numerator = numerator * per + count * rate.nano * denominator
      denominator *= per
    }
  }
  return nano((numerator + denominator - 1n) / denominator)
}

function refuse(unit: Unit): never {
  throw new UnpricedUnitError(unit)
}

/**
 * The rate of the class that contains a unit, where a price list does not name the unit itself. `undefined` where two
 * classes contain it and the list has a price for each, or has one for its siblings only: then nobody knows which holds.
 */
function containingRate(unit: Unit, price: Price): Rate | undefined {
  switch (unit) {
    case 'cached_input_token':
    case 'input_audio_token':
    case 'input_image_token':
      return price.input_token
    case 'cache_write_token':
      // Without a word on its time to live a write lives for five minutes, the default everywhere.
      return (
        price.cache_write_5m_token ??
        (price.cache_write_1h_token === undefined ? price.input_token : undefined)
      )
    case 'cache_write_5m_token':
      return (
        price.cache_write_token ?? (price.cache_write_1h_token === undefined ? price.input_token : undefined)
      )
    case 'cache_write_1h_token':
      // An hour costs more than the five minutes that a list means when it does not name both.
      return price.cache_write_token === undefined && price.cache_write_5m_token === undefined
        ? price.input_token
        : undefined
    case 'cached_input_audio_token':
      return eitherRate(price.cached_input_token, price.input_audio_token, price.input_token)
    case 'cached_input_image_token':
      return eitherRate(price.cached_input_token, price.input_image_token, price.input_token)
    case 'reasoning_token':
    case 'output_audio_token':
    case 'output_image_token':
      return price.output_token
    case 'compute_second':
      return onlyComputeRate(price)
    default:
      if (unit.startsWith('compute_second:')) return price.compute_second
      return unit.startsWith('output_image:') ? imageRate(unit, price) : undefined
  }
}

function eitherRate(
  one: Rate | undefined,
  other: Rate | undefined,
  neither: Rate | undefined,
): Rate | undefined {
  return one !== undefined && other !== undefined ? undefined : (one ?? other ?? neither)
}

/** Seconds on hardware that was not told are seconds on the only hardware there is. */
function onlyComputeRate(price: Price): Rate | undefined {
  const rates = ratesOf(price).filter(([unit]) => unit.startsWith('compute_second:'))
  return rates.length === 1 ? rates[0]?.[1] : undefined
}

/** A list names one of two orientations, and may price a size whatever the quality. */
function imageRate(unit: string, price: Price): Rate | undefined {
  const [, size = '', quality] = unit.split(':')
  const [width, height] = size.split('x')
  const turned = `${height}x${width}`
  const names =
    quality === undefined
      ? [`output_image:${turned}`]
      : [`output_image:${turned}:${quality}`, `output_image:${size}`, `output_image:${turned}`]
  for (const name of names) {
    const rate = price[name as Unit]
    if (rate !== undefined) return rate
  }
  return undefined
}

function parseFraction(quantity: string): { digits: bigint; per: bigint } {
  const { digits, scale } = parseDecimal(quantity)
  return { digits, per: 10n ** BigInt(scale) }
}
