import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { perMillion, perUnit, type Rate, rate, usd } from './money.ts'
import { charge, type Price, type TargetPrice, UnpricedUnitError } from './price.ts'
import { countTokens, rateKnown, rateUsage, UnpricedTierError } from './rate-usage.ts'
import type { Unit } from './unit.ts'
import type { Quantities } from './usage.ts'

const sonnet: Price = {
  input_token: perMillion('3'),
  cached_input_token: perMillion('0.3'),
  cache_write_5m_token: perMillion('3.75'),
  cache_write_1h_token: perMillion('6'),
  output_token: perMillion('15'),
}
const gemini: TargetPrice = {
  price: {
    input_token: perMillion('1.25'),
    cached_input_token: perMillion('0.125'),
    output_token: perMillion('10'),
  },
  tiers: {
    longContext: [
      {
        overInputTokens: 200_000,
        price: {
          input_token: perMillion('2.5'),
          cached_input_token: perMillion('0.25'),
          output_token: perMillion('15'),
        },
      },
    ],
  },
}
const gpt: TargetPrice = {
  price: {
    input_token: perMillion('2.5'),
    cached_input_token: perMillion('0.25'),
    output_token: perMillion('15'),
  },
  tiers: {
    longContext: [
      { overInputTokens: 272_000, price: { input_token: perMillion('5'), output_token: perMillion('22.5') } },
    ],
    service: {
      flex: { price: { input_token: perMillion('1.25'), output_token: perMillion('7.5') } },
      batch: {
        price: { input_token: perMillion('1.25'), output_token: perMillion('7.5') },
        longContext: [
          {
            overInputTokens: 272_000,
            price: { input_token: perMillion('2.5'), output_token: perMillion('11.25') },
          },
        ],
      },
      priority: {
        price: {
          input_token: perMillion('5'),
          cached_input_token: perMillion('0.5'),
          output_token: perMillion('30'),
        },
      },
    },
  },
}
const flat = (price: Price): TargetPrice => ({ price })

describe('rating', () => {
  it.each<[string, Quantities, TargetPrice, string]>([
    [
      '(a) a short answer of gpt-oss-120b on Cerebras',
      { input_token: 74n, output_token: 36n },
      flat({ input_token: perMillion('0.35'), output_token: perMillion('0.75') }),
      '0.0000529',
    ],
    [
      '(b) cache reads and writes of claude-sonnet-4-5',
      { input_token: 20n, cached_input_token: 1000n, cache_write_5m_token: 500n, output_token: 12n },
      flat(sonnet),
      '0.002415',
    ],
    ['(c) a long prompt of gpt-5.4', { input_token: 300_000n, output_token: 1000n }, gpt, '1.5225'],
    [
      '(d) reasoning beside the output of grok-3-mini',
      { input_token: 1n, cached_input_token: 11n, output_token: 2n, reasoning_token: 340n },
      flat({
        input_token: perMillion('0.3'),
        cached_input_token: perMillion('0.075'),
        output_token: perMillion('0.5'),
      }),
      '0.000172125',
    ],
    [
      '(e) cache writes without a time to live of gpt-5.6-sol',
      { input_token: 8n, cache_write_token: 4012n, output_token: 5n },
      flat({
        input_token: perMillion('5'),
        cached_input_token: perMillion('0.5'),
        cache_write_token: perMillion('6.25'),
        output_token: perMillion('30'),
      }),
      '0.025265',
    ],
    [
      '(f) seconds with a fraction',
      { compute_second: '3.008' },
      flat({ compute_second: perUnit('0.03') }),
      '0.09024',
    ],
  ])('gives what is known of %s', (_name, quantities, target, expected) => {
    expect(rateUsage(quantities, target)).toBe(usd(expected))
  })

  it('failure 10: charges cached tokens once, at their own rate', () => {
    const usage = { input_token: 1000n, cached_input_token: 100_000n, output_token: 0n }
    expect(rateUsage(usage, flat(sonnet))).toBe(usd('0.033'))
    expect(rateUsage(usage, flat({ input_token: perMillion('3'), output_token: perMillion('15') }))).toBe(
      usd('0.303'),
    )
  })

  it.each<[string, Quantities, string]>([
    ['five minutes', { input_token: 0n, cache_write_5m_token: 1_000_000n }, '3.75'],
    ['an hour', { input_token: 0n, cache_write_1h_token: 1_000_000n }, '6'],
    ['both', { input_token: 0n, cache_write_5m_token: 500_000n, cache_write_1h_token: 500_000n }, '4.875'],
    [
      'a time nobody told, which is the five minutes of the default',
      { cache_write_token: 1_000_000n },
      '3.75',
    ],
  ])('failure 11: charges cache writes for %s', (_case, quantities, expected) => {
    expect(rateUsage(quantities, flat(sonnet))).toBe(usd(expected))
  })

  it('failure 11: never charges an hour at the rate of five minutes', () => {
    const { cache_write_1h_token: _hour, ...fiveMinutesOnly } = sonnet
    const anHour = { input_token: 1n, cache_write_1h_token: 1n, output_token: 1n }
    expect(() => rateUsage(anHour, flat(fiveMinutesOnly))).toThrow(UnpricedUnitError)
    const { cache_write_5m_token: _write, ...none } = fiveMinutesOnly
    expect(() => rateUsage(anHour, flat({ ...none, cache_write_token: perMillion('3.75') }))).toThrow(
      UnpricedUnitError,
    )
    // A list without any price for writes charges them as the input they are.
    expect(rateUsage(anHour, flat(none))).toBe(rateUsage({ input_token: 2n, output_token: 1n }, flat(none)))
  })

  it('failure 11: charges five minutes at the rate of writes where a list has one rate for all', () => {
    const one: Price = { ...gemini.price, cache_write_token: perMillion('7') }
    expect(rateUsage({ cache_write_5m_token: 1_000_000n, output_token: 0n }, flat(one))).toBe(usd('7'))
    const hourOnly: Price = { ...gemini.price, cache_write_1h_token: perMillion('7') }
    expect(() => rateUsage({ cache_write_5m_token: 1n }, flat(hourOnly))).toThrow(UnpricedUnitError)
    expect(() => rateUsage({ cache_write_token: 1n }, flat(hourOnly))).toThrow(UnpricedUnitError)
  })

  it('failure 12: charges reasoning once: as output, or at a rate of its own', () => {
    const usage = { input_token: 0n, output_token: 100n, reasoning_token: 900n }
    const price = { input_token: perMillion('1'), output_token: perMillion('10') }
    expect(rateUsage(usage, flat(price))).toBe(usd('0.01'))
    expect(rateUsage(usage, flat({ ...price, reasoning_token: perMillion('20') }))).toBe(usd('0.019'))
  })

  it('failure 13: charges audio and images at their own rates, cached ones too', () => {
    const price: Price = {
      input_token: perMillion('5'),
      cached_input_token: perMillion('1.25'),
      input_image_token: perMillion('10'),
      cached_input_image_token: perMillion('2.5'),
      input_audio_token: perMillion('40'),
      cached_input_audio_token: perMillion('2'),
      output_token: perMillion('20'),
      output_audio_token: perMillion('80'),
      output_image_token: perMillion('30'),
    }
    const one = (unit: Unit) => rateUsage({ [unit]: 1_000_000n }, flat(price))
    for (const [unit, each] of Object.entries(price)) {
      expect([unit, one(unit as Unit)]).toEqual([unit, (each as Rate).nano])
    }
  })

  it('failure 13: refuses a price for cached audio when two rates could hold and the list names neither', () => {
    const price: Price = {
      ...gemini.price,
      input_audio_token: perMillion('1'),
    }
    expect(() => rateUsage({ cached_input_audio_token: 1n }, flat(price))).toThrow(UnpricedUnitError)
    const uncached: Price = {
      input_token: perMillion('0.3'),
      input_audio_token: perMillion('1'),
      output_token: perMillion('2'),
    }
    expect(rateUsage({ cached_input_audio_token: 1_000_000n }, flat(uncached))).toBe(usd('1'))
    expect(rateUsage({ cached_input_image_token: 1_000_000n }, flat(gemini.price))).toBe(usd('0.125'))
  })

  it('failure 13: charges seconds of audio with their fraction', () => {
    const whisper = flat({ audio_second: rate('0.111', '3600') })
    expect(rateUsage({ audio_second: '12.75' }, whisper)).toBe(393_125n)
    expect(rateUsage({ audio_second: '12' }, whisper)).toBe(370_000n)
    expect(rateUsage({ character: 1_000n }, flat({ character: perMillion('15') }))).toBe(usd('0.015'))
  })

  it('failure 13: charges images by size and quality, and no other size at the price of one', () => {
    const dallE = flat({
      'output_image:1024x1024:standard': perUnit('0.04'),
      'output_image:1024x1792:standard': perUnit('0.08'),
      'output_image:1024x1024:hd': perUnit('0.08'),
      'output_image:1024x1792:hd': perUnit('0.12'),
    })
    const image = (size: string) => rateUsage({ output_image: 2n, [`output_image:${size}`]: 2n }, dallE)
    expect(image('1024x1024:standard')).toBe(usd('0.08'))
    expect(image('1024x1792:hd')).toBe(usd('0.24'))
    expect(image('1792x1024:hd')).toBe(usd('0.24'))
    expect(() => image('512x512:standard')).toThrow(UnpricedUnitError)
    expect(() => rateUsage({ output_image: 1n }, dallE)).toThrow(UnpricedUnitError)
    const anyQuality = flat({ 'output_image:1024x1024': perUnit('0.05') })
    expect(rateUsage({ 'output_image:1024x1024:hd': 1n }, anyQuality)).toBe(usd('0.05'))
  })

  it('charges seconds by what they ran on, and only where there is no doubt', () => {
    const two = flat({
      'compute_second:gpu-t4': perUnit('0.000225'),
      'compute_second:gpu-l40s': perUnit('0.000975'),
    })
    expect(rateUsage({ 'compute_second:gpu-l40s': '2' }, two)).toBe(1_950_000n)
    expect(() => rateUsage({ 'compute_second:gpu-h100': '2' }, two)).toThrow(UnpricedUnitError)
    expect(() => rateUsage({ compute_second: '2' }, two)).toThrow(UnpricedUnitError)
    expect(rateUsage({ compute_second: '2' }, flat({ 'compute_second:gpu-t4': perUnit('0.000225') }))).toBe(
      450_000n,
    )
    expect(rateUsage({ 'compute_second:gpu-t4': '2' }, flat({ compute_second: perUnit('0.001') }))).toBe(
      2_000_000n,
    )
  })
})

describe('what counts', () => {
  it('is what the price is for; other measures of the same work are left out', () => {
    const measured = { input_token: 5n, output_token: 9n, compute_second: '2.5', output_image: 1n }
    expect(rateUsage(measured, flat({ compute_second: perUnit('0.001') }))).toBe(2_500_000n)
    expect(rateUsage(measured, flat({ output_image: perUnit('0.003') }))).toBe(usd('0.003'))
    expect(
      rateUsage(measured, flat({ output_image: perUnit('0.003'), compute_second: perUnit('0.001') })),
    ).toBe(5_500_000n)
  })

  it('failure 4: is never nothing where something was used: then there is no price', () => {
    expect(() => rateUsage({ output_image: 1n }, flat(sonnet))).toThrow(UnpricedUnitError)
    expect(() => rateUsage({ input_token: 1n, output_token: 1n }, flat({ megapixel: perUnit('1') }))).toThrow(
      UnpricedUnitError,
    )
    expect(rateUsage({ output_image: 0n, compute_second: '1.5' }, flat({ output_image: perUnit('1') }))).toBe(
      0n,
    )
    expect(rateUsage({}, flat(sonnet))).toBe(0n)
  })

  it('failure 4: is every unit that is known, and no unit that is not', () => {
    const unknown = { input_token: 1n, output_token: 1n, video_token: 1n } as Quantities
    expect(() => rateUsage(unknown, flat(sonnet))).toThrow('There is no price for "video_token".')
    expect(() =>
      rateUsage({ input_token: 1n, output_token: 1n }, flat({ input_token: perMillion('1') })),
    ).toThrow(UnpricedUnitError)
  })

  it('failure 4: is a web search also where the price does not name it', () => {
    const usage = { input_token: 1n, output_token: 1n, web_search_request: 2n }
    expect(() => rateUsage(usage, flat(sonnet))).toThrow(UnpricedUnitError)
    const search = { ...sonnet, web_search_request: rate('10', '1000') }
    expect(rateUsage({ ...usage, input_token: 0n, output_token: 0n }, flat(search))).toBe(usd('0.02'))
  })

  it('costs the same as all that counts by itself', () => {
    const units: readonly Unit[] = ['input_token', 'cached_input_token', 'output_token', 'reasoning_token']
    const quantity = fc.bigInt(0n, 1_000_000n)
    fc.assert(
      fc.property(fc.tuple(quantity, quantity, quantity, quantity), quantity, (tokens, images) => {
        const quantities = Object.fromEntries(units.map((unit, index) => [unit, tokens[index] ?? 0n]))
        expect(rateUsage({ ...quantities, output_image: images }, gpt)).toBe(rateUsage(quantities, gpt))
        expect(rateUsage(quantities, flat(sonnet))).toBe(charge(quantities, sonnet))
      }),
    )
  })
})

describe('a long prompt', () => {
  const cost = (input: bigint, cached = 0n, written = 0n) =>
    rateUsage(
      { input_token: input, cached_input_token: cached, cache_write_token: written, output_token: 1000n },
      gemini,
    )

  it.each([
    [199_999n, usd('0.25999875')],
    [200_000n, usd('0.26')],
    [200_001n, usd('0.5150025')],
  ])('failure 14: of %i tokens has one price for all of it', (tokens, expected) => {
    expect(cost(tokens)).toBe(expected)
  })

  it.each([
    [99_999n, 100_000n, 0n, usd('0.14749875')],
    [100_000n, 100_000n, 0n, usd('0.1475')],
    [100_001n, 100_000n, 0n, usd('0.2900025')],
    [1n, 200_000n, 0n, usd('0.0650025')],
    [0n, 200_001n, 0n, usd('0.06500025')],
    [0n, 100_000n, 100_001n, usd('0.2900025')],
  ])(
    'failure 14: counts cached tokens, read and written: %i, %i and %i',
    (input, cached, written, expected) => {
      expect(cost(input, cached, written)).toBe(expected)
    },
  )

  it('failure 14: is measured by input alone, however long the answer is', () => {
    const usage = { input_token: 1n, output_token: 500_000n, reasoning_token: 500_000n }
    expect(rateUsage(usage, gemini)).toBe(rateUsage(usage, flat(gemini.price)))
  })

  it('failure 14: has the price of the last tier it reaches, and the list price for what a tier does not name', () => {
    const steps: TargetPrice = {
      price: { input_token: perMillion('1'), output_token: perMillion('7') },
      tiers: {
        longContext: [128_000, 200_000].map((overInputTokens, index) => ({
          overInputTokens,
          price: { input_token: perMillion(String(2 + index)) },
        })),
      },
    }
    const of = (tokens: bigint) => rateUsage({ input_token: tokens, output_token: 1_000_000n }, steps)
    expect(of(128_000n)).toBe(usd('7.128'))
    expect(of(128_001n)).toBe(usd('7.256002'))
    expect(of(200_000n)).toBe(usd('7.4'))
    expect(of(200_001n)).toBe(usd('7.600003'))
  })
})

describe('a service tier', () => {
  const usage = { input_token: 1_000_000n / 4n, output_token: 1_000_000n }

  it.each([
    ['flex', usd('7.8125')],
    ['batch', usd('7.8125')],
    ['priority', usd('31.25')],
    ['default', usd('15.625')],
    ['standard', usd('15.625')],
    ['auto', usd('15.625')],
    ['on_demand', usd('15.625')],
    [undefined, usd('15.625')],
  ])('failure 14: that was served as %s decides the price', (serviceTier, expected) => {
    expect(rateUsage(usage, gpt, { serviceTier })).toBe(expected)
  })

  it('failure 14: keeps the list price for units it does not name', () => {
    const cached = { cached_input_token: 200_000n, output_token: 0n }
    expect(rateUsage(cached, gpt, { serviceTier: 'flex' })).toBe(usd('0.05'))
    expect(rateUsage(cached, gpt, { serviceTier: 'priority' })).toBe(usd('0.1'))
  })

  it('failure 14: has a price of its own for long prompts, or none', () => {
    const long = { input_token: 272_001n, output_token: 0n }
    expect(rateUsage(long, gpt, { serviceTier: 'batch' })).toBe(680_002_500n)
    expect(() => rateUsage(long, gpt, { serviceTier: 'flex' })).toThrow(UnpricedTierError)
    expect(rateUsage({ ...long, input_token: 272_000n }, gpt, { serviceTier: 'flex' })).toBe(usd('0.34'))
  })

  it.each(['scale', 'ultrafast', 'toString', '__proto__'])(
    'failure 14: without a price is not sold at another one: %s',
    (serviceTier) => {
      expect(() => rateUsage(usage, gpt, { serviceTier })).toThrow(UnpricedTierError)
      expect(() => rateUsage(usage, flat(gpt.price), { serviceTier })).toThrow(UnpricedTierError)
    },
  )
})

describe('rating what has happened', () => {
  it('is the price where there is one', () => {
    expect(rateKnown({ input_token: 200_000n, output_token: 0n }, gpt, { serviceTier: 'priority' })).toEqual({
      cost: usd('1'),
    })
  })

  it('takes tokens without a price for ordinary ones, and says so', () => {
    const { cache_write_1h_token: _hour, ...lacking } = sonnet
    const usage = { input_token: 0n, cache_write_1h_token: 1_000_000n, output_token: 0n }
    const { cost, unpriced } = rateKnown(usage, flat(lacking))
    expect(cost).toBe(usd('3'))
    expect(unpriced).toMatchObject({ unit: 'cache_write_1h_token' })
  })

  it('takes the list price for a tier without one, also of a long prompt, and says so', () => {
    const usage = { input_token: 300_000n, output_token: 1000n }
    for (const serviceTier of ['ultrafast', 'flex']) {
      const { cost, unpriced } = rateKnown(usage, gpt, { serviceTier })
      expect(cost).toBe(usd('1.5225'))
      expect(unpriced).toMatchObject({ serviceTier })
    }
  })

  it('keeps the tier when only a unit has no price', () => {
    const usage = { input_token: 1_000_000n / 5n, output_token: 0n, web_search_request: 1n }
    const { cost, unpriced } = rateKnown(usage, gpt, { serviceTier: 'priority' })
    expect(cost).toBe(usd('1'))
    expect(unpriced).toMatchObject({ unit: 'web_search_request' })
  })

  it('does not hide a quantity that is none', () => {
    expect(() => rateKnown({ input_token: -1n }, gpt)).toThrow(RangeError)
  })
})

describe('the tokens of a side', () => {
  it('are those of all its classes', () => {
    const quantities: Quantities = {
      input_token: 1n,
      cached_input_token: 2n,
      cache_write_1h_token: 4n,
      input_audio_token: 8n,
      output_token: 16n,
      reasoning_token: 32n,
      compute_second: '7',
      output_image: 1n,
    }
    expect(countTokens(quantities, 'input')).toBe(15n)
    expect(countTokens(quantities, 'output')).toBe(48n)
  })

  it('are counted when they are told as decimals too: a tier begins with any part of a token more', () => {
    expect(countTokens({ input_token: '200000', cached_input_token: '0.000' }, 'input')).toBe(200_000n)
    expect(countTokens({ input_token: '199999.5', cached_input_token: 1n }, 'input')).toBe(200_001n)
    const told = { input_token: '200001', output_token: '1000' }
    expect(rateUsage(told, gemini)).toBe(rateUsage({ input_token: 200_001n, output_token: 1000n }, gemini))
  })
})
