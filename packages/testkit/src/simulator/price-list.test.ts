import { describe, expect, it } from 'vitest'
import { costNanoUsd, defaultPrices, findPrice, tokenQuantities, withDefaultPrices } from './price-list.ts'

function chatCost(price: { input: string; output: string }, input: number, output: number): bigint {
  return costNanoUsd(price, tokenQuantities({ input, output }))
}

describe('costNanoUsd', () => {
  it('charges 52,900 nano-USD for 74 tokens in and 36 out at 0.35 and 0.75 per million', () => {
    expect(chatCost({ input: '0.35', output: '0.75' }, 74, 36)).toBe(52_900n)
  })

  it('rounds the sum up once, not each part', () => {
    // 0.0003 + 0.0003 nano per token: two parts rounded alone would give 2.
    expect(chatCost({ input: '0.0000003', output: '0.0000003' }, 1, 1)).toBe(1n)
    expect(chatCost({ input: '0.0007', output: '0.0007' }, 1, 1)).toBe(2n)
    expect(chatCost({ input: '0.0005', output: '0.0005' }, 1, 1)).toBe(1n)
  })

  it('charges nothing for nothing', () => {
    expect(chatCost({ input: '0.35', output: '0.75' }, 0, 0)).toBe(0n)
  })

  it('charges images by megapixel and steps: 1024 x 1024 at 4 steps is 2,831,156 nano-USD', () => {
    const quantity = { unit: 'megapixel', amount: 1024n * 1024n * 4n, per: 4_000_000n } as const
    expect(costNanoUsd({ megapixel: '0.0027' }, [quantity])).toBe(2_831_156n)
  })

  it('charges compute by the microsecond: 1.234567 s at 0.000975 is 1,203,703 nano-USD', () => {
    const quantity = { unit: 'compute_second', amount: 1_234_567n, per: 1_000_000n } as const
    expect(costNanoUsd({ compute_second: '0.000975' }, [quantity])).toBe(1_203_703n)
  })

  it('stays exact where a double is not', () => {
    expect(chatCost({ input: '123456789.123456789', output: '0' }, 9_007_199_254_740_991, 0)).toBe(
      1_111_999_898_985_515_673_411_414_776n,
    )
  })
})

describe('prices', () => {
  it('refuses a price that is not decimal text', () => {
    expect(() => withDefaultPrices({ cerebras: { x: { input: '1e-3' } } })).toThrow(RangeError)
    expect(() => withDefaultPrices({ cerebras: { x: { input: '-1' } } })).toThrow(RangeError)
  })

  it('prices a simulated model as the first model of the provider and the operation', () => {
    const of = (provider: 'cerebras' | 'together' | 'replicate', operation: 'chat' | 'images') =>
      findPrice(defaultPrices, { provider, model: 'sim/ok', operation })
    expect(of('cerebras', 'chat')).toEqual({ input: '0.35', output: '0.75' })
    expect(of('together', 'images')).toEqual({ megapixel: '0.0027' })
    expect(of('replicate', 'chat')).toEqual({ input: '0.05', output: '0.25' })
  })

  it('does not know other models', () => {
    expect(
      findPrice(defaultPrices, { provider: 'cerebras', model: 'gpt-x', operation: 'chat' }),
    ).toBeUndefined()
    expect(
      findPrice(defaultPrices, { provider: 'cerebras', model: 'toString', operation: 'chat' }),
    ).toBeUndefined()
  })
})
