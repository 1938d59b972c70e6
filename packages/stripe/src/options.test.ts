import { usd } from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { createPayments, type PaymentsOptions } from './index.ts'

const refuse = () => Promise.reject(new Error('Nothing is granted or taken here.'))

const options: PaymentsOptions = {
  gateway: { credits: { grant: refuse, void: refuse } },
  apiKey: 'sk_test_1',
  webhookSecret: 'whsec_1',
  successUrl: 'https://example.com/paid?session={CHECKOUT_SESSION_ID}',
  cancelUrl: 'https://example.com/credit',
  amounts: { min: usd('5.00'), max: usd('500.00') },
}

describe('createPayments', () => {
  it('takes options that make sense', () => {
    expect(() => createPayments(options)).not.toThrow()
    expect(() =>
      createPayments({ ...options, amounts: { min: usd('0.50'), max: usd('999999.99') } }),
    ).not.toThrow()
  })

  it.each<[string, Partial<Record<keyof PaymentsOptions, unknown>>]>([
    ['apiKey', { apiKey: '' }],
    ['apiKey', { apiKey: undefined }],
    ['webhookSecret', { webhookSecret: ' ' }],
    ['successUrl', { successUrl: '/paid' }],
    ['cancelUrl', { cancelUrl: undefined }],
    ['sells nothing', { amounts: undefined }],
    ['amounts.min is above', { amounts: { min: usd('6.00'), max: usd('5.00') } }],
    ['amounts.min must be from', { amounts: { min: usd('0.49'), max: usd('5.00') } }],
    ['amounts.max must be from', { amounts: { min: usd('1.00'), max: usd('1000000.00') } }],
    ['whole cents', { amounts: { min: usd('1.001'), max: usd('5.00') } }],
    ['pack "a"', { packs: [{ packId: 'a', amount: usd('0.00') }] }],
    [
      'there twice',
      {
        packs: [
          { packId: 'a', amount: usd('5.00') },
          { packId: 'a', amount: usd('6.00') },
        ],
      },
    ],
    ['creditDays', { creditDays: 29 }],
    ['creditDays', { creditDays: 30.5 }],
    ['creditDays', { creditDays: Number.NaN }],
    ['dueDays', { invoices: { dueDays: -1 } }],
    ['application', { application: '' }],
  ])('names the option at fault: %s', (named, change) => {
    const changed = { ...options, ...change } as PaymentsOptions
    expect(() => createPayments(changed)).toThrow(RangeError)
    expect(() => createPayments(changed)).toThrow(named)
  })
})
