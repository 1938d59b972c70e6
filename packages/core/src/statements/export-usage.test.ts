import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../clock.ts'
import { createLedger, type Ledger } from '../ledger/ledger.ts'
import { memoryStorage } from '../ledger/memory-storage.ts'
import { planPreset } from '../ledger/plan-presets.ts'
import type { SettledAttempt } from '../ledger/share.ts'
import { formatUsd, nano, usd } from '../money.ts'
import { exportUsage, type UsageExport } from './export-usage.ts'

const november = { accountId: 'alice', from: '2026-11-01', to: '2026-12-01' } as const

interface Asked {
  readonly cost: string
  readonly model?: string
  readonly memberId?: string
  readonly attempt?: Partial<SettledAttempt>
}

/** Alice on the pro plan, with $2.00 included, $1.00 bought, and requests one hour apart. */
async function ledgerWith(
  asked: readonly Asked[] = [],
  clock: FakeClock = fakeClock(Date.UTC(2026, 10, 22, 1)),
): Promise<Ledger> {
  const { ledger: store } = memoryStorage({ clock })
  const ledger = createLedger({ store, plans: planPreset('hf-2026-02-04'), clock })
  await ledger.configure({ accountId: 'alice', planId: 'pro' })
  await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: usd('1.00') })
  for (const [index, { cost, model = 'm', memberId, attempt }] of asked.entries()) {
    const reservationId = `r${index}`
    await ledger.reserve({
      accountId: 'alice',
      reservationId,
      amount: usd(cost),
      timeToLiveMs: 60_000,
      subject: {
        model,
        ...(memberId === undefined ? {} : { memberId }),
        costProviderIds: [],
        attemptsMax: 1,
      },
    })
    await ledger.settle({
      accountId: 'alice',
      reservationId,
      attempts: [
        {
          attemptId: `${reservationId}.1`,
          providerId: 'together',
          providerModel: model,
          outcome: 'served',
          costSource: 'provider',
          cost: usd(cost),
          payer: 'customer',
          usage: { quantities: { input_token: 12n, output_token: 34n, request: 1n }, certainty: 'exact' },
          ...attempt,
        },
      ],
    })
    clock.advance(3_600_000)
  }
  return ledger
}

async function textOf(ledger: Ledger, request: Partial<UsageExport> = {}): Promise<string> {
  const pieces: string[] = []
  for await (const piece of exportUsage(ledger.statements, { ...november, format: 'csv', ...request })) {
    pieces.push(piece)
  }
  return pieces.join('')
}

/** Lines of a table without quotes in it, by column. */
function table(text: string): Record<string, string>[] {
  const [head = '', ...lines] = text.trimEnd().split('\r\n')
  const names = head.split(',')
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, index) => [names[index], cell])))
}

describe('exportUsage as CSV', () => {
  it('has one line for each day and combination, amounts as exact decimals', async () => {
    const ledger = await ledgerWith([{ cost: '2.50' }, { cost: '0.600000001' }, { cost: '0.01', model: 'n' }])
    const text = await textOf(ledger)
    expect(text).toBe(
      [
        'day,period,account,model,provider,member,key,requests,attempts,estimated_attempts,attempts_of_unknown_cost,' +
          'input_tokens,cached_input_tokens,output_tokens,compute_seconds,currency,cost,charged,refunded,absorbed,' +
          'paid_from_included,paid_from_promotional,paid_from_courtesy,paid_from_purchased,paid_from_overage,' +
          'own_key_cost,absorbed_by,other_quantities',
        '2026-11-22,2026-11,alice,m,together,,,2,2,0,0,24,,68,,USD,3.100000001,3.100000001,0.00,0.00,' +
          '2.00,0.00,0.00,1.00,0.100000001,0.00,,"{""request"":""2""}"',
        '2026-11-22,2026-11,alice,n,together,,,1,1,0,0,12,,34,,USD,0.01,0.01,0.00,0.00,' +
          '0.00,0.00,0.00,0.00,0.01,0.00,,"{""request"":""1""}"',
        '',
      ].join('\r\n'),
    )
  })

  it('has a head and nothing else when nothing was used', async () => {
    expect(table(await textOf(await ledgerWith()))).toEqual([])
  })

  it('never lets a name run as a formula', async () => {
    const ledger = await ledgerWith([{ cost: '0.01', model: '=1+1', memberId: '@mallory' }])
    expect(table(await textOf(ledger))[0]).toMatchObject({ model: "'=1+1", member: "'@mallory" })
  })

  it('comes in pieces that each hold a day', async () => {
    const ledger = await ledgerWith(Array.from({ length: 72 }, () => ({ cost: '0.001' })))
    const pieces: string[] = []
    for await (const piece of exportUsage(ledger.statements, { ...november, format: 'csv' }))
      pieces.push(piece)
    expect(pieces.map((piece) => piece.slice(0, 10))).toEqual([
      'day,period',
      '2026-11-22',
      '2026-11-23',
      '2026-11-24',
      '2026-11-25',
    ])
  })

  it('reads nothing when nobody asks for the first piece', async () => {
    const ledger = await ledgerWith([{ cost: '0.01' }])
    const untouched = {
      ...ledger.statements,
      fold: () => Promise.reject(new Error('was read')),
    }
    expect(() => exportUsage(untouched, { ...november, format: 'csv' })).not.toThrow()
  })

  it.each([
    [{ from: 'today' }, 'from must be a day'],
    [{ to: '2028-01-01' }, 'At most 366 days'],
    [{ format: 'xlsx' as 'csv' }, 'Usage can not be written as "xlsx". Use csv, jsonl, focus.'],
  ])('refuses %j at once', async (request, message) => {
    const ledger = await ledgerWith()
    expect(() => exportUsage(ledger.statements, { ...november, format: 'csv', ...request })).toThrow(message)
  })
})

describe('exportUsage as JSON Lines', () => {
  it('has one object on each line', async () => {
    const failed = { outcome: 'failed', payer: 'operator' } as const
    const ledger = await ledgerWith([
      { cost: '0.02', memberId: 'bob' },
      { cost: '0.01', attempt: failed },
    ])
    const lines = (await textOf(ledger, { format: 'jsonl' })).trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        day: '2026-11-22',
        period: '2026-11',
        account: 'alice',
        model: 'm',
        provider: 'together',
        member: 'bob',
        key: null,
        currency: 'USD',
        requests: 1,
        attempts: 1,
        estimated_attempts: 0,
        attempts_of_unknown_cost: 0,
        quantities: { input_token: '12', output_token: '34', request: '1' },
        cost: '0.02',
        charged: '0.02',
        refunded: '0.00',
        absorbed: '0.00',
        absorbed_by: {},
        paid_from: { included: '0.02' },
        own_key_cost: '0.00',
      },
      expect.objectContaining({
        member: null,
        charged: '0.00',
        absorbed: '0.01',
        absorbed_by: { failed_attempt: '0.01' },
      }),
    ])
  })
})

describe('exportUsage as FOCUS', () => {
  const focus = { format: 'focus', issuer: 'Example, Inc.' } as const

  it('has every column that FOCUS 1.2 asks for, and its own after them', async () => {
    const head = (await textOf(await ledgerWith(), focus)).trimEnd().split(',')
    const mandatory = [
      ...['BilledCost', 'BillingAccountId', 'BillingAccountName', 'BillingCurrency', 'BillingPeriodEnd'],
      ...['BillingPeriodStart', 'ChargeCategory', 'ChargeClass', 'ChargeDescription', 'ChargePeriodEnd'],
      ...['ChargePeriodStart', 'ContractedCost', 'EffectiveCost', 'InvoiceIssuerName', 'ListCost'],
      ...[
        'PricingQuantity',
        'PricingUnit',
        'ProviderName',
        'PublisherName',
        'ServiceCategory',
        'ServiceName',
      ],
    ]
    expect(head).toEqual(expect.arrayContaining(mandatory))
    const own = head.findIndex((name) => name.startsWith('x_'))
    expect(head.slice(own).every((name) => name.startsWith('x_'))).toBe(true)
    expect(head.slice(0, own).some((name) => name.startsWith('x_'))).toBe(false)
  })

  it('writes usage and the credit that paid for it as charges of their own', async () => {
    const ledger = await ledgerWith([{ cost: '2.50' }, { cost: '0.70' }])
    const rows = table((await textOf(ledger, { ...focus, issuer: 'Example' })).replaceAll(/"\{.*\}"/g, '{}'))
    expect(rows).toHaveLength(2)
    expect(rows[0]).toMatchObject({
      ChargeCategory: 'Usage',
      ChargeClass: '',
      BilledCost: '2.20',
      EffectiveCost: '3.20',
      ListCost: '3.20',
      ContractedCost: '3.20',
      BillingAccountId: 'alice',
      BillingCurrency: 'USD',
      BillingPeriodStart: '2026-11-01T00:00:00Z',
      BillingPeriodEnd: '2026-12-01T00:00:00Z',
      ChargePeriodStart: '2026-11-22T00:00:00Z',
      ChargePeriodEnd: '2026-11-23T00:00:00Z',
      ConsumedQuantity: '2',
      ConsumedUnit: 'Requests',
      PricingQuantity: '2',
      PricingUnit: 'Requests',
      InvoiceIssuerName: 'Example',
      ProviderName: 'Example',
      PublisherName: 'together',
      ServiceCategory: 'AI and Machine Learning',
      x_Model: 'm',
    })
    expect(rows[1]).toMatchObject({
      ChargeCategory: 'Credit',
      BilledCost: '-2.00',
      EffectiveCost: '-2.00',
      ConsumedQuantity: '',
      PricingQuantity: '',
    })
  })

  it('writes a refund as negative usage, and as a correction once its period is over', async () => {
    const clock = fakeClock(Date.UTC(2026, 10, 22, 1))
    const ledger = await ledgerWith([{ cost: '3.20' }], clock)
    const refund = async (opId: string, amount: string) => {
      const by = { actor: 'support', reason: 'a test', opId }
      await ledger.refund({
        accountId: 'alice',
        requestId: 'r0',
        attemptId: 'r0.1',
        amount: usd(amount),
        ...by,
      })
    }
    clock.advance(24 * 3_600_000)
    await refund('o1', '0.15')
    clock.set(Date.UTC(2026, 11, 3))
    await refund('o2', '0.25')
    const text = await textOf(ledger, { ...focus, issuer: 'Example', to: '2027-01-01' })
    const rows = table(text.replaceAll(/"\{.*\}"/g, '{}'))

    // The first comes off pay-as-you-go, the second off that as far as it goes and then back to what was bought.
    expect(
      rows.map((row) => [row['ChargeCategory'], row['ChargeClass'], row['BilledCost'], row['EffectiveCost']]),
    ).toEqual([
      ['Usage', '', '2.20', '3.20'],
      ['Credit', '', '-2.00', '-2.00'],
      ['Usage', '', '-0.15', '-0.15'],
      ['Usage', 'Correction', '-0.05', '-0.25'],
    ])
    expect(rows.at(-1)).toMatchObject({
      BillingPeriodStart: '2026-11-01T00:00:00Z',
      ChargePeriodStart: '2026-12-03T00:00:00Z',
    })
  })

  it('bills exactly what the invoice has as pay-as-you-go', async () => {
    const costs = ['1.50', '0.123456789', '0.999999999', '0.60', '0.000000001']
    const ledger = await ledgerWith(costs.map((cost) => ({ cost })))
    const rows = table((await textOf(ledger, { ...focus, issuer: 'Example' })).replaceAll(/"\{.*\}"/g, '{}'))
    const billed = rows.reduce((sum, row) => sum + usd(row['BilledCost'] ?? ''), 0n)
    expect(formatUsd(billed)).toBe(formatUsd((await ledger.balance('alice')).overage.used))
    expect(billed).toBeGreaterThan(nano(0n))
  })
})
