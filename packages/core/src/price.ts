import { type Nano, nano, parseDecimal, type Rate } from './money.ts'
import type { Quantities, Quantity, Unit } from './usage.ts'

/** Exact rates of one target, by unit. */
export type Price = Readonly<Partial<Record<Unit, Rate>>>

/** Units that are charged at another unit's rate where a price list does not name them. */
const chargedAs: Partial<Record<Unit, Unit>> = { cached_input_token: 'input_token' }

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
 * Prices one attempt.
 *
 * The lines are summed as one fraction and rounded up once: never below the exact cost, less than one nano-USD above.
 * Tokens a price list does not name separately are charged as the class that contains them.
 *
 * @throws UnpricedUnitError when something was used that has no price.
 * @throws RangeError when a quantity is negative or not a decimal.
 */
export function charge(quantities: Quantities, price: Price): Nano {
  let numerator = 0n
  let denominator = 1n
  for (const name in quantities) {
    const unit = name as Unit
    const quantity = quantities[unit]
    if (quantity === undefined) continue
    const { count, per: countPer } = fraction(quantity)
    if (count < 0n) throw new RangeError(`A quantity of "${unit}" cannot be negative.`)
    if (count === 0n) continue
    const rate = rateOf(unit, price)
    const per = rate.per * countPer
    if (per === denominator) {
      numerator += count * rate.nano
    } else {
      numerator = numerator * per + count * rate.nano * denominator
      denominator *= per
    }
  }
  return nano((numerator + denominator - 1n) / denominator)
}

/**
 * The part of what a provider reports that this price is for. Providers measure one thing in several ways — a job in
 * seconds, in images and in tokens — and a price names the one that counts.
 */
export function billable(quantities: Quantities, price: Price): Quantities {
  const counted: Partial<Record<Unit, Quantity>> = {}
  for (const name in quantities) {
    const unit = name as Unit
    const container = chargedAs[unit] ?? unit
    if (price[unit] === undefined && price[container] === undefined) continue
    const quantity = quantities[unit]
    if (quantity !== undefined) counted[unit] = quantity
  }
  return counted
}

/** The rate a unit is charged at. */
function rateOf(unit: Unit, price: Price): Rate {
  const own = price[unit]
  if (own !== undefined) return own
  const container = chargedAs[unit]
  const containing = container === undefined ? undefined : price[container]
  if (containing === undefined) throw new UnpricedUnitError(unit)
  return containing
}

function fraction(quantity: Quantity): { count: bigint; per: bigint } {
  if (typeof quantity === 'bigint') return { count: quantity, per: 1n }
  const { digits, scale } = parseDecimal(quantity)
  return { count: digits, per: 10n ** BigInt(scale) }
}
