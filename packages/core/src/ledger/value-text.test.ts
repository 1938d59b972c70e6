import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Value } from './storage.ts'
import { decodeValue, encodeValue } from './value-text.ts'

/** Strings that could be taken for something else, and any other. */
const anyString = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.bigInt().map((each) => `${each}n`),
  fc.constantFrom('', 'n', '-n', '~', '~~', '~1n', '1n ', '01n', '-0n', 'null', '__proto__', '1.5n', '+1n'),
)

const { value: anyValue } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    anyString,
    fc.bigInt(),
    fc.bigInt(2n ** 63n - 1n, 2n ** 63n + 1n),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((each) => (Object.is(each, -0) ? 0 : each)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.string().filter((name) => name !== '__proto__'),
      tie('value'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
}))

describe('a value as text', () => {
  it('comes back as it was, with every bigint and every string that looks like one', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(decodeValue(encodeValue(value))).toEqual(value)
      }),
      { numRuns: 2000 },
    )
  })

  it('is JSON that says the same to JSON.parse', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const text = encodeValue(value)
        expect(JSON.stringify(JSON.parse(text)).length).toBeGreaterThan(0)
        expect(text).not.toContain('\n')
      }),
    )
  })

  it('is different for different values', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (a, b) => {
        fc.pre(encodeValue(a) === encodeValue(b))
        expect(a).toEqual(b)
      }),
      {
        numRuns: 2000,
        examples: [
          ['1n', 1n],
          ['1', 1],
        ] as [Value, Value][],
        maxSkipsPerRun: 1000,
      },
    )
  })

  it.each([
    [0n, '"0n"'],
    [-5n, '"-5n"'],
    [2n ** 63n - 1n, '"9223372036854775807n"'],
    ['5n', '"~5n"'],
    ['~', '"~~"'],
    ['n', '"n"'],
    [1.5, '1.5'],
    [null, 'null'],
    [{ a: 1n, b: undefined, c: ['x'] }, '{"a":"1n","c":["x"]}'],
    [{ a: undefined, b: [], c: 0n }, '{"b":[],"c":"0n"}'],
    [[{}, { a: undefined }, [[]], true, false], '[{},{},[[]],true,false]'],
  ] as [Value, string][])('%s is written as %s', (value, text) => {
    expect(encodeValue(value)).toBe(text)
  })

  it('keeps a member whose name means something else in code', () => {
    const value = decodeValue('{"__proto__":"5n","other":{"__proto__":["7n"]}}')
    expect(Object.entries(value as object)[0]).toEqual(['__proto__', 5n])
    expect(encodeValue(value)).toBe('{"__proto__":"5n","other":{"__proto__":["7n"]}}')
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'cannot be %s, which JSON would turn into null',
    (value) => {
      expect(() => encodeValue(value)).toThrow(RangeError)
      expect(() => encodeValue({ deep: [value] })).toThrow(RangeError)
    },
  )

  it('keeps bigints apart from strings in a host that taught bigints to write themselves', () => {
    const prototype = BigInt.prototype as { toJSON?: unknown }
    prototype.toJSON = function toJSON(this: bigint) {
      return this.toString()
    }
    try {
      expect(decodeValue(encodeValue({ amount: [5n] }))).toEqual({ amount: [5n] })
    } finally {
      delete prototype.toJSON
    }
  })
})
