import { describe, expect, it } from 'vitest'
import { perMillion, perUnit } from '../money.ts'
import { createCatalog } from './catalog.ts'
import { listModels, showModel } from './models-list.ts'
import { bookOf } from './price-book.ts'
import type { CatalogRow, TargetStats } from './target.ts'

const rows: readonly CatalogRow[] = [
  {
    providerId: 'cerebras',
    providerModel: 'm-1',
    model: 'acme/m',
    operation: 'chat',
    price: { input_token: perMillion('0.35'), output_token: perMillion('0.75') },
    limits: { contextTokens: 131_072 },
    supports: { tools: true, structuredOutput: true },
    source: 'https://example.com/pricing',
    readOn: '2026-01-31',
  },
  {
    providerId: 'together',
    providerModel: 'm-2',
    model: 'acme/m',
    operation: 'chat',
    price: { input_token: perMillion('0.0375'), output_token: perMillion('0.6') },
    source: 'https://example.com/pricing',
    readOn: '2026-01-31',
  },
  {
    providerId: 'replicate',
    providerModel: 'i-1',
    model: 'acme/i',
    operation: 'images',
    price: { output_image: perUnit('0.003') },
    source: 'https://example.com/pricing',
    readOn: '2026-01-31',
  },
]
const catalog = createCatalog({
  books: [bookOf(rows)],
  providerIds: ['cerebras', 'together', 'replicate'],
  now: () => 0,
})
const unknown: TargetStats = { isHealthy: true, firstTokenMs: undefined, tokensPerSecond: undefined }

describe('the list of models', () => {
  it('has those models only that the caller gets to see', () => {
    const shown = (isShown: (model: string) => boolean) =>
      JSON.parse(listModels(catalog, () => unknown, isShown)).data.map(({ id }: { id: string }) => id)
    expect(shown((model) => model !== 'acme/m')).toEqual(['acme/i'])
    expect(shown(() => false)).toEqual([])
  })

  it('has one object for each model with all its providers', () => {
    const list = JSON.parse(
      listModels(
        catalog,
        () => unknown,
        () => true,
      ),
    )
    expect(list.object).toBe('list')
    expect(list.data.map(({ id }: { id: string }) => id)).toEqual(['acme/m', 'acme/i'])
    expect(list.data[0]).toEqual({
      id: 'acme/m',
      object: 'model',
      created: 1_769_817_600,
      owned_by: 'acme',
      architecture: { input_modalities: ['text'], output_modalities: ['text'] },
      providers: [
        {
          provider: 'cerebras',
          status: 'live',
          context_length: 131_072,
          pricing: { input: 0.35, output: 0.75 },
          supports_tools: true,
          supports_structured_output: true,
          is_model_author: false,
        },
        {
          provider: 'together',
          status: 'live',
          pricing: { input: 0.0375, output: 0.6 },
          is_model_author: false,
        },
      ],
    })
    expect(list.data[1].architecture.output_modalities).toEqual(['image'])
    expect(list.data[1].providers[0]).not.toHaveProperty('pricing')
  })

  it('shows what was measured, and which provider is in trouble', () => {
    const status: TargetStats = { isHealthy: false, firstTokenMs: 120.6, tokensPerSecond: 900.5 }
    const model = JSON.parse(showModel(catalog, 'acme/m', () => status) ?? '')
    expect(model.providers[0]).toMatchObject({
      status: 'error',
      first_token_latency_ms: 121,
      throughput: 900.5,
    })
  })

  it('has nothing to show of a model that does not exist', () => {
    expect(showModel(catalog, 'acme/none', () => unknown)).toBeUndefined()
  })
})
