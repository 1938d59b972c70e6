import { describe, expect, it } from 'vitest'
import type { Operation } from '../http/routes.ts'
import { perMillion, perUnit, type Rate, rate } from '../money.ts'
import type { Price, PriceTiers } from '../price.ts'
import type { Unit } from '../unit.ts'
import { checkRow } from './check-row.ts'
import type { CatalogRow } from './target.ts'

const tokens: Price = { input_token: perMillion('1'), output_token: perMillion('2') }

describe('a row is refused as the catalog is built', () => {
  const check = (members: Partial<CatalogRow>) => () =>
    checkRow({
      providerId: 'cerebras',
      providerModel: 'm-1',
      model: 'acme/m',
      operation: 'chat',
      price: tokens,
      limits: { outputTokens: 100 },
      source: 'https://example.com/pricing',
      readOn: '2026-01-31',
      ...members,
    })
  const one = perMillion('1')

  it.each<[string, object]>([
    ['providerId', { providerId: undefined }],
    ['providerModel', { providerModel: '' }],
    ['needs model', { model: 5 }],
    ['operation "chats"', { operation: 'chats' }],
    ['operation "undefined"', { operation: undefined }],
    ['no price', { price: undefined }],
    ['limits.contextTokens', { limits: { contextTokens: '131072' } }],
    ['limits.outputTokens', { limits: { outputTokens: Number.NaN } }],
    ['limits.imageInputTokens', { limits: { imageInputTokens: -1 } }],
    ['limits.outputTokens', { limits: { outputTokens: 0.5 } }],
    ['limits.computeSeconds', { limits: { computeSeconds: Number.POSITIVE_INFINITY } }],
  ])('when it is none, naming what is wrong: %s', (named, members) => {
    expect(check(members)).toThrow(RangeError)
    expect(check(members)).toThrow(named)
  })

  it.each<[Operation, readonly Unit[]]>([
    ['chat', []],
    ['chat', ['input_token']],
    ['chat', ['output_token']],
    ['chat', ['cached_input_token', 'output_token']],
    ['chat', ['input_token', 'reasoning_token']],
    ['chat', ['request']],
    ['chat', ['output_image']],
    ['embeddings', []],
    ['embeddings', ['output_token']],
    ['embeddings', ['cached_input_token']],
    ['images', []],
    ['images', ['input_token']],
  ])(
    'failure 4: when it sells %s by no more than %j, because something would be used and not charged',
    (operation, units) => {
      const price = Object.fromEntries(units.map((unit) => [unit, one]))
      expect(check({ operation, price })).toThrow(RangeError)
      expect(check({ operation, price })).toThrow(/m-1 on cerebras/)
    },
  )

  it.each<[Operation, readonly Unit[]]>([
    ['chat', ['input_token', 'output_token']],
    ['chat', ['input_token', 'cached_input_token', 'output_token', 'request']],
    ['chat', ['input_token', 'input_audio_token', 'cache_write_1h_token', 'reasoning_token', 'output_token']],
    ['chat', ['compute_second']],
    ['chat', ['compute_second:gpu-t4', 'compute_second:gpu-l40s']],
    ['embeddings', ['input_token']],
    ['embeddings', ['compute_second']],
    ['images', ['output_image']],
    ['images', ['output_image:1024x1024:hd', 'output_image:1024x1024']],
    ['images', ['megapixel']],
    ['images', ['compute_second']],
    ['images', ['request']],
    ['images', ['input_token', 'output_token']],
    ['images', ['input_token', 'output_image_token']],
  ])('but not when it sells %s by %j', (operation, units) => {
    expect(check({ operation, price: Object.fromEntries(units.map((unit) => [unit, one])) })).not.toThrow()
  })

  it.each<[Operation, string]>([
    ['chat', 'output_image'],
    ['chat', 'character'],
    ['embeddings', 'output_token'],
    ['images', 'audio_second'],
    ['completions', 'web_search_request'],
    ['moderations', 'output_token'],
    ['speech', 'audio_second'],
    ['transcriptions', 'input_audio_token'],
  ])('when it sells %s by %s too, which nothing in a request bounds', (operation, unit) => {
    const bases: Record<Operation, Price> = {
      chat: tokens,
      completions: tokens,
      embeddings: { input_token: one },
      images: { megapixel: one },
      moderations: { request: one },
      speech: { character: one },
      transcriptions: { audio_second: one },
    }
    expect(check({ operation, price: { ...bases[operation], [unit]: one } })).toThrow(
      `m-1 on cerebras has a price for "${unit}", which nothing in a request for ${operation} bounds.`,
    )
  })

  it.each([
    'tokens',
    'output_image:9999x9999',
    'output_image:1024x1024:best',
    'compute_second:',
    '__proto__x',
  ])('failure 4: when it has a price for "%s", which is no unit', (unit) => {
    expect(check({ price: { ...tokens, [unit]: one } })).toThrow(`"${unit}", which is no unit`)
  })

  it.each<[string, unknown]>([
    ['is negative', { nano: -1n, per: 1_000_000n }],
    ['is negative by its denominator', { nano: 1n, per: -1n }],
    ['divides by zero', { nano: 1n, per: 0n }],
    ['is not a number', { nano: Number.NaN, per: 1n }],
    ['is a float', { nano: 0.5, per: 1n }],
    ['is text', { nano: '1', per: 1n }],
  ])('failure 26: when a rate %s', (_case, wrong) => {
    const bad = wrong as Rate
    const named = /m-1 on cerebras .*"output_token"/
    expect(check({ price: { ...tokens, output_token: bad } })).toThrow(named)
    expect(check({ price: { ...tokens, request: bad } })).toThrow(RangeError)
    expect(check({ tiers: tiersWith({ output_token: bad }).longContext })).toThrow(named)
    expect(check({ tiers: tiersWith({ output_token: bad }).service })).toThrow(named)
    expect(check({ tiers: tiersWith({ output_token: bad }).both })).toThrow(named)
  })

  it.each<[Unit, Rate, Rate]>([
    ['output_token', perMillion('10000'), perMillion('10000.000001')],
    ['input_token', rate('0.01', '1'), rate('0.010000000000001', '1')],
    ['compute_second', perUnit('1'), perUnit('1.01')],
    ['request', perUnit('100'), perUnit('100.01')],
  ])('failure 26: when %s costs more than is believable anywhere', (unit, dearest, tooDear) => {
    expect(check({ price: { ...tokens, [unit]: dearest } })).not.toThrow()
    expect(check({ price: { ...tokens, [unit]: tooDear } })).toThrow(`"${unit}" that is too high to be meant`)
  })

  it('failure 26: when cached input is dearer than input, which is a mistake in the list', () => {
    expect(check({ price: { ...tokens, cached_input_token: perMillion('1.01') } })).toThrow(/cached/)
    expect(check({ price: { ...tokens, cached_input_token: perMillion('1') } })).not.toThrow()
  })

  it('but not for a rate of zero, which says that something is free', () => {
    expect(check({ price: { ...tokens, input_token: perMillion('0') } })).not.toThrow()
  })

  it('when images have prices by size and for any size', () => {
    const price: Price = { output_image: one, 'output_image:1024x1024': one }
    expect(check({ operation: 'images', price })).toThrow(/one or the other/)
  })

  it('when nothing bounds what it sells', () => {
    expect(check({ price: { ...tokens, web_search_request: one } })).toThrow(/limits\.webSearches/)
    expect(check({ price: { ...tokens, web_search_request: one }, limits: { webSearches: 0 } })).not.toThrow()
    expect(check({ operation: 'images', price: tokens, limits: {} })).toThrow(/limits\.outputTokens/)
  })

  it.each([[[200_000, 200_000]], [[200_000, 128_000]], [[0]], [[-1]], [[0.5]], [[Number.NaN]]])(
    'when its long-context tiers begin at %j',
    (bounds) => {
      const longContext = bounds.map((overInputTokens) => ({ overInputTokens, price: tokens }))
      expect(check({ tiers: { longContext } })).toThrow(/do not rise/)
      expect(check({ tiers: { service: { flex: { price: tokens, longContext } } } })).toThrow(/do not rise/)
    },
  )

  it.each(['FLEX', 'a tier', ''])('when a service tier is called "%s"', (tier) => {
    expect(check({ tiers: { service: { [tier]: { price: tokens } } } })).toThrow(/service tier/)
  })
})

/** A price in each kind of tier. */
function tiersWith(price: Price): Readonly<Record<'longContext' | 'service' | 'both', PriceTiers>> {
  const longContext = [{ overInputTokens: 1000, price }]
  return {
    longContext: { longContext },
    service: { service: { flex: { price } } },
    both: { service: { flex: { price: {}, longContext } } },
  }
}
