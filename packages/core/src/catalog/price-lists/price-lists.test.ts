import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { perMillion, perUnit, rate } from '../../money.ts'
import { rateUsage } from '../../rate-usage.ts'
import { createPriceBook } from '../price-book.ts'
import { priceBook } from '../shipped-prices.ts'
import type { CatalogRow } from '../target.ts'
import {
  type PriceList,
  type PriceListOptions,
  readFareboxPrices,
  readGenaiPrices,
  readHuggingFacePrices,
  readLiteLlmPrices,
  readModelsDevPrices,
  readOpenRouterPrices,
} from './index.ts'

const readOn = '2026-11-22'

function fixture(name: string): string {
  return readFileSync(new URL(`__fixtures__/${name}.json`, import.meta.url), 'utf8')
}

/** The row of a model in an edition, the first one unless said otherwise. */
function rowOf(list: PriceList, providerModel: string, edition = 0): CatalogRow {
  const found = list.editions[edition]?.rows.filter((row) => row.providerModel === providerModel) ?? []
  expect(found.map((row) => row.providerModel)).toEqual([providerModel])
  return found[0] as CatalogRow
}

function reasonOf(list: PriceList, entry: string): string | undefined {
  return list.refused.find((each) => each.entry === entry)?.reason
}

describe('the list of Farebox', () => {
  const list = readFareboxPrices(fixture('farebox'))
  const shipped = ['cerebras', 'together', 'replicate']
  const terms = ({ price, tiers, hardware, operation, model }: CatalogRow) => ({
    price,
    tiers,
    hardware,
    operation,
    model,
  })

  it('has all that the shipped providers can serve, at the prices that are shipped', () => {
    const rows = list.editions[0]?.rows.filter(({ providerId }) => shipped.includes(providerId)) ?? []
    const byName = (all: readonly CatalogRow[]) =>
      new Map(all.map((row) => [`${row.providerId}/${row.providerModel}`, terms(row)]))
    expect(byName(priceBook)).toEqual(byName(rows))
    expect(list.refused.filter(({ entry }) => shipped.some((id) => entry.startsWith(`${id}/`)))).toEqual([])
  })

  it('is read with tiers, dates and sources', () => {
    expect(rowOf(list, 'gpt-5.6-sol')).toMatchObject({
      tiers: {
        longContext: [
          {
            overInputTokens: 272_000,
            price: { input_token: perMillion('10'), cache_write_token: perMillion('12.5') },
          },
        ],
      },
      readOn: '2026-08-02',
    })
    expect(rowOf(list, 'dall-e-3')).toMatchObject({
      readOn: '2025-01-01',
      source: 'platform.openai.com pricing as long published; confirm before use',
      price: {
        'output_image:1024x1024:standard': perUnit('0.04'),
        'output_image:1024x1792:standard': perUnit('0.08'),
        'output_image:1024x1024:hd': perUnit('0.08'),
        'output_image:1024x1792:hd': perUnit('0.12'),
      },
    })
    expect(rowOf(list, 'black-forest-labs/flux-dev').readOn).toBe('2025-08-01')
    expect(rowOf(list, 'gemini-2.5-flash').price.input_audio_token).toEqual(perMillion('1'))
  })

  it('takes a zero for the price it is', () => {
    expect(rowOf(list, 'glm-4.7-flash').price.output_token).toEqual(perMillion('0'))
  })

  it('becomes another version on the day that a price is scheduled to change', () => {
    expect(list.editions.map(({ effectiveAtMs }) => effectiveAtMs)).toEqual([0, Date.UTC(2026, 8, 1)])
    expect(rowOf(list, 'claude-sonnet-5', 0).price.output_token).toEqual(perMillion('10'))
    expect(rowOf(list, 'claude-sonnet-5', 1).price).toMatchObject({
      input_token: perMillion('3'),
      cache_write_1h_token: perMillion('6'),
      output_token: perMillion('15'),
    })
    expect(rowOf(list, 'gpt-oss-120b', 1).price).toEqual(rowOf(list, 'gpt-oss-120b', 0).price)
    expect(createPriceBook(list.editions).versions).toHaveLength(2)
  })

  it.each([
    ['scaleway/gpt-oss-120b/chat', /in EUR, not in USD/],
    ['groq/whisper-large-v3/transcription', /kind "transcription"/],
    ['cohere/rerank-v3.5/rerank', /kind "rerank"/],
    ['hf-inference/*/any', /kind "any"/],
  ])('refuses %s', (entry, reason) => {
    expect(reasonOf(list, entry)).toMatch(reason)
  })

  const entry = {
    provider: 'p',
    provider_model: 'm',
    canonical: 'acme/m',
    kind: 'chat',
    currency: 'USD',
    prices: [
      { unit: 'input_token', per: '1000000', amount: '1' },
      { unit: 'output_token', per: '1000000', amount: '2' },
    ],
    as_of: '2026-07-02',
    source: 'a',
  }
  it.each<[string, object, RegExp]>([
    [
      'a negative price',
      { prices: [{ unit: 'input_token', per: '1', amount: '-1' }] },
      /"input_token" is negative: -1/,
    ],
    [
      'a price that is text',
      { prices: [{ unit: 'input_token', per: '1', amount: 'free' }] },
      /not a decimal/,
    ],
    [
      'a price that is missing',
      { prices: [{ unit: 'input_token', per: '1' }] },
      /"input_token" has no price/,
    ],
    ['an unknown unit', { prices: [{ unit: 'vibes', per: '1', amount: '1' }] }, /"vibes" is no unit/],
    ['a unit twice', { prices: [...entry.prices, ...entry.prices] }, /two prices/],
    ['half a price', { prices: entry.prices.slice(1) }, /m on p needs prices for chat/],
    ['a price of another currency', { currency: 'EUR' }, /EUR/],
    ['no date', { as_of: 'July' }, /no date/],
    ['no model', { provider_model: '' }, /no "provider_model"/],
    [
      'a graduated tier',
      { tiers: [{ when_prompt_tokens_over: '5', applies_to: 'tokens_above', prices: [] }] },
      /whole/,
    ],
    [
      'a tier of nothing',
      { tiers: [{ when_prompt_tokens_over: 'x', applies_to: 'whole_request' }] },
      /whole number/,
    ],
    ['a change without a day', { scheduled: [{ effective_from: 'soon', prices: [] }] }, /no date/],
  ])('failure 26: refuses an entry with %s, and says why', (_case, members, reason) => {
    const text = JSON.stringify({
      schema: 'price-book/1',
      entries: [entry, { ...entry, provider_model: 'bad', ...members }],
    })
    const { editions, refused } = readFareboxPrices(text)
    expect(editions[0]?.rows.map(({ providerModel }) => providerModel)).toEqual(['m'])
    expect(refused.map(({ reason: told }) => told)).toEqual([
      expect.stringMatching(new RegExp(reason.source.replace('m on p', 'bad on p'))),
    ])
  })

  it('refuses two entries that disagree on the same unit', () => {
    const text = JSON.stringify({ schema: 'price-book/1', entries: [entry, entry] })
    expect(readFareboxPrices(text).refused).toEqual([
      { entry: 'p/m/chat', reason: '"input_token" has two prices.' },
    ])
  })

  it.each(['{}', '[]', '{"schema":"price-book/2","entries":[]}', 'nonsense'])('is not %s', (text) => {
    expect(() => readFareboxPrices(text)).toThrow(RangeError)
  })
})

describe('the list of LiteLLM', () => {
  const options: PriceListOptions = {
    readOn,
    providers: {
      openai: 'openai',
      bedrock: 'bedrock',
      bedrock_converse: 'bedrock',
      together_ai: 'together',
      databricks: 'databricks',
      dashscope: 'dashscope',
      aiml: 'aiml',
      deepgram: 'deepgram',
    },
    models: { 'gpt-5.6-sol': 'openai/gpt-5.6-sol' },
  }
  const list = readLiteLlmPrices(fixture('litellm'), options)

  it('is read exactly, exponents included', () => {
    const { price } = rowOf(list, 'meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo')
    expect(price).toEqual({ input_token: perMillion('0.18'), output_token: perMillion('0.18') })
    const nova = rowOf(list, 'amazon.nova-2-pro-preview-20251202-v1:0')
    expect(nova.price.cached_input_token).toEqual(rate('0.546875', '1000000'))
    const usage = { input_token: 1_000_000n, cached_input_token: 0n, output_token: 0n }
    expect(rateUsage(usage, nova)).toBe(2_187_500_000n)
    expect(rowOf(list, 'us-gov-east-1/amazon.titan-embed-text-v1').price).toEqual({
      input_token: perMillion('0.1'),
    })
  })

  it('is read with long prompts and service tiers', () => {
    const row = rowOf(list, 'gpt-5.6-sol')
    expect(row).toMatchObject({
      providerId: 'openai',
      model: 'openai/gpt-5.6-sol',
      operation: 'chat',
      readOn,
    })
    expect(row.supports).toEqual({ tools: true, structuredOutput: true, imageInput: true })
    expect(row.limits).toBeUndefined()
    expect(row.tiers?.longContext).toEqual([
      {
        overInputTokens: 272_000,
        price: {
          input_token: perMillion('10'),
          cached_input_token: perMillion('1'),
          cache_write_token: perMillion('12.5'),
          output_token: perMillion('45'),
        },
      },
    ])
    expect(Object.keys(row.tiers?.service ?? {}).sort()).toEqual(['batch', 'flex', 'priority'])
    expect(row.tiers?.service?.['flex']?.price).toEqual({
      input_token: perMillion('2.5'),
      cached_input_token: perMillion('0.25'),
      cache_write_token: perMillion('3.125'),
      output_token: perMillion('15'),
    })
    expect(row.tiers?.service?.['batch']?.price).toEqual({
      input_token: perMillion('2.5'),
      output_token: perMillion('15'),
    })
  })

  it('failure 11: tells cache writes of an hour from those of five minutes', () => {
    expect(rowOf(list, 'us-gov-east-1/anthropic.claude-sonnet-4-5-20250929-v1:0').price).toEqual({
      input_token: perMillion('3.6'),
      cached_input_token: perMillion('0.36'),
      cache_write_5m_token: perMillion('4.5'),
      cache_write_1h_token: perMillion('7.2'),
      output_token: perMillion('18'),
    })
  })

  it('sells images by the image', () => {
    expect(rowOf(list, 'flux-pro')).toMatchObject({
      operation: 'images',
      price: { output_image: perUnit('0.065') },
    })
  })

  it.each([
    ['512-x-512/dall-e-2', /"input_cost_per_pixel"/],
    ['dashscope/qwen-flash', /"tiered_pricing"/],
    ['databricks/databricks-meta-llama-3-1-405b-instruct', /"input_dbu_cost_per_token"/],
    ['deepgram/base', /mode "audio_transcription"/],
    ['bedrock/us-east-1/6-month-commitment/anthropic.claude-v1', /"input_cost_per_second"/],
    ['together_ai/Qwen/Qwen2.5-72B-Instruct-Turbo', /needs prices/],
    ['together_ai/together-ai-zero', /"input_cost_per_token" is zero/],
  ])('failures 4 and 26: refuses %s', (entry, reason) => {
    expect(reasonOf(list, entry)).toMatch(reason)
  })

  it('refuses nothing else, and passes over its own specification', () => {
    expect(list.refused).toHaveLength(7)
  })

  it('sells for nothing what is known to be free', () => {
    const free = readLiteLlmPrices(fixture('litellm'), { ...options, free: ['together_ai/together-ai-zero'] })
    expect(rowOf(free, 'together-ai-zero').price).toEqual({
      input_token: perMillion('0'),
      output_token: perMillion('0'),
    })
  })

  it('failure 26: a negative price mints no credits', () => {
    const text = JSON.stringify({
      'openai/auto': {
        litellm_provider: 'openai',
        mode: 'chat',
        input_cost_per_token: -1,
        output_cost_per_token: -1,
      },
      'openai/dear': {
        litellm_provider: 'openai',
        mode: 'chat',
        input_cost_per_token: 0.35,
        output_cost_per_token: 0.75,
      },
    })
    const { editions, refused } = readLiteLlmPrices(text, options)
    expect(editions[0]?.rows).toEqual([])
    expect(refused.map(({ reason }) => reason)).toEqual([
      '"input_cost_per_token" is negative: -1.',
      'The catalog row of dear on openai has a price for "input_token" that is too high to be meant.',
    ])
  })

  it('takes only the providers that are asked for', () => {
    expect(readLiteLlmPrices(fixture('litellm'), { readOn, providers: {} })).toEqual({
      editions: [{ effectiveAtMs: 0, rows: [] }],
      refused: [],
    })
  })
})

describe('the list of models.dev', () => {
  const options: PriceListOptions = {
    readOn,
    providers: {
      togetherai: 'together',
      openai: 'openai',
      xai: 'xai',
      anthropic: 'anthropic',
      nobody: 'nobody',
    },
    free: ['togetherai/moonshotai/Kimi-Free'],
  }
  const list = readModelsDevPrices(fixture('models-dev'), options)

  it('is read for a million tokens, as what the gateway calls the provider', () => {
    expect(rowOf(list, 'deepseek-ai/DeepSeek-V4-Pro')).toMatchObject({
      providerId: 'together',
      operation: 'chat',
      price: {
        input_token: perMillion('1.74'),
        cached_input_token: perMillion('0.2'),
        output_token: perMillion('3.48'),
      },
      supports: { tools: true },
    })
    expect(rowOf(list, 'moonshotai/Kimi-Free').price.input_token).toEqual(perMillion('0'))
    expect(rowOf(list, 'text-embedding-3-small')).toMatchObject({
      operation: 'embeddings',
      price: { input_token: perMillion('0.02') },
    })
  })

  it('takes the bound of a tier, and the older name only where there is none', () => {
    expect(rowOf(list, 'gpt-5.5').tiers?.longContext?.map(({ overInputTokens }) => overInputTokens)).toEqual([
      272_000,
    ])
    expect(rowOf(list, 'grok-4.6').tiers?.longContext).toEqual([
      {
        overInputTokens: 200_000,
        price: {
          input_token: perMillion('4'),
          cached_input_token: perMillion('1'),
          output_token: perMillion('12'),
        },
      },
    ])
  })

  it('failure 11: has one price for cache writes, which is not one for an hour', () => {
    const row = rowOf(list, 'claude-sonnet-4-6')
    expect(row.price.cache_write_token).toEqual(perMillion('3.75'))
    expect(() => rateUsage({ input_token: 1n, cache_write_1h_token: 1n, output_token: 1n }, row)).toThrow(
      /1h/,
    )
  })

  it.each([
    ['togetherai/black-forest-labs/FLUX.1-schnell', /does not write text/],
    ['togetherai/a/priceless', /no price/],
    ['openai/whisper-1', /"per_minute"/],
  ])('failure 4: refuses %s', (entry, reason) => {
    expect(reasonOf(list, entry)).toMatch(reason)
  })

  it('failure 26: refuses a zero that nobody knows to be meant', () => {
    const unknown = readModelsDevPrices(fixture('models-dev'), { ...options, free: [] })
    expect(reasonOf(unknown, 'togetherai/moonshotai/Kimi-Free')).toMatch(/"input" is zero/)
  })
})

describe('the list of OpenRouter', () => {
  const list = readOpenRouterPrices(fixture('openrouter'), {
    readOn,
    providers: { openrouter: 'openrouter' },
  })

  it('is read from text for one token, under the name on the Hub where there is one', () => {
    expect(rowOf(list, 'openai/gpt-oss-120b')).toMatchObject({
      providerId: 'openrouter',
      model: 'openai/gpt-oss-120b',
      price: { input_token: perMillion('0.039'), output_token: perMillion('0.19') },
    })
    expect(rowOf(list, 'anthropic/claude-opus-4.8')).toMatchObject({
      model: 'anthropic/claude-opus-4.8',
      price: { cache_write_5m_token: perMillion('6.25'), cache_write_1h_token: perMillion('10') },
    })
  })

  it('takes a zero for a class of tokens as no price of its own: reasoning is not free', () => {
    const row = rowOf(list, 'google/gemini-2.5-pro')
    expect(row.price).toEqual({
      input_token: perMillion('1.25'),
      cached_input_token: perMillion('0.125'),
      input_audio_token: perMillion('1.25'),
      cached_input_audio_token: perMillion('0.125'),
      output_token: perMillion('10'),
    })
    expect(row.tiers?.longContext?.[0]).toMatchObject({
      overInputTokens: 200_000,
      price: { output_token: perMillion('15') },
    })
  })

  it('sells for nothing what its name calls free, under the same canonical name', () => {
    expect(rowOf(list, 'openai/gpt-oss-20b:free')).toMatchObject({
      model: 'openai/gpt-oss-20b',
      price: { input_token: perMillion('0'), output_token: perMillion('0') },
    })
  })

  it.each([
    ['openrouter/openrouter/auto', /"prompt" is negative: -1/],
    ['openrouter/deepseek/deepseek-v4-flash', /time of day/],
    ['openrouter/anthropic/claude-3-haiku', /"image"/],
    ['openrouter/google/gemini-2.5-flash-image', /image/],
    ['openrouter/x/zero', /"prompt" is zero/],
    ['openrouter/x/not-a-number', /"NaN" is not a decimal/],
  ])('failures 4 and 26: refuses %s', (entry, reason) => {
    expect(reasonOf(list, entry)).toMatch(reason)
  })

  it('gives nothing to a gateway without it', () => {
    expect(readOpenRouterPrices(fixture('openrouter'), { readOn, providers: {} }).editions[0]?.rows).toEqual(
      [],
    )
  })
})

describe('the list of Hugging Face', () => {
  const list = readHuggingFacePrices(fixture('hugging-face'), {
    readOn,
    providers: { novita: 'novita', together: 'together', 'fireworks-ai': 'fireworks' },
    providerModels: { 'novita/deepseek-ai/DeepSeek-V4-Pro': 'deepseek/deepseek-v4-pro' },
  })

  it('is read by provider, with what the provider itself calls a model', () => {
    expect(rowOf(list, 'deepseek/deepseek-v4-pro')).toMatchObject({
      providerId: 'novita',
      model: 'deepseek-ai/DeepSeek-V4-Pro',
      price: { input_token: perMillion('1.69'), output_token: perMillion('3.38') },
      supports: { tools: true, structuredOutput: false },
    })
    expect(rowOf(list, 'deepseek-ai/DeepSeek-V4-Pro').providerId).toBe('together')
  })

  it('sells for nothing what is marked as free, and nothing else', () => {
    expect(rowOf(list, 'openai/gpt-oss-20b').providerId).toBe('novita')
    expect(reasonOf(list, 'together/openai/gpt-oss-20b')).toMatch(/"input" is zero/)
  })

  it('failure 4: refuses who has no price, and what is not text', () => {
    expect(reasonOf(list, 'fireworks-ai/deepseek-ai/DeepSeek-V4-Pro')).toMatch(/no price/)
    expect(reasonOf(list, 'together/black-forest-labs/FLUX.1-schnell')).toMatch(/It gives image/)
    expect(list.refused).toHaveLength(3)
  })
})

describe('the list of genai-prices', () => {
  const list = readGenaiPrices(fixture('genai-prices'), {
    readOn,
    providers: { cerebras: 'cerebras', anthropic: 'anthropic', google: 'google', deepseek: 'deepseek' },
    models: { 'cerebras/gpt-oss-120b': 'openai/gpt-oss-120b' },
  })

  it('is read for a million tokens, audio and embeddings included', () => {
    expect(rowOf(list, 'gpt-oss-120b')).toMatchObject({
      model: 'openai/gpt-oss-120b',
      price: { input_token: perMillion('0.35'), output_token: perMillion('0.75') },
    })
    expect(rowOf(list, 'gemini-2.5-flash').price).toEqual({
      input_token: perMillion('0.3'),
      cached_input_token: perMillion('0.03'),
      input_audio_token: perMillion('1'),
      cached_input_audio_token: perMillion('0.1'),
      output_token: perMillion('2.5'),
    })
    expect(rowOf(list, 'gemini-embedding-001').operation).toBe('embeddings')
  })

  it('becomes a version for each day that a price changed', () => {
    expect(list.editions.map(({ effectiveAtMs }) => effectiveAtMs)).toEqual([0, Date.UTC(2026, 2, 13)])
    const before = rowOf(list, 'claude-opus-4-6', 0)
    const after = rowOf(list, 'claude-opus-4-6', 1)
    expect(before.price).toEqual(after.price)
    expect(before.price.cache_write_5m_token).toEqual(perMillion('6.25'))
    expect(before.tiers?.longContext).toEqual([
      {
        overInputTokens: 200_000,
        price: {
          input_token: perMillion('10'),
          cached_input_token: perMillion('1'),
          cache_write_5m_token: perMillion('12.5'),
          cache_write_1h_token: perMillion('20'),
          output_token: perMillion('37.5'),
        },
      },
    ])
    expect(after.tiers).toBeUndefined()
  })

  it('makes one ladder of the tiers of each unit', () => {
    expect(rowOf(list, 'steps').tiers?.longContext).toEqual([
      { overInputTokens: 32_000, price: { input_token: perMillion('2') } },
      { overInputTokens: 128_000, price: { input_token: perMillion('2'), output_token: perMillion('4') } },
    ])
  })

  it.each([
    ['deepseek/deepseek-v4-flash', /time of day/],
    ['google/veo', /"output_video_mtok"/],
    ['deepseek/free-of-charge', /needs prices/],
  ])('failures 4 and 26: refuses %s', (entry, reason) => {
    expect(reasonOf(list, entry)).toMatch(reason)
  })
})

describe('failure 26: a list that is no list', () => {
  const options: PriceListOptions = { readOn, providers: { openai: 'openai' } }

  it.each([
    ['LiteLLM', readLiteLlmPrices, '[]'],
    ['models.dev', readModelsDevPrices, '"x"'],
    ['OpenRouter', readOpenRouterPrices, '{"error":"rate limited"}'],
    ['Hugging Face', readHuggingFacePrices, '[]'],
    ['genai-prices', readGenaiPrices, '{}'],
  ])('of %s is an error and not an empty price book', (_name, read, text) => {
    expect(() => read(text, options)).toThrow(RangeError)
    expect(() => read('{"a":NaN}', options)).toThrow('not valid JSON')
    expect(() => read('<html>', options)).toThrow('not valid JSON')
  })
})
