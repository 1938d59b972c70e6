import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Nano, usd, zero } from '../money.ts'
import { type InvoiceContent, invoiceOf } from './invoice.ts'
import { periodAt } from './period.ts'
import { noSums, type PeriodSums } from './period-sums.ts'

const base: InvoiceContent = {
  account: { accountId: 'alice', carry: zero },
  period: periodAt(Date.UTC(2026, 10, 1), null),
  sums: noSums,
  late: { periods: {} },
  subscription: undefined,
  closedAtMs: Date.UTC(2026, 11, 1),
  seq: 7n,
}

const owing = (overage: bigint): PeriodSums => ({
  ...noSums,
  usage: [{ providerId: 'p', model: 'm', requests: 1, charged: overage as Nano }],
  paidFrom: { overage: overage as Nano },
})

describe('invoiceOf', () => {
  it.each([
    ['0', '0', 0n, '0'],
    ['0', '0.009999999', 0n, '0.009999999'],
    ['0', '0.01', 1n, '0'],
    ['0', '0.010000001', 1n, '0.000000001'],
    ['0.009999999', '0.000000001', 1n, '0'],
    ['0.009999999', '12.34', 1234n, '0.009999999'],
    ['-5.00', '4.99', 0n, '-0.01'],
    ['-5.00', '5.00', 0n, '0'],
    ['-5.00', '5.019', 1n, '0.009'],
  ])(
    'carries %s and asks for %s: %s cents are due and %s is carried on',
    (carryIn, overage, due, carryOut) => {
      const account = { ...base.account, carry: usd(carryIn) }
      const invoice = invoiceOf({ ...base, account, sums: owing(usd(overage)) })
      expect([invoice.dueCents, invoice.carryOut]).toEqual([due, usd(carryOut)])
    },
  )

  it('asks for nothing and carries the credit when refunds of earlier periods exceed what is owed', () => {
    const refund: PeriodSums = {
      ...noSums,
      refunded: usd('3.00'),
      paidFrom: { overage: -usd('2.00') as Nano, purchased: -usd('1.00') as Nano },
    }
    const invoice = invoiceOf({ ...base, sums: owing(usd('0.50')), late: { periods: { '2026-10': refund } } })
    expect(invoice).toMatchObject({
      overage: usd('0.50'),
      adjustments: -usd('2.00'),
      dueCents: 0n,
      carryOut: -usd('1.50'),
    })
    expect(
      invoice.lines.map(({ kind, description, periodKey, amount }) => [kind, description, periodKey, amount]),
    ).toEqual([
      ['usage', 'm at p, 1 request', undefined, usd('0.50')],
      ['overage', 'Pay-as-you-go of 2026-11', undefined, usd('0.50')],
      ['refund', 'Refunds', '2026-10', -usd('3.00')],
      ['credit', 'Returned to purchased credit', '2026-10', usd('1.00')],
    ])
  })

  it('keeps corrections by hand apart from pay-as-you-go', () => {
    const invoice = invoiceOf({ ...base, sums: { ...owing(usd('5.00')), adjusted: -usd('1.25') as Nano } })
    expect(invoice).toMatchObject({ overage: usd('5.00'), adjustments: -usd('1.25'), dueCents: 375n })
  })

  it('puts earlier periods in order', () => {
    const late = { periods: { '2026-10': owing(1n), '2026-08': owing(2n), '2026-09': owing(4n) } }
    const { lines } = invoiceOf({ ...base, late })
    expect(lines.filter(({ kind }) => kind === 'late').map(({ periodKey }) => periodKey)).toEqual([
      '2026-08',
      '2026-09',
      '2026-10',
    ])
  })

  it('loses no nano over any sequence of invoices', () => {
    const amount = fc.bigInt(-(10n ** 12n), 10n ** 12n)
    fc.assert(
      fc.property(fc.array(amount, { maxLength: 24 }), (months) => {
        let carry = zero
        let cents = 0n
        for (const each of months) {
          const account = { ...base.account, carry }
          const invoice = invoiceOf({ ...base, account, sums: { ...noSums, adjusted: each as Nano } })
          expect(invoice.dueCents).toBeGreaterThanOrEqual(0n)
          expect(invoice.carryOut).toBeLessThan(10_000_000n)
          cents += invoice.dueCents
          carry = invoice.carryOut
        }
        expect(cents * 10_000_000n + carry).toBe(months.reduce((sum, each) => sum + each, 0n))
      }),
    )
  })
})
