import { describe, expect, it } from 'vitest'
import type { InferenceCall, Selector } from '../dialects/inference-call.ts'
import { isGatewayError } from '../errors.ts'
import type { Operation } from '../http/routes.ts'
import { perMillion, perUnit } from '../money.ts'
import type { Price } from '../price.ts'
import { exampleRow } from './__fixtures__/example-rows.ts'
import { type Catalog, createCatalog } from './catalog.ts'
import { bookOf, createPriceBook } from './price-book.ts'
import type { CatalogRow } from './target.ts'

const tokens: Price = { input_token: perMillion('1'), output_token: perMillion('2') }

function row(members: Partial<CatalogRow> = {}): CatalogRow {
  return exampleRow({ providerId: 'cerebras', ...members })
}

function catalogOf(rows: readonly CatalogRow[], providerIds: readonly string[]): Catalog {
  return createCatalog({ books: [bookOf(rows)], providerIds, now: () => 0 })
}

/** A call, as far as a catalog looks at it. */
function call(
  model: string,
  selector: Selector | 'policy' = 'policy',
  operation: Operation = 'chat',
): InferenceCall {
  const chosen: Selector = selector === 'policy' ? { kind: 'policy', policy: 'fastest' } : selector
  return {
    operation,
    model,
    selector: chosen,
    body: { value: {}, source: undefined, byteLength: 2 },
    isStreaming: false,
    wantsUsage: false,
    outputTokensMax: undefined,
    choices: 1,
    inputs: 1,
    inputTokensMax: 1,
    inputImages: 0,
    image: undefined,
  }
}

const pinned = (providerId: string): Selector => ({ kind: 'provider', providerId })

function refusal(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    if (isGatewayError(error)) return [error.code, error.param, error.message]
    throw error
  }
  return 'accepted'
}

describe('candidates', () => {
  const catalog = catalogOf(
    [
      row({ providerId: 'together', providerModel: 't-1' }),
      row(),
      row({
        model: 'acme/e',
        providerId: 'together',
        providerModel: 'e-1',
        operation: 'embeddings',
        price: { input_token: perMillion('1') },
      }),
    ],
    ['cerebras', 'together'],
  )

  it('are all targets of the model that can do it, in the order of the catalog', () => {
    expect(catalog.candidates(call('acme/m')).map(({ targetId }) => targetId)).toEqual([
      'together/t-1',
      'cerebras/m-1',
    ])
  })

  it('are the targets of the pinned provider only', () => {
    expect(catalog.candidates(call('acme/m', pinned('cerebras'))).map(({ targetId }) => targetId)).toEqual([
      'cerebras/m-1',
    ])
  })

  it('are refused for a model nobody has, naming who was looked at', () => {
    expect(refusal(() => catalog.candidates(call('acme/none')))).toEqual([
      'model_not_found',
      'model',
      "The requested model 'acme/none' does not exist. Looked at: cerebras, together.",
    ])
  })

  it('are refused for a suffix that is neither, naming what it can be', () => {
    expect(refusal(() => catalog.candidates(call('acme/m', pinned('nobody'))))).toEqual([
      'invalid_model_suffix',
      'model',
      '":nobody" is neither a policy nor a provider. Use :fastest, :cheapest, :preferred or one of cerebras, together.',
    ])
  })

  it('are refused for a provider that lacks the model, naming who has it', () => {
    const only = catalogOf([row()], ['cerebras', 'together'])
    expect(refusal(() => only.candidates(call('acme/m', pinned('together'))))).toEqual([
      'model_not_supported',
      'model',
      "The requested model 'acme/m' is not offered by together. It is offered by: cerebras.",
    ])
  })

  it('are refused for an operation the model does not do, naming what it does', () => {
    expect(refusal(() => catalog.candidates(call('acme/e')))).toEqual([
      'model_not_supported',
      'model',
      "The model 'acme/e' does embeddings, not chat.",
    ])
  })

  it('never include a provider that the gateway does not have', () => {
    const only = catalogOf([row({ providerId: 'together' }), row()], ['cerebras'])
    expect(only.targets.map(({ providerId }) => providerId)).toEqual(['cerebras'])
    expect(only.targetsOf('acme/none')).toEqual([])
  })

  it('have the price of the last row for the same provider, model and operation', () => {
    const dearer: Price = { input_token: perMillion('9'), output_token: perMillion('9') }
    const replaced = catalogOf([row(), row({ price: dearer, providerModel: 'm-2' })], ['cerebras'])
    expect(replaced.targets).toHaveLength(1)
    expect(replaced.targets[0]).toMatchObject({ price: dearer, providerModel: 'm-2' })
  })
})

describe('images that are priced by size and quality', () => {
  const sized: Price = {
    'output_image:1024x1024:standard': perUnit('0.04'),
    'output_image:1024x1792:hd': perUnit('0.12'),
  }
  const catalog = catalogOf([row({ operation: 'images', price: sized })], ['cerebras'])
  const image = (width: number, height: number, quality?: string): InferenceCall => ({
    ...call('acme/m', 'policy', 'images'),
    image: { width, height, steps: 4 },
    body: { value: quality === undefined ? {} : { quality }, source: undefined, byteLength: 2 },
  })

  it.each([
    [1024, 1024, undefined],
    [1024, 1024, 'standard'],
    [1024, 1792, 'hd'],
    [1792, 1024, 'hd'],
  ])('are sold in a size and quality that has a price: %i × %i, %s', (width, height, quality) => {
    expect(catalog.candidates(image(width, height, quality))).toHaveLength(1)
  })

  it.each([
    [1024, 1024, 'hd'],
    [1024, 1792, undefined],
    [512, 512, undefined],
    [1000, 1000, undefined],
    [1024, 1024, 'best'],
  ])('are refused in one that has none, naming those that have: %i × %i, %s', (width, height, quality) => {
    expect(refusal(() => catalog.candidates(image(width, height, quality)))).toEqual([
      'model_not_supported',
      'size',
      "The model 'acme/m' is not sold in this size and quality. Choose one of: 1024x1024 standard, 1024x1792 hd.",
    ])
  })
})

describe('the prices in force', () => {
  const cheap: Price = { input_token: perMillion('2'), output_token: perMillion('10') }
  const dear: Price = { input_token: perMillion('3'), output_token: perMillion('15') }
  const september = Date.UTC(2026, 8, 1)
  const book = createPriceBook([
    { effectiveAtMs: september, rows: [row({ price: dear })] },
    { effectiveAtMs: 0, rows: [row({ price: cheap })] },
  ])
  const [first, second] = book.versions.map(({ version }) => version)

  it('change at their moment, while the process runs', () => {
    let now = september - 1
    const catalog = createCatalog({ books: [book], providerIds: ['cerebras'], now: () => now })
    expect(catalog.targets[0]).toMatchObject({ price: cheap, priceVersion: first })
    now = september
    expect(catalog.candidates(call('acme/m'))[0]).toMatchObject({ price: dear, priceVersion: second })
    now = september - 1
    expect(catalog.targetsOf('acme/m')[0]?.priceVersion).toBe(first)
  })

  it('do not make a process look at the clock when nothing ever changes', () => {
    const never = (): number => {
      throw new Error('the clock was read')
    }
    const fixed = createCatalog({ books: [bookOf([row()])], providerIds: ['cerebras'], now: never })
    expect(fixed.candidates(call('acme/m'))).toHaveLength(1)
  })

  it('are not sold before they are in force', () => {
    const later = createPriceBook([{ effectiveAtMs: september, rows: [row()] }])
    let now = 0
    const catalog = createCatalog({ books: [later], providerIds: ['cerebras'], now: () => now })
    expect(refusal(() => catalog.candidates(call('acme/m')))).toContain('model_not_found')
    now = september
    expect(catalog.candidates(call('acme/m'))).toHaveLength(1)
  })

  it('of a later book replace those of an earlier one, each under the version of its own book', () => {
    const host = bookOf([row({ price: dear }), row({ model: 'acme/n', providerModel: 'n-1' })])
    const catalog = createCatalog({ books: [bookOf([row()]), host], providerIds: ['cerebras'], now: () => 0 })
    const [version] = host.versions.map((each) => each.version)
    expect(catalog.targets.map(({ model, price, priceVersion }) => [model, price, priceVersion])).toEqual([
      ['acme/m', dear, version],
      ['acme/n', tokens, version],
    ])
    const untouched = createCatalog({
      books: [bookOf([row(), row({ providerId: 'together' })]), host],
      providerIds: ['together'],
      now: () => 0,
    })
    expect(untouched.targets[0]?.priceVersion).not.toBe(version)
  })

  it('stay known when they are no longer in force, by version and by time', () => {
    const catalog = createCatalog({ books: [book], providerIds: ['cerebras'], now: () => september })
    const what = { providerId: 'cerebras', providerModel: 'm-1', operation: 'chat' } as const
    expect(catalog.priceOf({ ...what, priceVersion: first ?? '' })).toEqual({
      price: cheap,
      priceVersion: first,
    })
    expect(catalog.priceOf({ ...what, priceVersion: second ?? '' })?.price).toEqual(dear)
    expect(catalog.priceAt({ ...what, atMs: september - 1 })?.price).toEqual(cheap)
    expect(catalog.priceAt({ ...what, atMs: september })?.price).toEqual(dear)
    expect(catalog.rowsAt(0).map(({ price }) => price)).toEqual([cheap])
    expect(catalog.versions.map(({ version }) => version)).toEqual([first, second])
  })

  it('are known for providers that the gateway no longer has, because receipts outlive them', () => {
    const catalog = createCatalog({ books: [book], providerIds: [], now: () => 0 })
    expect(catalog.targets).toEqual([])
    const query = { providerId: 'cerebras', providerModel: 'm-1', priceVersion: first ?? '' }
    expect(catalog.priceOf(query)?.price).toEqual(cheap)
  })

  it('come with their tiers', () => {
    const tiers = { longContext: [{ overInputTokens: 200_000, price: dear }] }
    const tiered = catalogOf([row({ price: cheap, tiers })], ['cerebras'])
    const query = { providerId: 'cerebras', providerModel: 'm-1', atMs: 0 }
    expect(tiered.priceAt(query)?.tiers).toEqual(tiers)
    expect(tiered.targets[0]?.tiers).toEqual(tiers)
  })

  it('are not guessed: an unknown version, model or operation has none', () => {
    const images: Price = { output_image: perUnit('0.01') }
    const both = catalogOf([row(), row({ operation: 'images', price: images })], ['cerebras'])
    const [version] = both.versions.map((each) => each.version)
    const query = { providerId: 'cerebras', providerModel: 'm-1', priceVersion: version ?? '' }
    expect(both.priceOf(query)).toBeUndefined()
    expect(both.pricesOf(query).map(({ price }) => price)).toEqual([tokens, images])
    expect(both.priceOf({ ...query, operation: 'images' })?.price).toEqual(images)
    expect(both.priceOf({ ...query, operation: 'embeddings' })).toBeUndefined()
    expect(both.priceOf({ ...query, operation: 'chat', priceVersion: 'none' })).toBeUndefined()
    expect(both.priceOf({ ...query, operation: 'chat', providerModel: 'm-2' })).toBeUndefined()
    expect(both.priceAt({ providerId: 'nobody', providerModel: 'm-1', atMs: 0 })).toBeUndefined()
  })
})
