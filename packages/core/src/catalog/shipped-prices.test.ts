import { describe, expect, it } from 'vitest'
import { createCatalog } from './catalog.ts'
import { priceBook, shippedPrices } from './shipped-prices.ts'

describe('the price book', () => {
  it.each(priceBook.map((each) => [`${each.providerId}/${each.providerModel}`, each] as const))(
    'says of %s where and when its price was read, and the price is exact and positive',
    (_name, { source, readOn, price }) => {
      expect(new URL(source).protocol).toBe('https:')
      expect(readOn).toMatch(/^\d{4}-\d{2}-\d{2}$/)
      expect(new Date(readOn).toISOString().slice(0, 10)).toBe(readOn)
      const rates = Object.values(price)
      expect(rates.length).toBeGreaterThan(0)
      for (const rate of rates) {
        expect(typeof rate?.nano).toBe('bigint')
        expect(rate !== undefined && rate.nano > 0n && rate.per > 0n).toBe(true)
      }
    },
  )

  it('has one row for each provider and model', () => {
    const names = priceBook.map(
      ({ providerId, providerModel, operation }) => `${providerId}/${providerModel}/${operation}`,
    )
    expect(new Set(names).size).toBe(names.length)
  })

  it('is accepted as a whole, and gives every row as a target with limits and a version', () => {
    const book = shippedPrices()
    const catalog = createCatalog({
      books: [book],
      providerIds: ['cerebras', 'together', 'replicate'],
      now: () => Date.UTC(2026, 10, 22),
    })
    expect(catalog.targets).toHaveLength(priceBook.length)
    for (const target of catalog.targets) {
      expect(target.targetId).toBe(`${target.providerId}/${target.providerModel}`)
      expect(target.limits).toBeDefined()
      expect(target.priceVersion).toBe(book.versions.at(-1)?.version)
    }
  })
})
