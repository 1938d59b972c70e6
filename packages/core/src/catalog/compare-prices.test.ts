import { describe, expect, it } from 'vitest'
import { perMillion, rate } from '../money.ts'
import type { Price } from '../price.ts'
import { exampleRow as row } from './__fixtures__/example-rows.ts'
import { comparePrices } from './compare-prices.ts'

const tokens: Price = { input_token: perMillion('1'), output_token: perMillion('2') }

describe('two lists of prices', () => {
  it('that say the same in another way do not differ', () => {
    const other = row({ price: { output_token: rate('0.000002', '1'), input_token: rate('1.0', '1000000') } })
    expect(comparePrices([row()], [other])).toEqual([])
    expect(comparePrices([], [])).toEqual([])
  })

  it('differ in what one of them does not have', () => {
    const added = row({ model: 'acme/n', providerModel: 'n-1' })
    expect(comparePrices([row()], [added])).toMatchObject([
      {
        kind: 'removed',
        model: 'acme/m',
        lines: [{ unit: 'input_token', to: undefined }, { unit: 'output_token' }],
      },
      {
        kind: 'added',
        model: 'acme/n',
        lines: [{ unit: 'input_token', from: undefined }, { unit: 'output_token' }],
      },
    ])
  })

  it('differ in rates that appear, disappear and change, also within tiers', () => {
    const one = row({ price: { ...tokens, cached_input_token: perMillion('0.5') } })
    const other = row({
      price: { ...tokens, input_token: perMillion('3'), reasoning_token: perMillion('4') },
      tiers: {
        longContext: [{ overInputTokens: 1000, price: { input_token: perMillion('6') } }],
        service: {
          flex: {
            price: { input_token: perMillion('1.5') },
            longContext: [{ overInputTokens: 1000, price: { input_token: perMillion('3') } }],
          },
        },
      },
    })
    expect(comparePrices([one], [other])[0]?.lines).toEqual([
      { unit: 'input_token', from: perMillion('1'), to: perMillion('3') },
      { unit: 'cached_input_token', from: perMillion('0.5'), to: undefined },
      { unit: 'reasoning_token', from: undefined, to: perMillion('4') },
      { unit: 'input_token', overInputTokens: 1000, from: undefined, to: perMillion('6') },
      { unit: 'input_token', serviceTier: 'flex', from: undefined, to: perMillion('1.5') },
      {
        unit: 'input_token',
        serviceTier: 'flex',
        overInputTokens: 1000,
        from: undefined,
        to: perMillion('3'),
      },
    ])
  })

  it('differ when a model moves to another name at its provider', () => {
    expect(comparePrices([row()], [row({ providerModel: 'm-2' })])).toEqual([
      {
        kind: 'changed',
        providerId: 'acme',
        providerModel: 'm-2',
        model: 'acme/m',
        operation: 'chat',
        lines: [],
      },
    ])
  })
})
