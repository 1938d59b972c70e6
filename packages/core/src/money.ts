declare const nanoBrand: unique symbol
declare const rateBrand: unique symbol

/** An amount of money: whole nano-USD (10⁻⁹ USD). 64 bits of it reach $9.2 billion. */
export type Nano = bigint & { readonly [nanoBrand]: true }

/**
 * A price: `nano` nano-USD for every `per` units, an exact fraction.
 *
 * A price is not an amount. $0.0375 per million tokens is 37.5 nano-USD per token, which no integer amount can hold.
 */
export interface Rate {
  readonly nano: bigint
  readonly per: bigint
  readonly [rateBrand]?: true
}

/** An exact non-negative or negative decimal: `digits` × 10^−`scale`. */
export interface Decimal {
  readonly digits: bigint
  readonly scale: number
}

export const zero: Nano = 0n as Nano

/** Marks a whole number of nano-USD as money. */
export function nano(amount: bigint): Nano {
  return amount as Nano
}

/**
 * Reads US dollars from decimal text: `usd('5.00')` is 5,000,000,000 nano-USD.
 *
 * @throws RangeError when the text is not a plain decimal, or is finer than one nano-USD.
 */
export function usd(text: string): Nano {
  const { digits, scale } = parseDecimal(text)
  if (scale <= 9) return nano(digits * 10n ** BigInt(9 - scale))
  const unit = 10n ** BigInt(scale - 9)
  if (digits % unit !== 0n) throw new RangeError(`"${text}" USD is finer than one nano-USD.`)
  return nano(digits / unit)
}

/** Writes an amount as exact decimal US dollars with at least two places: `0.10`, `0.0000529`, `-3.00`. */
export function formatUsd(amount: bigint): string {
  const sign = amount < 0n ? '-' : ''
  const digits = (amount < 0n ? -amount : amount).toString().padStart(10, '0')
  const whole = digits.slice(0, -9)
  const fraction = digits.slice(-9).replace(/0{1,7}$/, '')
  return `${sign}${whole}.${fraction}`
}

/** A price in decimal US dollars for one million units, the way token prices are published. */
export function perMillion(amount: string): Rate {
  return rate(amount, '1000000')
}

/** A price in decimal US dollars for one token, the way lists for machines publish it: the same rate as for a million. */
export function perToken(amount: string): Rate {
  const { digits, scale } = parseDecimal(amount)
  return perMillion(
    formatDecimal(
      scale >= 6 ? { digits, scale: scale - 6 } : { digits: digits * 10n ** BigInt(6 - scale), scale: 0 },
    ),
  )
}

/** A price in decimal US dollars for a single unit: an image, a second, a megapixel. */
export function perUnit(amount: string): Rate {
  return rate(amount, '1')
}

/**
 * Reads a price from the text it was published as: `amount` US dollars for `per` units. Never goes through a float.
 *
 * @throws RangeError when the amount is negative, `per` is not a positive whole number, or either is not a decimal.
 */
export function rate(amount: string, per: string): Rate {
  const { digits, scale } = parseDecimal(amount)
  if (digits < 0n) throw new RangeError(`A price cannot be negative: "${amount}".`)
  const units = parseDecimal(per)
  if (units.scale !== 0 || units.digits <= 0n) {
    throw new RangeError(`A price is for a positive whole number of units, not "${per}".`)
  }
  return scale <= 9
    ? { nano: digits * 10n ** BigInt(9 - scale), per: units.digits }
    : { nano: digits, per: units.digits * 10n ** BigInt(scale - 9) }
}

const decimalText = /^(-?)(\d{1,40})(?:\.(\d{1,40}))?(?:e([+-]?\d{1,2}))?$/i

/**
 * Reads a decimal exactly, exponents included, because JavaScript prints small measured numbers as `1e-7`.
 *
 * @throws RangeError when the text is anything else than a decimal of at most 40 digits on either side.
 */
export function parseDecimal(text: string): Decimal {
  const match = decimalText.exec(text)
  if (match === null) throw new RangeError(`"${text}" is not a decimal number.`)
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  const digits = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n)
  const scale = fraction.length - Number(exponent)
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 }
}

/** Writes `digits` × 10^−`scale` as decimal text. */
export function formatDecimal({ digits, scale }: Decimal): string {
  if (scale === 0) return digits.toString()
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0')
  return `${digits < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`
}
