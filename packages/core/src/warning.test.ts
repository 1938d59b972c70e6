import { describe, expect, it } from 'vitest'
import type { Receipt } from './ledger/receipt.ts'
import { nano, usd } from './money.ts'
import { warningText } from './warning.ts'

const credit = {
  of: 'credit',
  percent: 80,
  periodKey: '2026-11',
  used: usd('1.65'),
  total: usd('2.00'),
} as const
const limit = {
  of: 'spending-limit',
  percent: 100,
  periodKey: '2026-11',
  used: usd('10.00'),
  total: usd('10.00'),
} as const

const receiptOf = (costSource: string) =>
  ({ cost: nano(1200n), attempts: [{ costSource: 'none' }, { costSource }] }) as unknown as Receipt

describe('the warning of an answer', () => {
  it('says how much of the credit is used up', () => {
    expect(warningText(credit, undefined)).toBe(
      'credits-80-2026-11; You have used 82% of your credits in 2026-11: $1.65 of $2.00.',
    )
  })

  it('says that the spending limit is reached', () => {
    expect(warningText(limit, undefined)).toBe(
      'spending-limit-100-2026-11; You have used 100% of your spending limit in 2026-11: $10.00 of $10.00.',
    )
  })

  it('says that a cost is an estimate, when nothing else is to be said', () => {
    expect(warningText(undefined, receiptOf('estimate'))).toBe(
      'estimated-cost; The provider did not tell what this request used: its cost of $0.0000012 is an estimate.',
    )
    expect(warningText(credit, receiptOf('estimate'))).toMatch(/^credits-80/)
  })

  it('says that a cost comes later, and what is set aside for it', () => {
    const receipt = {
      state: 'provisional',
      attempts: [{ costSource: 'unknown' }, { costSource: 'estimate', estimate: nano(900n) }],
    } as unknown as Receipt
    expect(warningText(undefined, receipt)).toBe(
      'late-cost; The provider tells later what this request cost. Until then $0.0000009 is set aside for it.',
    )
    expect(warningText(credit, receipt)).toMatch(/^credits-80/)
  })

  it('is not there when there is nothing to say', () => {
    expect(warningText(undefined, undefined)).toBeUndefined()
    expect(warningText(undefined, receiptOf('price-book'))).toBeUndefined()
  })

  it('can be a header, whatever the amounts', () => {
    const text = warningText({ ...credit, used: nano(2n ** 80n), total: nano(0n) }, undefined) ?? ''
    expect(text).toMatch(/^[\x20-\x7e]+$/)
  })
})
