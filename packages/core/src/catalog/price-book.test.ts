import { describe, expect, it } from 'vitest'
import { perMillion, perUnit, type Rate, rate } from '../money.ts'
import type { Price } from '../price.ts'
import { exampleRow } from './__fixtures__/example-rows.ts'
import { bookOf, createPriceBook, versionAt } from './price-book.ts'
import type { CatalogRow } from './target.ts'

const tokens: Price = { input_token: perMillion('1'), output_token: perMillion('2') }

function row(members: Partial<CatalogRow> = {}): CatalogRow {
  return exampleRow({ providerId: 'cerebras', ...members })
}

describe('the version of the prices', () => {
  const version = (...rows: CatalogRow[]) => bookOf(rows).versions[0]?.version

  it('changes when a rate, its unit, its denominator or a tier does', () => {
    const longer = { overInputTokens: 200_000, price: { input_token: perMillion('2') } }
    const versions = [
      version(row()),
      version(row({ price: { ...tokens, output_token: perMillion('2.000000001') } })),
      version(row({ price: { ...tokens, cached_input_token: perMillion('0.5') } })),
      version(row({ price: { ...tokens, input_token: perUnit('0.001') } })),
      version(row(), row({ providerId: 'together' })),
      version(row({ tiers: { longContext: [longer] } })),
      version(row({ tiers: { longContext: [{ ...longer, overInputTokens: 200_001 }] } })),
      version(row({ tiers: { service: { flex: { price: longer.price } } } })),
      version(row({ tiers: { service: { batch: { price: longer.price } } } })),
      version(row({ tiers: { service: { flex: { price: longer.price, longContext: [longer] } } } })),
      version(row({ tiers: { service: { flex: { price: longer.price } }, longContext: [longer] } })),
    ]
    expect(new Set(versions).size).toBe(versions.length)
  })

  it('stays when nothing but the order of rows and units changes', () => {
    const swapped: Price = { output_token: perMillion('2'), input_token: perMillion('1') }
    expect(version(row(), row({ providerId: 'together' }))).toBe(
      version(row({ providerId: 'together' }), row({ price: swapped })),
    )
  })

  it('stays when a price is only written in another way', () => {
    const perToken: Price = { input_token: rate('0.000001', '1'), output_token: rate('2.00', '1000000') }
    expect(version(row({ price: perToken }))).toBe(version(row()))
    const free = (each: Rate) => version(row({ price: { ...tokens, input_token: each } }))
    expect(free(perMillion('0'))).toBe(free(perUnit('0.0')))
  })

  it('stays when only the source of a price changes', () => {
    expect(version(row({ source: 'https://example.com/other', readOn: '2026-02-01' }))).toBe(version(row()))
  })

  it('is 16 hexadecimal digits', () => {
    expect(version(row())).toMatch(/^[0-9a-f]{16}$/)
  })
})

describe('a price book', () => {
  const edition = (effectiveAtMs: number, price: Price = tokens) => ({
    effectiveAtMs,
    rows: [row({ price })],
  })

  it('has its versions in the order in which they take effect', () => {
    const book = createPriceBook([edition(200), edition(0), edition(100)])
    expect(book.versions.map(({ effectiveAtMs }) => effectiveAtMs)).toEqual([0, 100, 200])
  })

  it.each([
    [-1, undefined],
    [0, 0],
    [99, 0],
    [100, 100],
    [1e15, 100],
  ])('has at %i the version of %s', (atMs, effectiveAtMs) => {
    const book = createPriceBook([edition(0), edition(100)])
    expect(versionAt(book, atMs)?.effectiveAtMs).toBe(effectiveAtMs)
  })

  it('gives the same prices the same version again, when they come back', () => {
    const dearer: Price = { ...tokens, input_token: perMillion('2') }
    const book = createPriceBook([edition(0), edition(100, dearer), edition(200)])
    const [first, second, third] = book.versions.map(({ version }) => version)
    expect(third).toBe(first)
    expect(second).not.toBe(first)
  })

  it('keeps the later of two rows for the same thing', () => {
    const later = row({ providerModel: 'm-2' })
    expect(bookOf([row(), later]).versions[0]?.rows).toEqual([later])
  })

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses to take effect at %s',
    (effectiveAtMs) => {
      expect(() => createPriceBook([edition(effectiveAtMs)])).toThrow(/cannot take effect/)
    },
  )

  it('refuses two versions that take effect at once, because only one can hold', () => {
    expect(() => createPriceBook([edition(0), edition(86_400_000), edition(86_400_000)])).toThrow(
      'Two versions of a price book take effect at 1970-01-02T00:00:00.000Z.',
    )
  })

  it('refuses a book whose versions are not the hashes of their prices', () => {
    const book = createPriceBook([edition(0)])
    expect(bookOf(book)).toEqual(book)
    const forged = { versions: book.versions.map((each) => ({ ...each, version: '0123456789abcdef' })) }
    expect(() => bookOf(forged)).toThrow(/"0123456789abcdef" is not the version of its prices/)
  })

  it('names the row at fault, in whichever version it is', () => {
    expect(() => createPriceBook([edition(0), edition(100, {})])).toThrow(/m-1 on cerebras/)
  })
})
