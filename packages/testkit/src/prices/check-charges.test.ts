import { perMillion, type Quantities, rateUsage, usd } from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { checkCharges } from './check-charges.ts'
import { exactCost } from './exact-cost.ts'
import type { RandomTarget } from './random-charges.ts'

const count = 200_000

describe('failure 27: rounding', () => {
  it(`charges ${count.toLocaleString('en')} random attempts to the nano-USD as an exact oracle does`, () => {
    const report = checkCharges({ count, seed: 20_261_122 })
    expect(report.wrong).toBeUndefined()
    expect(report.checked).toBe(count)
    const excess = report.charged - report.exact
    expect(excess >= 0n && excess <= BigInt(count)).toBe(true)
    // Otherwise it would not be seen if every line were rounded.
    expect(report.roundedOtherwiseByLine).toBeGreaterThan(count / 100)
  })

  it('gives the same charges for the same seed, and others for another', () => {
    const of = (seed: number) => checkCharges({ count: 2_000, seed }).charged
    expect(of(1)).toBe(of(1))
    expect(of(1)).not.toBe(of(2))
  })

  it('rounds once: a thousand attempts of 37.5 and 12.5 nano-USD a token are not 500 nano-USD too dear', () => {
    const price = { input_token: perMillion('0.0375'), output_token: perMillion('0.0125') }
    let [charged, byLine] = [0n, 0n]
    for (let tokens = 1n; tokens <= 1000n; tokens += 1n) {
      const usage = { input_token: tokens, output_token: tokens }
      charged += rateUsage(usage, { price })
      byLine += rateUsage({ input_token: tokens }, { price })
      byLine += rateUsage({ output_token: tokens }, { price })
    }
    expect(charged).toBe(25_025_000n)
    expect(byLine).toBe(25_025_500n)
  })

  it('loses nothing to coarse units: a million calls of ten tokens at $0.02 a million cost $0.20', () => {
    const target = { price: { input_token: perMillion('0.02') } }
    let charged = 0n
    for (let call = 0; call < 1_000_000; call += 1) charged += rateUsage({ input_token: 10n }, target)
    expect(charged).toBe(usd('0.20'))
  })
})

describe('the oracle', () => {
  it('works out by hand what is known', () => {
    const of: RandomTarget = {
      price: {
        input_token: { amount: '5', per: '1000000' },
        cached_input_token: { amount: '5e-1', per: '1000000' },
        output_token: { amount: '30', per: '1000000' },
      },
      longContext: [{ overInputTokens: 272_000, price: { input_token: { amount: '10', per: '1000000' } } }],
      service: { flex: { output_token: { amount: '15', per: '1000000' } } },
      target: { price: {} },
    }
    const cost = (quantities: Quantities, serviceTier?: string) =>
      exactCost({ of, quantities, serviceTier }).nano
    expect(cost({ input_token: 8n, cached_input_token: 4012n, output_token: 5n })).toBe(2_196_000n)
    expect(cost({ input_token: 272_000n })).toBe(usd('1.36'))
    expect(cost({ input_token: 272_000n, cached_input_token: 1n })).toBe(2_720_000_500n)
    expect(cost({ output_token: 1_000_000n, compute_second: '5' }, 'flex')).toBe(usd('15'))
  })
})
