import type { Quantities, Unit } from '@farebox/core'
import type { PriceText, RandomCharge, RateText } from './random-charges.ts'

/**
 * Every line of a charge is a whole number of these parts of a dollar: amounts have up to 14 places, quantities up to 9,
 * and rates are for 1, 1,000, 3,600 or 1,000,000 units.
 */
const parts = 36n * 10n ** 34n

/** What a class of tokens is part of, where the price does not name the class. */
const wholes: Readonly<Partial<Record<Unit, Unit>>> = {
  cached_input_token: 'input_token',
  cache_write_5m_token: 'input_token',
  cache_write_1h_token: 'input_token',
  input_audio_token: 'input_token',
  input_image_token: 'input_token',
  reasoning_token: 'output_token',
  output_audio_token: 'output_token',
}

const inputUnits = [
  'input_token',
  ...Object.keys(wholes).filter((unit) => wholes[unit as Unit] === 'input_token'),
]

/** What a charge costs, worked out in another way than the one under test. */
export interface ExactCost {
  /** The exact sum of the lines, in parts of a dollar. */
  readonly exact: bigint
  /** The sum, rounded up once to whole nano-USD: what has to be charged. */
  readonly nano: bigint
}

export const partsPerNano: bigint = parts / 10n ** 9n

/**
 * The oracle. It reads the texts of the price list itself, adds whole parts of a dollar instead of fractions, and knows
 * tiers and classes by rules of its own.
 */
export function exactCost(charge: RandomCharge): ExactCost {
  let exact = 0n
  forEachLine(charge, (line) => {
    exact += line
  })
  return { exact, nano: ceil(exact) }
}

/** What it would be if every line were rounded up: what must not be charged. */
export function costByLine(charge: RandomCharge): bigint {
  let nano = 0n
  forEachLine(charge, (line) => {
    nano += ceil(line)
  })
  return nano
}

function forEachLine({ of, quantities, serviceTier }: RandomCharge, add: (line: bigint) => void): void {
  const prices = pricesFor(of, quantities, serviceTier)
  for (const name in quantities) {
    const quantity = quantities[name as Unit]
    const text = rateFor(name as Unit, prices)
    if (text !== undefined && quantity !== undefined) add(partsOf(text, quantity))
  }
}

/** The prices to look into, the tier's first. */
function pricesFor(
  of: RandomCharge['of'],
  quantities: Quantities,
  serviceTier: string | undefined,
): readonly PriceText[] {
  const service = serviceTier === undefined ? undefined : of.service[serviceTier]
  if (service !== undefined) return [service, of.price]
  let input = 0n
  for (const unit of inputUnits) input += BigInt(quantities[unit as Unit] ?? 0n)
  const reached = of.longContext.filter(({ overInputTokens }) => input >= BigInt(overInputTokens) + 1n)
  return [...reached.slice(-1).map(({ price }) => price), of.price]
}

/** The rate of a unit in any of the prices comes before the rate of what contains it. */
function rateFor(unit: Unit, prices: readonly PriceText[]): RateText | undefined {
  for (const name of [unit, wholes[unit]]) {
    if (name === undefined) continue
    for (const price of prices) {
      const text = price[name]
      if (text !== undefined) return text
    }
  }
  return undefined
}

const known = new WeakMap<RateText, bigint>()

function partsOf(text: RateText, quantity: bigint | string): bigint {
  let each = known.get(text)
  if (each === undefined) {
    const { digits, places } = decimal(text.amount)
    each = (digits * parts) / (10n ** BigInt(places) * BigInt(text.per))
    known.set(text, each)
  }
  if (typeof quantity === 'bigint') return quantity * each
  const { digits, places } = decimal(quantity)
  return (digits * each) / 10n ** BigInt(places)
}

function ceil(amount: bigint): bigint {
  return (amount + partsPerNano - 1n) / partsPerNano
}

function decimal(text: string): { readonly digits: bigint; readonly places: number } {
  const [number = '', exponent = '0'] = text.split('e')
  const [whole = '', fraction = ''] = number.split('.')
  const places = fraction.length - Number(exponent)
  return { digits: BigInt(whole + fraction), places }
}
