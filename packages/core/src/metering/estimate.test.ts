import { describe, expect, it } from 'vitest'
import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { openaiImages } from '../dialects/openai-images.ts'
import { perMillion, perUnit } from '../money.ts'
import type { Price } from '../price.ts'
import { estimateUsage, megapixels, tokensOf } from './estimate.ts'

const price = perMillion('1')

function target(unitPrice: Price, computeSeconds?: number): Target {
  return {
    targetId: 'p/m',
    providerId: 'p',
    providerModel: 'm',
    model: 'acme/m',
    operation: 'chat',
    price: unitPrice,
    limits: computeSeconds === undefined ? {} : { computeSeconds },
    priceVersion: 'v1',
    source: 'https://example.com/pricing',
    readOn: '2026-01-31',
  }
}

const chat: InferenceCall = openaiChat.parse({
  value: { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }], n: 2 },
  source: undefined,
  byteLength: 101,
})

function images(members: object): InferenceCall {
  const value = { model: 'acme/i', prompt: 'a cat', ...members }
  return openaiImages.parse({ value, source: undefined, byteLength: 50 })
}

describe('an estimate of usage', () => {
  it('takes four bytes for a token, rounded up, and output as it was guessed', () => {
    const quantities = estimateUsage(chat, target({ input_token: price, output_token: price }), {
      outputTokens: 7,
    })
    expect(quantities).toEqual({ input_token: 26n, output_token: 7n })
    expect([tokensOf(0), tokensOf(1), tokensOf(4), tokensOf(5)]).toEqual([0, 1, 1, 2])
  })

  it('takes a picture for a picture, however many bytes it has in the body', () => {
    const url = `data:image/png;base64,${'A'.repeat(1_000_000)}`
    const content = [{ type: 'image_url', image_url: { url } }]
    const value = { model: 'acme/m', messages: [{ role: 'user', content }] }
    const byteLength = JSON.stringify(value).length
    const call = openaiChat.parse({ value, source: undefined, byteLength })
    const { input_token: tokens } = estimateUsage(call, target({ input_token: price }), { outputTokens: 0 })
    expect(tokens).toBeGreaterThan(1000n)
    expect(tokens).toBeLessThan(1200n)
  })

  it('is never more than the model takes and writes, nor longer than the caller lets an answer be', () => {
    const priced = target({ input_token: price, output_token: price })
    const small = { ...priced, limits: { contextTokens: 20, outputTokens: 10 } }
    const estimate = (call: InferenceCall) => estimateUsage(call, small, { outputTokens: 1000 })
    expect(estimate(chat)).toEqual({ input_token: 20n, output_token: 20n })
    expect(estimate({ ...chat, outputTokensMax: 3 })).toEqual({ input_token: 20n, output_token: 6n })
  })

  it('is in the units the price knows, and never takes a prompt for cached', () => {
    const cached = target({ input_token: price, cached_input_token: price, output_token: price })
    expect(estimateUsage(chat, cached, { outputTokens: 0 })).not.toHaveProperty('cached_input_token')
    expect(
      estimateUsage(images({ n: 3 }), target({ output_image: perUnit('1') }), { outputTokens: 9 }),
    ).toEqual({
      output_image: 3n,
    })
    expect(
      estimateUsage(chat, target({ compute_second: perUnit('1'), request: price }, 60), { outputTokens: 9 }),
    ).toEqual({
      compute_second: '60',
      request: 1n,
    })
  })
})

describe('megapixels', () => {
  it.each([
    [{}, '1.04857600'],
    [{ size: '1000x1000' }, '1.00000000'],
    [{ size: '1000x1000', steps: 1 }, '0.25000000'],
    [{ size: '1000x1000', steps: 28, n: 2 }, '14.00000000'],
    [{ size: '512x512', n: 10 }, '2.62144000'],
  ])('of %j are %s, weighted by steps', (members, expected) => {
    expect(megapixels(images(members))).toBe(expected)
  })
})
