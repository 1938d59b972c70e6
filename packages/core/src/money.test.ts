import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatDecimal,
  formatUsd,
  nano,
  parseDecimal,
  perMillion,
  perToken,
  perUnit,
  rate,
  usd,
  zero,
} from './money.ts'

/** Amounts of every size: small ones, those a double cannot hold, and those 64 bits cannot hold. */
const amount = fc.oneof(
  fc.bigInt(-1000n, 1000n),
  fc.bigInt(-(10n ** 12n), 10n ** 12n),
  fc.bigInt(2n ** 53n - 2n, 2n ** 53n + 2n),
  fc.bigInt(2n ** 63n - 2n, 2n ** 63n + 2n),
  fc.bigInt(-(10n ** 40n), 10n ** 40n),
)

describe('usd', () => {
  it.each([
    ['0', 0n],
    ['0.10', 100_000_000n],
    ['5.00', 5_000_000_000n],
    ['2', 2_000_000_000n],
    ['0.000000001', 1n],
    ['0.0000529', 52_900n],
    ['-3.00', -3_000_000_000n],
    ['1e-9', 1n],
    ['1E3', 1_000_000_000_000n],
    ['0.00000000100', 1n],
    ['9007199254.740993', 9_007_199_254_740_993_000n],
    ['9223372036854775808', 9_223_372_036_854_775_808_000_000_000n],
  ])('reads %s exactly', (text, expected) => {
    expect(usd(text)).toBe(expected)
  })

  it.each(['0.0000000001', '0.1234567891', '1e-10', '-0.0000000005'])(
    'refuses %s, which is finer than one nano-USD',
    (text) => {
      expect(() => usd(text)).toThrow(RangeError)
    },
  )

  it.each([
    '',
    ' ',
    ' 1',
    '1 ',
    '.5',
    '5.',
    '+1',
    '1,000',
    '$1',
    '0x10',
    '1_000',
    'NaN',
    'Infinity',
    '--1',
    '1e',
    '1e100',
    '1.2.3',
    '１',
    `1${'0'.repeat(40)}`,
  ])('refuses "%s", which is not a decimal', (text) => {
    expect(() => usd(text)).toThrow(RangeError)
  })

  it('reads every amount that formatUsd writes', () => {
    fc.assert(fc.property(amount, (each) => usd(formatUsd(each)) === each))
  })
})

describe('formatUsd', () => {
  it.each([
    [0n, '0.00'],
    [1n, '0.000000001'],
    [-1n, '-0.000000001'],
    [10_000_000n, '0.01'],
    [100_000_000n, '0.10'],
    [52_900n, '0.0000529'],
    [5_000_000_000n, '5.00'],
    [-3_000_000_000n, '-3.00'],
    [1_234_567_891n, '1.234567891'],
    [2n ** 63n, '9223372036.854775808'],
  ])('writes %s nano-USD as %s', (each, text) => {
    expect(formatUsd(each)).toBe(text)
  })

  it('writes at least two places and no zero behind the second', () => {
    fc.assert(fc.property(amount, (each) => /^-?\d+\.\d{2}(\d*[1-9])?$/.test(formatUsd(each))))
  })
})

describe('rate', () => {
  it('reads $0.0375 per million as 37.5 nano-USD each, which no amount can hold', () => {
    const { nano: numerator, per } = perMillion('0.0375')
    expect(numerator * 2n).toBe(75n * per)
  })

  it('reads the same price from dollars per million and from dollars each', () => {
    const million = perMillion('0.0375')
    const each = perUnit('0.0000000375')
    expect(million.nano * each.per).toBe(each.nano * million.per)
  })

  it('reads a price as the exact fraction that its text says', () => {
    const decimal = fc.tuple(fc.bigInt(0n, 10n ** 15n), fc.integer({ min: 0, max: 30 }))
    fc.assert(
      fc.property(decimal, fc.bigInt(1n, 10n ** 9n), ([digits, scale], units) => {
        const { nano: numerator, per } = rate(formatDecimal({ digits, scale }), units.toString())
        return numerator * units * 10n ** BigInt(scale) === digits * 10n ** 9n * per
      }),
    )
  })

  it.each(['-1', '-0.000001', '-1e-9'])(
    'failure 26: refuses %s, because a negative price mints money',
    (text) => {
      expect(() => perMillion(text)).toThrow(RangeError)
    },
  )

  it.each(['0', '-1', '1.5', '1.0', '', 'million'])('refuses a price for "%s" units', (units) => {
    expect(() => rate('1', units)).toThrow(RangeError)
  })

  it.each(['', 'free', '0,35', 'NaN'])('refuses "%s", which is no price', (text) => {
    expect(() => perMillion(text)).toThrow(RangeError)
  })

  it('takes a price of zero, however it is written', () => {
    for (const text of ['0', '0.00', '-0', '0e5']) expect(perMillion(text).nano).toBe(0n)
  })
})

describe('a price for one token', () => {
  it.each([
    ['1e-07', '0.1'],
    ['5.46875e-07', '0.546875'],
    ['0.00000125', '1.25'],
    ['0.0000000375', '0.0375'],
    ['1.5000020000000002e-05', '15.000020000000002'],
    ['0', '0'],
    ['2', '2000000'],
    ['0.5', '500000'],
    ['0.00125', '1250'],
    ['0.000003', '3'],
    ['0.0000031', '3.1'],
  ])('of %s is exactly that for a million of %s', (token, million) => {
    expect(perToken(token)).toEqual(perMillion(million))
  })

  it.each(['-1', 'NaN', '', '1e-07x'])('is not %j', (text) => {
    expect(() => perToken(text)).toThrow(RangeError)
  })
})

describe('parseDecimal', () => {
  it('reads every text that formatDecimal writes', () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 30n), 10n ** 30n), fc.integer({ min: 0, max: 30 }), (digits, scale) => {
        const read = parseDecimal(formatDecimal({ digits, scale }))
        return read.digits === digits && read.scale === scale
      }),
    )
  })

  it('reads every number the way JavaScript prints it, exponents included', () => {
    const number = fc.double({ min: 1e-99, max: 1e99, noNaN: true })
    fc.assert(
      fc.property(number, (each) => {
        const { digits, scale } = parseDecimal(String(each))
        return Number(`${digits}e-${scale}`) === each
      }),
    )
  })

  it('keeps the digits of a negative number below one', () => {
    expect(parseDecimal('-0.05')).toEqual({ digits: -5n, scale: 2 })
    expect(formatDecimal({ digits: -5n, scale: 2 })).toBe('-0.05')
    expect(parseDecimal('25e2')).toEqual({ digits: 2500n, scale: 0 })
    expect(formatDecimal({ digits: 0n, scale: 2 })).toBe('0.00')
    expect(formatDecimal({ digits: -25n, scale: 0 })).toBe('-25')
  })

  it('takes no longer for hostile text', () => {
    const before = process.cpuUsage()
    for (const text of [
      `${'9'.repeat(1e6)}`,
      `1${'e'.repeat(1e6)}`,
      `${'1'.repeat(40)}.${'1'.repeat(1e6)}`,
    ]) {
      expect(() => parseDecimal(text)).toThrow(RangeError)
    }
    // In processor time, of which others on the machine take nothing.
    const { user, system } = process.cpuUsage(before)
    expect(user + system).toBeLessThan(1_000_000)
  })
})

it('marks numbers as money without changing them', () => {
  expect(nano(2n ** 70n)).toBe(2n ** 70n)
  expect(zero).toBe(0n)
})
