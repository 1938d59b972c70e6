import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDecimal } from './money.ts'
import { addQuantities, completeUsage, count, isQuantity, measure, type Quantities } from './usage.ts'

describe('count', () => {
  it.each([
    [0, 0n],
    [-0, 0n],
    [1, 1n],
    [Number.MAX_SAFE_INTEGER, 9_007_199_254_740_991n],
  ])('reads %s', (value, expected) => {
    expect(count(value)).toBe(expected)
  })

  it.each([
    [undefined],
    [null],
    [-1],
    [1.5],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [2 ** 53],
    ['12'],
    [12n],
    [true],
    [[]],
    [{}],
  ])('says unknown to %s, not zero', (value) => {
    expect(count(value)).toBeUndefined()
  })
})

describe('measure', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [1.234567, '1.234567'],
    [1e-7, '1e-7'],
    [1e21, '1e+21'],
  ])('reads %s as it is written', (value, expected) => {
    expect(measure(value)).toBe(expected)
  })

  it.each([[undefined], [null], [-0.1], [Number.NaN], [Number.POSITIVE_INFINITY], ['1.5'], [1n], [{}]])(
    'says unknown to %s, not zero',
    (value) => {
      expect(measure(value)).toBeUndefined()
    },
  )

  it('gives text that can be priced for whatever number a provider sends', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        const text = measure(value)
        if (text === undefined) return true
        const { digits, scale } = parseDecimal(text)
        return Number(`${digits}e-${scale}`) === value
      }),
      { examples: [[5e-324], [1e-100], [1e100], [Number.MAX_VALUE], [1e99], [1e-99]] },
    )
  })
})

describe('completeUsage', () => {
  const estimate = { input_token: 100n, output_token: 50n } as const
  const complete = (reported: Quantities | undefined, units: readonly (keyof typeof estimate)[]) =>
    completeUsage(reported, units, (unit) => ({ [unit]: estimate[unit as keyof typeof estimate] }))

  it('failure 8: keeps an explicit zero where an estimate says more', () => {
    const usage = complete({ input_token: 0n, output_token: 0n }, ['input_token', 'output_token'])
    expect(usage).toEqual({ quantities: { input_token: 0n, output_token: 0n }, certainty: 'exact' })
  })

  it('failure 8: fills what is missing from the estimate, and says so', () => {
    const usage = complete({ input_token: 7n }, ['input_token', 'output_token'])
    expect(usage).toEqual({ quantities: { input_token: 7n, output_token: 50n }, certainty: 'estimate' })
  })

  it('takes the whole estimate when nothing was reported', () => {
    expect(complete(undefined, ['input_token'])).toEqual({
      quantities: { input_token: 100n },
      certainty: 'estimate',
    })
  })

  it('is exact when everything asked for was reported, and keeps what else was', () => {
    const reported = { input_token: 7n, cached_input_token: 3n, compute_second: '1.5' }
    expect(complete(reported, ['input_token'])).toEqual({ quantities: reported, certainty: 'exact' })
  })

  it('takes what is told of a measure for all of it: classes that are not told were not used', () => {
    const { quantities, certainty } = completeUsage(
      { input_audio_token: 5n, 'compute_second:gpu-t4': '2' },
      ['input_token', 'cached_input_token', 'compute_second'],
      () => ({ input_token: 100n }),
    )
    expect(quantities).toEqual({ input_audio_token: 5n, 'compute_second:gpu-t4': '2' })
    expect(certainty).toBe('exact')
  })

  it('leaves what it is given alone', () => {
    const reported = Object.freeze({ input_token: 7n })
    complete(reported, ['output_token'])
    expect(reported).toEqual({ input_token: 7n })
  })
})

describe('addQuantities', () => {
  it.each([
    [1n, 2n, 3n],
    [2n ** 63n, 1n, 2n ** 63n + 1n],
    [1n, '1.5', '2.5'],
    ['0.5', '0.5', 1n],
    ['0.1', '0.2', '0.3'],
    ['1e-7', '1.234567', '1.2345671'],
    ['1e+21', '0.5', '1000000000000000000000.5'],
    ['0.00', 0n, 0n],
  ] as const)('adds %s and %s', (a, b, sum) => {
    expect(addQuantities(a, b)).toBe(sum)
    expect(addQuantities(b, a)).toBe(sum)
  })

  it('failure 27: adds 100,000 measurements without drift, in any order', () => {
    let sum: bigint | string = 0n
    for (let index = 0; index < 100_000; index += 1) sum = addQuantities(sum, '0.0000375')
    expect(sum).toBe('3.75')
  })

  it('adds up whatever was measured, and reads its own sums again', () => {
    const measured = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(fc.array(measured, { maxLength: 20 }), (values) => {
        const texts = values.map(measure).filter((text) => text !== undefined)
        const forth = texts.reduce<bigint | string>(addQuantities, 0n)
        expect(texts.toReversed().reduce<bigint | string>(addQuantities, 0n)).toBe(forth)
        expect(addQuantities(forth, 0n)).toBe(forth)
      }),
    )
  })
})

describe('isQuantity', () => {
  it.each([[0n], [12n], ['0'], ['1.25'], ['1e-7']])('knows %s', (value) => {
    expect(isQuantity(value)).toBe(true)
  })

  it.each([[-1n], ['-1'], ['many'], [''], [1], [null], [undefined], [{}]])('refuses %s', (value) => {
    expect(isQuantity(value)).toBe(false)
  })
})
