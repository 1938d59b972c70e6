import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { perMillion, perUnit, type Rate, rate, usd } from './money.ts'
import { charge, isPriceFor, type Price, rateOf, ratesOf, UnpricedUnitError } from './price.ts'
import type { Unit } from './unit.ts'
import type { Quantities } from './usage.ts'

const units: readonly Unit[] = [
  'input_token',
  'cached_input_token',
  'output_token',
  'output_image',
  'megapixel',
  'compute_second',
  'request',
]

/** What a quantity costs at a rate, as numerator and denominator, the slow and obvious way. */
function exactCost(quantities: Quantities, price: Price): readonly [numerator: bigint, denominator: bigint] {
  let numerator = 0n
  let denominator = 1n
  for (const unit of units) {
    const quantity = quantities[unit]
    if (quantity === undefined) continue
    const each = price[unit] ?? (unit === 'cached_input_token' ? price.input_token : undefined)
    const [whole, fraction = ''] = String(quantity).split('.')
    const count = BigInt(`${whole}${fraction}`)
    if (each === undefined) {
      expect(count).toBe(0n)
      continue
    }
    numerator = numerator * each.per * 10n ** BigInt(fraction.length) + count * each.nano * denominator
    denominator *= each.per * 10n ** BigInt(fraction.length)
  }
  return [numerator, denominator]
}

const anyRate: fc.Arbitrary<Rate> = fc
  .tuple(
    fc.bigInt(0n, 10n ** 9n),
    fc.integer({ min: 0, max: 12 }),
    fc.constantFrom('1', '7', '1000', '1000000'),
  )
  .map(([digits, places, per]) => {
    const text = digits.toString().padStart(places + 1, '0')
    return rate(places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`, per)
  })

const anyCount = fc.oneof(
  fc.bigInt(0n, 200_000n),
  fc.bigInt(2n ** 53n - 2n, 2n ** 53n + 2n),
  fc.bigInt(2n ** 63n - 2n, 2n ** 63n + 2n),
)
const anyMeasure = fc
  .tuple(fc.nat(100_000), fc.nat(999_999))
  .map(([whole, fraction]) => `${whole}.${String(fraction).padStart(6, '0')}`)

const everyRate = fc.record(
  Object.fromEntries(units.map((unit) => [unit, anyRate])) as Record<Unit, typeof anyRate>,
  {
    requiredKeys: ['input_token', 'output_token', 'output_image', 'megapixel', 'compute_second', 'request'],
  },
)
const someUse = fc.record(
  {
    input_token: anyCount,
    cached_input_token: anyCount,
    output_token: anyCount,
    output_image: fc.bigInt(0n, 10n),
    megapixel: anyMeasure,
    compute_second: anyMeasure,
    request: fc.constantFrom(0n, 1n),
  },
  { requiredKeys: [] },
)

describe('charge', () => {
  const gptOss = { input_token: perMillion('0.35'), output_token: perMillion('0.75') }

  it('charges 74 input and 36 output tokens at $0.35 and $0.75 per million as 52,900 nano-USD', () => {
    expect(charge({ input_token: 74n, output_token: 36n }, gptOss)).toBe(52_900n)
  })

  it('charges 3.008 seconds at $0.03 as $0.09024', () => {
    expect(charge({ compute_second: '3.008' }, { compute_second: perUnit('0.03') })).toBe(usd('0.09024'))
  })

  it('charges 300,000 input and 1,000 output tokens at $5 and $22.50 per million as $1.5225', () => {
    const price = { input_token: perMillion('5'), output_token: perMillion('22.5') }
    expect(charge({ input_token: 300_000n, output_token: 1000n }, price)).toBe(usd('1.5225'))
  })

  it('charges 20 input, 1,000 cached and 12 output tokens by class', () => {
    const price = {
      input_token: perMillion('3'),
      cached_input_token: perMillion('0.3'),
      output_token: perMillion('15'),
    }
    const quantities = { input_token: 20n, cached_input_token: 1000n, output_token: 12n }
    expect(charge(quantities, price)).toBe(usd('0.00054'))
  })

  it('failure 10: charges cached tokens as input where the price does not name them', () => {
    expect(charge({ input_token: 4n, cached_input_token: 70n, output_token: 36n }, gptOss)).toBe(52_900n)
  })

  it('failure 10: charges cached tokens at their own rate where it does, also when that is zero', () => {
    const price = { ...gptOss, cached_input_token: perMillion('0') }
    expect(charge({ input_token: 74n, cached_input_token: 1_000_000n, output_token: 36n }, price)).toBe(
      52_900n,
    )
  })

  it('failure 27: sums the lines before it rounds up once', () => {
    const price = { input_token: perMillion('0.0375'), output_token: perMillion('0.0125') }
    expect(charge({ input_token: 1n }, price)).toBe(38n)
    expect(charge({ output_token: 1n }, price)).toBe(13n)
    expect(charge({ input_token: 1n, output_token: 1n }, price)).toBe(50n)
  })

  it('failure 27: charges a million times $0.0000000375 as $0.0375, not a hair more', () => {
    expect(charge({ input_token: 1_000_000n }, { input_token: perUnit('0.0000000375') })).toBe(usd('0.0375'))
  })

  it('rounds the smallest part of a nano up to one', () => {
    expect(charge({ input_token: 1n }, { input_token: rate('1e-30', '1') })).toBe(1n)
  })

  it('charges nothing for nothing', () => {
    expect(charge({}, gptOss)).toBe(0n)
    expect(charge({ input_token: 0n, output_token: 0n }, gptOss)).toBe(0n)
    expect(charge({ compute_second: '0.000' }, {})).toBe(0n)
  })

  it('is never below the exact cost and less than one nano-USD above, in 100,000 random cases', () => {
    fc.assert(
      fc.property(someUse, everyRate, (quantities, price) => {
        const [numerator, denominator] = exactCost(quantities as Quantities, price as Price)
        const excess = charge(quantities as Quantities, price as Price) * denominator - numerator
        return excess >= 0n && excess < denominator
      }),
      { numRuns: 100_000 },
    )
  })

  it('costs the same whatever the order of the lines', () => {
    fc.assert(
      fc.property(someUse, everyRate, (quantities, price) => {
        const reversed = Object.fromEntries(Object.entries(quantities).toReversed())
        return (
          charge(reversed as Quantities, price as Price) === charge(quantities as Quantities, price as Price)
        )
      }),
    )
  })

  it('never costs less for more', () => {
    fc.assert(
      fc.property(anyCount, anyCount, anyRate, (some, more, each) => {
        const price = { input_token: each }
        return charge({ input_token: some + more }, price) >= charge({ input_token: some }, price)
      }),
    )
  })

  it('is exact beyond 2^53 and 2^63', () => {
    const price = { input_token: perUnit('0.000000001'), output_token: perUnit('1') }
    expect(charge({ input_token: 2n ** 53n + 1n }, price)).toBe(2n ** 53n + 1n)
    expect(charge({ output_token: 2n ** 63n + 1n }, price)).toBe((2n ** 63n + 1n) * 10n ** 9n)
  })

  it('failure 4: refuses to price what the price does not name, because unknown is not free', () => {
    const unpriced = () => charge({ input_token: 1n, output_image: 1n }, gptOss)
    expect(unpriced).toThrow(UnpricedUnitError)
    expect(unpriced).toThrow(expect.objectContaining({ unit: 'output_image', name: 'UnpricedUnitError' }))
    expect(() => charge({ cached_input_token: 1n }, { output_token: perMillion('1') })).toThrow(
      UnpricedUnitError,
    )
  })

  it('takes a quantity or a rate that is undefined for one that is not there', () => {
    const price = { ...gptOss, request: undefined } as unknown as Price
    const quantities = { input_token: 74n, output_token: undefined } as unknown as Quantities
    expect(charge(quantities, price)).toBe(charge({ input_token: 74n }, gptOss))
    expect(() => charge({ request: 1n }, price)).toThrow(UnpricedUnitError)
    expect(ratesOf(price).map(([unit]) => unit)).toEqual(['input_token', 'output_token'])
  })

  it('does not charge output as input', () => {
    expect(() => charge({ output_token: 1n }, { input_token: perMillion('1') })).toThrow(UnpricedUnitError)
  })

  it.each([
    { input_token: -1n },
    { compute_second: '-0.1' },
    { compute_second: 'a while' },
    { compute_second: '' },
    { input_token: 10n, cached_input_token: -5n },
  ])('refuses the quantities %o', (quantities) => {
    const price = { input_token: perMillion('1'), compute_second: perUnit('1') }
    expect(() => charge(quantities, price)).toThrow(RangeError)
  })
})

describe('a unit that a price does not name', () => {
  const each = (amount: string) => perUnit(amount)
  const [input, output, cached, audio, image, write, fiveMinutes, hour] = [
    each('1'),
    each('2'),
    each('3'),
    each('4'),
    each('5'),
    each('6'),
    each('7'),
    each('8'),
  ] as [Rate, Rate, Rate, Rate, Rate, Rate, Rate, Rate]
  const basic = { input_token: input, output_token: output }

  it.each<[Unit, Price, Rate | undefined]>([
    ['input_token', {}, undefined],
    ['input_audio_token', basic, input],
    ['input_image_token', basic, input],
    ['input_image_token', { ...basic, cache_write_5m_token: fiveMinutes }, input],
    ['cached_input_token', basic, input],
    ['cached_input_audio_token', basic, input],
    ['cached_input_audio_token', { ...basic, cached_input_token: cached }, cached],
    ['cached_input_audio_token', { ...basic, input_audio_token: audio }, audio],
    ['cached_input_image_token', basic, input],
    ['cached_input_image_token', { ...basic, cached_input_token: cached }, cached],
    ['cached_input_image_token', { ...basic, input_image_token: image }, image],
    ['cache_write_token', basic, input],
    [
      'cache_write_token',
      { ...basic, cache_write_5m_token: fiveMinutes, cache_write_1h_token: hour },
      fiveMinutes,
    ],
    ['cache_write_5m_token', basic, input],
    ['cache_write_5m_token', { ...basic, cache_write_token: write, cache_write_1h_token: hour }, write],
    ['cache_write_1h_token', basic, input],
    ['reasoning_token', basic, output],
    ['output_audio_token', basic, output],
    ['output_image_token', basic, output],
    ['compute_second', { 'compute_second:gpu': hour }, hour],
    ['compute_second:gpu', { compute_second: hour }, hour],
    ['output_image:1024x1536', { 'output_image:1536x1024': image }, image],
    ['output_image:1024x1536', { 'output_image:1024x1024': image }, undefined],
    ['output_image:1024x1536:high', { 'output_image:1536x1024:high': image }, image],
    ['output_image:1024x1536:high', { 'output_image:1024x1536': image }, image],
    ['output_image:1024x1536:high', { 'output_image:1536x1024': image }, image],
    ['output_image:1024x1536:high', { 'output_image:1024x1536:low': image }, undefined],
    ['megapixel', basic, undefined],
    ['request', basic, undefined],
  ])('%s costs what the class costs that contains it', (unit, price, expected) => {
    expect(rateOf(unit, price)).toBe(expected)
  })

  it.each<[Unit, Price]>([
    ['cached_input_audio_token', { ...basic, cached_input_token: cached, input_audio_token: audio }],
    ['cached_input_image_token', { ...basic, cached_input_token: cached, input_image_token: image }],
    ['cache_write_token', { ...basic, cache_write_1h_token: hour }],
    ['cache_write_5m_token', { ...basic, cache_write_1h_token: hour }],
    ['cache_write_1h_token', { ...basic, cache_write_token: write }],
    ['cache_write_1h_token', { ...basic, cache_write_5m_token: fiveMinutes }],
    ['compute_second', { 'compute_second:gpu': hour, 'compute_second:cpu': write }],
    ['compute_second', { request: hour }],
  ])('%s costs what nobody knows where several classes could be meant', (unit, price) => {
    expect(rateOf(unit, price)).toBeUndefined()
  })

  it('costs what it is named with, whatever contains it', () => {
    expect(rateOf('reasoning_token', { ...basic, reasoning_token: cached })).toBe(cached)
    expect(rateOf('output_image:1x2', { 'output_image:1x2': input, 'output_image:2x1': image })).toBe(input)
  })
})

it('a price is for the measures of its units', () => {
  expect(isPriceFor({ input_token: perUnit('1') }, 'input')).toBe(true)
  expect(isPriceFor({ request: perUnit('1') }, 'input')).toBe(false)
  expect(isPriceFor({ request: perUnit('1'), output_token: perUnit('1') }, 'output')).toBe(true)
  expect(isPriceFor({}, 'input')).toBe(false)
})
