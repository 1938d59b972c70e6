import { type Decimal, formatDecimal, parseDecimal } from './money.ts'
import { measureOf, type Unit } from './unit.ts'

/** A count, or a measurement as exact decimal text such as `'1.234567'`. */
export type Quantity = bigint | string

/** How much of each unit. A missing unit is unknown, which is not zero. */
export type Quantities = Readonly<Partial<Record<Unit, Quantity>>>

/**
 * What one attempt consumed, in every measure the provider reported: a price names the ones that count.
 *
 * `certainty` is `exact` when the provider said so, `estimate` when Farebox had to count or assume.
 */
export interface Usage {
  readonly quantities: Quantities
  readonly certainty: 'exact' | 'estimate'
}

/**
 * Reads a count reported by a provider; `undefined` when it is absent, null, negative or not a whole number.
 * An explicit zero stays zero.
 */
export function count(value: unknown): bigint | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined
}

/** Tokens of a prompt that were cached, in the four places where providers tell them; `read` reads a count. */
export function cachedTold<T>(
  usage: Readonly<Record<string, unknown>>,
  inputDetails: Readonly<Record<string, unknown>> | undefined,
  read: (value: unknown) => T | undefined,
): T | undefined {
  return (
    read(inputDetails?.['cached_tokens']) ??
    read(usage['cached_tokens']) ??
    read(usage['num_cached_tokens']) ??
    read(usage['prompt_cache_hit_tokens'])
  )
}

/**
 * Reads a measured number exactly as it is written: the shortest decimal that gives this number. `undefined` when it is
 * absent, negative, or so large or small (a three-digit exponent) that nothing real was measured.
 */
export function measure(value: unknown): string | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return undefined
  const text = String(value)
  return /e[+-]\d{3}$/.test(text) ? undefined : text
}

/**
 * Usage in every measure of these units: what was reported, completed by estimates of the measures it says nothing about.
 * An estimate is made only where it is needed, and the certainty says whether one was.
 */
export function completeUsage(
  reported: Quantities | undefined,
  units: readonly Unit[],
  estimateOf: (unit: Unit) => Quantities | undefined,
): Usage {
  let certainty: Usage['certainty'] = 'exact'
  const quantities: Partial<Record<Unit, Quantity>> = { ...reported }
  for (const unit of units) {
    if (quantities[unit] !== undefined || isMeasured(quantities, unit)) continue
    const estimate = estimateOf(unit)
    if (estimate === undefined) continue
    Object.assign(quantities, estimate)
    certainty = 'estimate'
  }
  return { quantities, certainty }
}

/** Whether these quantities tell something of what a unit measures: then what they leave out was not used. */
function isMeasured(quantities: Quantities, unit: Unit): boolean {
  const measure = measureOf(unit)
  for (const name in quantities) {
    if (quantities[name as Unit] !== undefined && measureOf(name) === measure) return true
  }
  return false
}

/** The exact sum of two quantities, whatever their order. A sum without a fraction is a whole number. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a + b
  const first = decimalOf(a)
  const second = decimalOf(b)
  const scale = Math.max(first.scale, second.scale)
  const sum = { digits: scaled(first, scale) + scaled(second, scale), scale }
  return quantityOf(sum)
}

/** Whether a quantity can be read, so that it can be added up. What a provider of the host's own hands over may be anything. */
export function isQuantity(value: unknown): value is Quantity {
  if (typeof value === 'bigint') return value >= 0n
  if (typeof value !== 'string') return false
  try {
    return parseDecimal(value).digits >= 0n
  } catch {
    return false
  }
}

function decimalOf(quantity: Quantity): Decimal {
  if (typeof quantity === 'bigint') return { digits: quantity, scale: 0 }
  // Only what was measured has an exponent. A sum may be longer than anything that is read from outside.
  if (/e/i.test(quantity)) return parseDecimal(quantity)
  const [whole = '', fraction = ''] = quantity.split('.')
  return { digits: BigInt(whole + fraction), scale: fraction.length }
}

function scaled({ digits, scale }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(to - scale)
}

function quantityOf(sum: Decimal): Quantity {
  let { digits, scale } = sum
  while (scale > 0 && digits % 10n === 0n) {
    digits /= 10n
    scale -= 1
  }
  return scale === 0 ? digits : formatDecimal({ digits, scale })
}
