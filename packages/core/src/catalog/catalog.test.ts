import { describe, expect, it } from 'vitest'
import type { InferenceCall, Selector } from '../dialects/inference-call.ts'
import { isGatewayError } from '../errors.ts'
import type { Operation } from '../http/routes.ts'
import { perMillion, perUnit } from '../money.ts'
import type { Price } from '../price.ts'
import type { Unit } from '../usage.ts'
import { createCatalog } from './catalog.ts'
import { priceBook } from './price-book.ts'
import type { CatalogRow } from './target.ts'

const tokens: Price = { input_token: perMillion('1'), output_token: perMillion('2') }
const everyone = ['cerebras', 'together', 'replicate']

function row(members: Partial<CatalogRow> = {}): CatalogRow {
  return {
    providerId: 'cerebras',
    providerModel: 'm-1',
    model: 'acme/m',
    operation: 'chat',
    price: tokens,
    source: 'https://example.com/pricing',
    readOn: '2026-01-31',
    ...members,
  }
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
        expect(typeof rate.nano).toBe('bigint')
        expect(rate.nano > 0n && rate.per > 0n).toBe(true)
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
    const catalog = createCatalog(priceBook, everyone)
    expect(catalog.targets).toHaveLength(priceBook.length)
    for (const target of catalog.targets) {
      expect(target.targetId).toBe(`${target.providerId}/${target.providerModel}`)
      expect(target.limits).toBeDefined()
      expect(target.priceVersion).toBe(catalog.version)
    }
  })
})

describe('candidates', () => {
  const catalog = createCatalog(
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
    const only = createCatalog([row()], ['cerebras', 'together'])
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
    const only = createCatalog([row({ providerId: 'together' }), row()], ['cerebras'])
    expect(only.targets.map(({ providerId }) => providerId)).toEqual(['cerebras'])
    expect(only.targetsOf('acme/none')).toEqual([])
  })

  it('have the price of the last row for the same provider, model and operation', () => {
    const dearer: Price = { input_token: perMillion('9'), output_token: perMillion('9') }
    const replaced = createCatalog([row(), row({ price: dearer, providerModel: 'm-2' })], ['cerebras'])
    expect(replaced.targets).toHaveLength(1)
    expect(replaced.targets[0]).toMatchObject({ price: dearer, providerModel: 'm-2' })
  })
})

describe('the version of the prices', () => {
  const version = (...rows: CatalogRow[]) => createCatalog(rows, everyone).version

  it('changes when a rate, its unit or its denominator does', () => {
    const versions = [
      version(row()),
      version(row({ price: { ...tokens, output_token: perMillion('2.000000001') } })),
      version(row({ price: { ...tokens, cached_input_token: perMillion('0.5') } })),
      version(row({ price: { ...tokens, input_token: perUnit('1') } })),
      version(row(), row({ providerId: 'together' })),
    ]
    expect(new Set(versions).size).toBe(versions.length)
  })

  it('stays when nothing but the order of rows and units changes', () => {
    const swapped: Price = { output_token: perMillion('2'), input_token: perMillion('1') }
    expect(version(row(), row({ providerId: 'together' }))).toBe(
      version(row({ providerId: 'together' }), row({ price: swapped })),
    )
  })

  it('stays when only the source of a price changes', () => {
    expect(version(row({ source: 'https://example.com/other', readOn: '2026-02-01' }))).toBe(version(row()))
  })

  it('is 16 hexadecimal digits', () => {
    expect(version(row())).toMatch(/^[0-9a-f]{16}$/)
  })
})

describe('a row is refused as the catalog is built', () => {
  const build = (members: Partial<CatalogRow>) => () => createCatalog([row(members)], everyone)
  const one = perMillion('1')

  it.each<[Operation, readonly Unit[]]>([
    ['chat', []],
    ['chat', ['input_token']],
    ['chat', ['output_token']],
    ['chat', ['cached_input_token', 'output_token']],
    ['chat', ['request']],
    ['chat', ['output_image']],
    ['embeddings', []],
    ['embeddings', ['output_token']],
    ['embeddings', ['cached_input_token']],
    ['images', []],
    ['images', ['input_token', 'output_token']],
  ])(
    'when it sells %s by no more than %j, because something would be used and not charged',
    (operation, units) => {
      const price = Object.fromEntries(units.map((unit) => [unit, one]))
      expect(build({ operation, price })).toThrow(RangeError)
      expect(build({ operation, price })).toThrow(/m-1 on cerebras/)
    },
  )

  it.each<[Operation, readonly Unit[]]>([
    ['chat', ['input_token', 'output_token']],
    ['chat', ['input_token', 'cached_input_token', 'output_token', 'request']],
    ['chat', ['compute_second']],
    ['embeddings', ['input_token']],
    ['embeddings', ['compute_second']],
    ['images', ['output_image']],
    ['images', ['megapixel']],
    ['images', ['compute_second']],
    ['images', ['request']],
  ])('but not when it sells %s by %j', (operation, units) => {
    expect(build({ operation, price: Object.fromEntries(units.map((unit) => [unit, one])) })).not.toThrow()
  })

  it.each([
    ['is negative', { nano: -1n, per: 1_000_000n }],
    ['is negative by its denominator', { nano: 1n, per: -1n }],
    ['divides by zero', { nano: 1n, per: 0n }],
  ])('when a rate %s', (_case, rate) => {
    expect(build({ price: { ...tokens, output_token: rate } })).toThrow(/m-1 on cerebras .*"output_token"/)
    expect(build({ price: { ...tokens, request: rate } })).toThrow(RangeError)
  })

  it('when cached input is dearer than input, because a hold is for the rate of input', () => {
    expect(build({ price: { ...tokens, cached_input_token: perMillion('1.01') } })).toThrow(/cached/)
    expect(build({ price: { ...tokens, cached_input_token: perMillion('1') } })).not.toThrow()
  })

  it('but not for a rate of zero, which says that something is free', () => {
    expect(build({ price: { ...tokens, input_token: perMillion('0') } })).not.toThrow()
  })

  it('but not when its provider is none of the gateway’s', () => {
    expect(build({ providerId: 'elsewhere', price: {} })).not.toThrow()
  })
})
