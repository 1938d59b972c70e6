import { describe, expect, it } from 'vitest'
import { perMillion } from '../money.ts'
import { listAnthropicModels, showAnthropicModel } from './anthropic-models.ts'
import { createCatalog } from './catalog.ts'
import { bookOf } from './price-book.ts'
import type { CatalogRow, TargetLimits } from './target.ts'

const row = (providerId: string, model: string, limits: TargetLimits | undefined): CatalogRow => ({
  providerId,
  providerModel: model,
  model,
  operation: 'chat',
  price: { input_token: perMillion('1'), output_token: perMillion('2') },
  ...(limits === undefined ? {} : { limits }),
  source: 'https://example.com/pricing',
  readOn: '2026-11-22',
})

function catalogOf(rows: readonly CatalogRow[]) {
  return createCatalog({
    books: [bookOf(rows)],
    providerIds: ['one', 'two'],
    now: () => Date.UTC(2026, 10, 26),
  })
}

const embedding: CatalogRow = {
  ...row('one', 'acme/embed', undefined),
  operation: 'embeddings',
  price: { input_token: perMillion('1') },
}
const catalog = catalogOf([
  row('one', 'acme/large', { contextTokens: 1_000, outputTokens: 100 }),
  row('two', 'acme/large', { contextTokens: 2_000 }),
  embedding,
  row('one', 'acme/open', undefined),
])
const large = {
  type: 'model',
  id: 'acme/large',
  display_name: 'large',
  created_at: '2026-11-22T00:00:00Z',
  max_input_tokens: 2_000,
  max_tokens: 2_000,
}

describe('models for Anthropic’s clients', () => {
  it('are those that chat, each once, with the most that any of its providers allows', () => {
    expect(JSON.parse(listAnthropicModels(catalog, () => true))).toEqual({
      data: [
        large,
        { ...large, id: 'acme/open', display_name: 'open', max_input_tokens: null, max_tokens: null },
      ],
      has_more: false,
      first_id: 'acme/large',
      last_id: 'acme/open',
    })
  })

  it('are none where none is sold', () => {
    expect(JSON.parse(listAnthropicModels(catalogOf([]), () => true))).toEqual({
      data: [],
      has_more: false,
      first_id: null,
      last_id: null,
    })
  })

  it('are shown one by one, where they chat', () => {
    expect(JSON.parse(showAnthropicModel(catalog, 'acme/large') ?? '')).toEqual(large)
    expect(showAnthropicModel(catalog, 'acme/embed')).toBeUndefined()
    expect(showAnthropicModel(catalog, 'acme/none')).toBeUndefined()
  })
})
