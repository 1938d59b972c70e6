import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boundsOf } from '../catalog/bounds.ts'
import type { Target, TargetLimits } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { openaiEmbeddings } from '../dialects/openai-embeddings.ts'
import { openaiImages } from '../dialects/openai-images.ts'
import { nano, perMillion, perUnit, rate, usd } from '../money.ts'
import { charge, type Price, type TargetPrice } from '../price.ts'
import { rateKnown } from '../rate-usage.ts'
import type { Unit } from '../unit.ts'
import type { Quantities } from '../usage.ts'
import { affordableOutput, ceiling, dearest, keepsLimitItself, outputLimit } from './ceiling.ts'

const defaults = { outputTokens: 4096 }
const price: Price = { input_token: perMillion('0.35'), output_token: perMillion('0.75') }

function targetOf(limits: TargetLimits = {}, unitPrice: Price = price): Target {
  return {
    targetId: 'p/m',
    providerId: 'p',
    providerModel: 'm',
    model: 'acme/m',
    operation: 'chat',
    price: unitPrice,
    limits,
    priceVersion: 'v1',
    source: 'https://example.com/pricing',
    readOn: '2026-01-31',
  }
}

function chat(members: object = {}): InferenceCall {
  const value = { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }], ...members }
  return openaiChat.parse({ value, source: undefined, byteLength: Buffer.byteLength(JSON.stringify(value)) })
}

describe('the limit of an answer', () => {
  it.each<[number | undefined, TargetLimits, number, boolean]>([
    [100, {}, 100, false],
    [100, { outputTokens: 50 }, 50, false],
    [100, { outputTokens: 500 }, 100, false],
    [9000, {}, 4096, false],
    [undefined, {}, 4096, false],
    [undefined, { outputTokens: 9000 }, 9000, true],
    [undefined, { contextTokens: 8000 }, 8000, true],
    [undefined, { contextTokens: 8000, outputTokens: 500 }, 500, true],
  ])('asked for %s at a target with %j is %i', (asked, limits, expected, keepsIt) => {
    const call = chat(asked === undefined ? {} : { max_tokens: asked })
    expect(outputLimit(call, targetOf(limits), defaults)).toBe(expected)
    expect(keepsLimitItself(call, targetOf(limits))).toBe(keepsIt)
  })
})

describe('the ceiling', () => {
  it('is never below what a prompt costs, into whatever tokens its bytes are cut', () => {
    const prompts = fc.array(fc.string({ unit: 'binary', maxLength: 200 }), { minLength: 1, maxLength: 5 })
    const rates = fc.tuple(fc.bigInt(1n, 10n ** 13n), fc.bigInt(1n, 10n ** 13n))
    fc.assert(
      fc.property(
        prompts,
        rates,
        fc.nat({ max: 5000 }),
        fc.nat(),
        fc.nat(),
        (texts, [input, output], limit, cut, share) => {
          const call = chat({
            messages: texts.map((content) => ({ role: 'user', content })),
            max_tokens: limit + 1,
          })
          const target = targetOf(
            {},
            {
              input_token: { nano: input, per: 1_000_000n },
              cached_input_token: { nano: input / 10n, per: 1_000_000n },
              output_token: { nano: output, per: 1_000_000n },
            },
          )
          // A tokenizer can make a token of every byte, and the template adds its own.
          const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
          const tokens = BigInt(Math.max(1, Math.ceil(bytes / (1 + (cut % 5)))) + 70 + 8 * texts.length)
          const cached = BigInt(share) % (tokens + 1n)
          const actual = charge(
            { input_token: tokens - cached, cached_input_token: cached, output_token: BigInt(limit + 1) },
            target.price,
          )
          expect(ceiling(call, target, outputLimit(call, target, { outputTokens: 10_000 })) >= actual).toBe(
            true,
          )
        },
      ),
    )
  })

  it('counts every answer that was asked for', () => {
    const free: Price = { input_token: perMillion('0'), output_token: perMillion('1') }
    expect(ceiling(chat({ n: 3 }), targetOf({}, free), 1000)).toBe(3_000_000n)
  })

  it('is no more than the context holds', () => {
    const call = chat({ messages: [{ role: 'user', content: 'x'.repeat(100_000) }] })
    expect(ceiling(call, targetOf({ contextTokens: 1000 }), 0)).toBe(charge({ input_token: 1000n }, price))
  })

  it('counts images in the prompt as the catalog says, or generously', () => {
    const part = { type: 'image_url', image_url: { url: 'https://example.com/cat.png' } }
    const call = chat({ messages: [{ role: 'user', content: [part, part] }] })
    const without = charge({ input_token: BigInt(call.inputTokensMax) }, price)
    expect(ceiling(call, targetOf({ imageInputTokens: 100 }), 0)).toBe(
      charge({ input_token: BigInt(call.inputTokensMax + 200) }, price),
    )
    expect(ceiling(call, targetOf(), 0) > without).toBe(true)
  })

  it('is for all inputs of an embeddings call, each within the context', () => {
    const value = { model: 'acme/e', input: ['x'.repeat(1000), 'y', 'z'] }
    const call = openaiEmbeddings.parse({ value, source: undefined, byteLength: 1100 })
    const target = targetOf({ contextTokens: 10 }, { input_token: perMillion('1') })
    expect(ceiling(call, target, 0)).toBe(30_000n)
  })

  it.each<[Price, bigint]>([
    [{ output_image: perUnit('0.003') }, 6_000_000n],
    [{ megapixel: perUnit('0.0027') }, 5_400_000n],
    [{ request: perUnit('0.01') }, 10_000_000n],
    [{ compute_second: perUnit('0.001') }, 120_000_000n],
    [{ output_image: perUnit('0.003'), request: perUnit('0.01') }, 16_000_000n],
  ])('of two images of a megapixel is exact in the units of the price (%#)', (unitPrice, expected) => {
    const value = { model: 'acme/i', prompt: 'a cat', n: 2, size: '1000x1000' }
    const call = openaiImages.parse({ value, source: undefined, byteLength: 100 })
    expect(ceiling(call, targetOf({ computeSeconds: 60 }, unitPrice), 0)).toBe(expected)
  })

  it('takes ten minutes for a job whose end nobody knows', () => {
    expect(ceiling(chat(), targetOf({}, { compute_second: perUnit('0.001') }), 0)).toBe(600_000_000n)
  })
})

describe('failure 14: the ceiling of a price with tiers and classes', () => {
  const rateOf = fc.bigInt(0n, 10n ** 10n).map((amount) => ({ nano: amount, per: 1_000_000n }))
  const inputUnits = [
    'input_token',
    'cached_input_token',
    'cache_write_5m_token',
    'cache_write_1h_token',
    'cache_write_token',
    'input_audio_token',
    'cached_input_audio_token',
    'input_image_token',
    'cached_input_image_token',
  ] as const
  const outputUnits = ['output_token', 'reasoning_token', 'output_audio_token', 'output_image_token'] as const
  const anyPrice = fc.record(
    Object.fromEntries([...inputUnits, ...outputUnits].map((unit) => [unit, rateOf])) as Record<
      Unit,
      typeof rateOf
    >,
    { requiredKeys: ['input_token', 'output_token'] },
  )
  const somePrice = fc.record(
    Object.fromEntries([...inputUnits, ...outputUnits].map((unit) => [unit, rateOf])) as Record<
      Unit,
      typeof rateOf
    >,
    { requiredKeys: [] },
  )
  const ladder = fc
    .tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 400 }), somePrice, somePrice)
    .map(([first, step, one, other]) => [
      { overInputTokens: first, price: one },
      { overInputTokens: first + step, price: other },
    ])
  const tiered: fc.Arbitrary<TargetPrice> = fc.record(
    {
      price: anyPrice,
      tiers: fc.record(
        {
          longContext: ladder,
          service: fc.dictionary(
            fc.constantFrom('flex', 'priority', 'batch'),
            fc.record({ price: somePrice, longContext: ladder }, { requiredKeys: ['price'] }),
          ),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['price'] },
  )

  it('is never below what any classes of tokens cost in any tier that can be served', () => {
    const shares = fc.array(fc.nat({ max: 1000 }), { minLength: 13, maxLength: 13 })
    fc.assert(
      fc.property(
        tiered,
        shares,
        fc.boolean(),
        fc.constantFrom(undefined, 'flex', 'priority', 'batch'),
        fc.integer({ min: 1, max: 300 }),
        (price, parts, hasAudio, serviceTier, outputTokens) => {
          const audio = { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }
          const content = hasAudio ? [audio] : 'Hi'
          const call = chat({ messages: [{ role: 'user', content }], max_tokens: outputTokens })
          const target = { ...targetOf(), ...price, bounds: boundsOf(price) }
          const hears = (unit: string) => hasAudio || !unit.includes('audio')
          const quantities = {
            ...spread(inputUnits.filter(hears), parts, BigInt(call.inputTokensMax)),
            ...spread(outputUnits, parts.slice(9), BigInt(outputTokens)),
          }
          const most = ceiling(call, target, outputTokens)
          expect(rateKnown(quantities, price, { serviceTier }).cost <= most).toBe(true)
          expect(ceiling(call, { ...targetOf(), ...price }, outputTokens)).toBe(most)
        },
      ),
      { numRuns: 2000 },
    )
  })

  /** Splits as many tokens as there can be over some classes. */
  function spread(units: readonly Unit[], parts: readonly number[], tokens: bigint): Quantities {
    const total = BigInt(
      Math.max(
        1,
        parts.slice(0, units.length).reduce((sum, part) => sum + part, 0),
      ),
    )
    let left = tokens
    return Object.fromEntries(
      units.map((unit, index) => {
        const share = index === units.length - 1 ? left : (tokens * BigInt(parts[index] ?? 0)) / total
        left -= share
        return [unit, share]
      }),
    )
  }

  const long: TargetPrice = {
    price,
    tiers: { longContext: [{ overInputTokens: 1000, price: { input_token: perMillion('0.7') } }] },
  }
  const longTarget = { ...targetOf(), ...long, bounds: boundsOf(long) }

  it('is at the list price while the prompt cannot reach a tier, and at the dearer one from there on', () => {
    const text = (bytes: number) => {
      const call = chat({ messages: [{ role: 'user', content: '' }] })
      return { ...call, inputTokensMax: bytes }
    }
    expect(ceiling(text(1000), longTarget, 0)).toBe(charge({ input_token: 1000n }, price))
    expect(ceiling(text(1001), longTarget, 0)).toBe(charge({ input_token: 2002n }, price))
  })

  it('pays at most the amount that an answer is cut to, in the dearest tier', () => {
    const served: TargetPrice = {
      price,
      tiers: { service: { priority: { price: { output_token: perMillion('7.5') } } } },
    }
    const target = { ...targetOf(), ...served, bounds: boundsOf(served) }
    const call = chat()
    const amount = nano(ceiling(call, target, 0) + 7_500_000n)
    expect(affordableOutput(call, target, amount)).toBe(1000)
    expect(affordableOutput(call, targetOf(), amount)).toBe(10_000)
  })

  it('counts audio at its own rate only where there is audio', () => {
    const heard: Price = { ...price, input_audio_token: perMillion('40') }
    const target = { ...targetOf({}, heard), bounds: boundsOf({ price: heard }) }
    const text = chat()
    const spoken = chat({ messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }] })
    expect(ceiling(text, target, 0)).toBe(charge({ input_token: BigInt(text.inputTokensMax) }, price))
    expect(ceiling(spoken, target, 0)).toBe(
      charge({ input_audio_token: BigInt(spoken.inputTokensMax) }, heard),
    )
    const { inputAudios: _looked, ...unlooked } = text
    expect(ceiling(unlooked, target, 0)).toBe(
      charge({ input_audio_token: BigInt(text.inputTokensMax) }, heard),
    )
  })
})

describe('the ceiling in other units', () => {
  const image = (members: object = {}) =>
    openaiImages.parse({
      value: { model: 'acme/i', prompt: 'a cat', n: 2, ...members },
      source: undefined,
      byteLength: 100,
    })

  it('is for the dearest size and quality of an image', () => {
    const sized: Price = {
      'output_image:1024x1024': perUnit('0.04'),
      'output_image:1024x1792:hd': perUnit('0.12'),
    }
    expect(ceiling(image(), targetOf({}, sized), 0)).toBe(usd('0.24'))
  })

  it('is for the dearest hardware', () => {
    const hardware: Price = {
      'compute_second:gpu-t4': perUnit('0.001'),
      'compute_second:gpu-h100': perUnit('0.01'),
    }
    expect(ceiling(image(), targetOf({ computeSeconds: 10 }, hardware), 0)).toBe(usd('0.20'))
  })

  it('is for all tokens an image can have, because it cannot be cut short', () => {
    const byToken: Price = { input_token: perMillion('5'), output_image_token: perMillion('30') }
    const target = targetOf({ outputTokens: 6240 }, byToken)
    const expected = charge({ input_token: 100n, output_image_token: 12_480n }, byToken)
    expect(ceiling(image(), target, 0)).toBe(expected)
    expect(ceiling(image(), target, 16)).toBe(expected)
  })

  it('is for as many web searches as the catalog says', () => {
    const searched: Price = {
      input_token: perMillion('0'),
      output_token: perMillion('0'),
      web_search_request: perUnit('0.01'),
    }
    expect(ceiling(chat({ n: 2 }), targetOf({ webSearches: 5 }, searched), 100)).toBe(usd('0.10'))
  })

  it.each(['character', 'audio_second', 'search_unit'] as const)(
    'is none for a %s, which nothing bounds',
    (unit) => {
      expect(() => ceiling(chat(), targetOf({}, { [unit]: perMillion('15') }), 0)).toThrow(`"${unit}"`)
    },
  )

  it('is of the characters that are spoken', () => {
    const call = { ...chat(), operation: 'speech', characters: 3 } as const
    expect(ceiling(call, targetOf({}, { character: perMillion('15') }), 0)).toBe(45_000n)
  })

  it('is of the seconds that a file plays, or else of the longest file that the provider takes', () => {
    const target = targetOf({ audioSeconds: 60 }, { audio_second: perMillion('1000') })
    const call = { ...chat(), operation: 'transcriptions' } as const
    expect(ceiling({ ...call, audioSeconds: '1.500' }, target, 0)).toBe(1_500_000n)
    expect(ceiling(call, target, 0)).toBe(60_000_000n)
  })
})

describe('dearest', () => {
  it('is the most of several amounts, and nothing of none', () => {
    expect(dearest([nano(3n), nano(7n), nano(5n)])).toBe(7n)
    expect(dearest([])).toBe(0n)
  })
})

describe('the output an amount can pay', () => {
  it('never costs more than the amount, and one token more would take all of it or more', () => {
    const rates = fc.tuple(fc.bigInt(0n, 10n ** 10n), fc.bigInt(1_000_000n, 10n ** 10n))
    fc.assert(
      fc.property(
        rates,
        fc.bigInt(0n, 10n ** 11n),
        fc.integer({ min: 1, max: 4 }),
        ([input, output], amount, n) => {
          const target = targetOf(
            {},
            {
              input_token: { nano: input, per: 1_000_000n },
              output_token: { nano: output, per: 1_000_000n },
            },
          )
          const call = chat({ n })
          const tokens = affordableOutput(call, target, nano(amount))
          if (ceiling(call, target, 0) > amount) expect(tokens).toBe(0)
          else expect(ceiling(call, target, tokens) <= amount).toBe(true)
          expect(ceiling(call, target, tokens + 1) >= amount).toBe(true)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('is exact where the rates are whole nano-USD: the amount, one nano-USD less, one more', () => {
    const target = targetOf({}, { input_token: rate('0', '1'), output_token: perMillion('1000') })
    const amount = usd('0.005')
    expect(affordableOutput(chat(), target, amount)).toBe(5)
    expect(affordableOutput(chat(), target, nano(amount - 1n))).toBe(4)
    expect(affordableOutput(chat(), target, nano(amount + 1n))).toBe(5)
  })

  it('is nothing when the input alone takes all of it, and without limit where output is free', () => {
    const call = chat()
    const input = ceiling(call, targetOf(), 0)
    expect(affordableOutput(call, targetOf(), input)).toBe(0)
    expect(affordableOutput(call, targetOf(), nano(0n))).toBe(0)
    const free = targetOf({}, { ...price, output_token: perMillion('0') })
    expect(affordableOutput(call, free, nano(input + 1n))).toBe(Number.MAX_SAFE_INTEGER)
    const tiny = targetOf(
      {},
      { input_token: rate('0', '1'), output_token: rate('0.000000001', '1000000000') },
    )
    expect(affordableOutput(call, tiny, usd('100000000'))).toBe(Number.MAX_SAFE_INTEGER)
  })
})
