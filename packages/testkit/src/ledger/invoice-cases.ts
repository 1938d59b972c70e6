import assert from 'node:assert/strict'
import { nano, usd } from '@farebox/core'
import { closed, december, linesOf, november, spendMetered } from './closings.ts'
import { charging, expected, settleWith, waitMs } from './late-requests.ts'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  deed,
  give,
  graceMs,
  granted,
  holdOf,
  hour,
  minute,
  readHead,
  refunded,
  reserved,
  settleAt,
  spend,
} from './requests.ts'

/** What an invoice says, and what it leaves to the next. */
export const invoiceCases: readonly LedgerCase[] = [
  ledgerCase(
    'has an estimate on its invoice that was charged only as the period was closed',
    async (context) => {
      const { ledger, clock } = context
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      clock.set(december - 1)
      reserved(await ledger.reserve(holdOf('r1', usd('0.50'))))
      await settleWith(charging(context), 'r1', expected(usd('0.30')))
      clock.set(december + waitMs)
      assert.equal(closed(await charging(context).statements.closePeriod(november)).overage, usd('0.30'))
    },
  ),

  // Pro includes $2.00. Of $3.456789012 the included credit pays $2.00, the promotion $0.50 and what was bought $0.90.
  ledgerCase('says what was used, which credit paid, and what is owed', async ({ ledger, store, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    granted(
      await ledger.grant({ accountId: 'alice', grantId: 'promo', kind: 'promotional', amount: usd('0.50') }),
    )
    await give(ledger, 'bought', usd('0.90'))
    await spend(ledger, 'r1', usd('3.40'))
    await spend(ledger, 'r2', usd('0.056789012'))
    clock.set(december)
    const invoice = closed(await ledger.statements.closePeriod(november))

    assert.deepEqual(
      invoice.lines.map(({ kind, description, amount }) => [kind, description, amount]),
      [
        ['subscription', 'Plan pro', usd('9.00')],
        ['usage', 'model at provider, 2 requests', usd('3.456789012')],
        ['credit', 'Paid from included credit', -usd('2.00')],
        ['credit', 'Paid from promotional credit', -usd('0.50')],
        ['credit', 'Paid from purchased credit', -usd('0.90')],
        ['overage', 'Pay-as-you-go of 2026-11', usd('0.056789012')],
      ],
    )
    const { overage, adjustments, carryIn, carryOut, dueCents } = invoice
    assert.deepEqual(
      { overage, adjustments, carryIn, carryOut, dueCents },
      {
        overage: usd('0.056789012'),
        adjustments: 0n,
        carryIn: 0n,
        carryOut: usd('0.006789012'),
        dueCents: 5n,
      },
    )
    assert.deepEqual(
      [invoice.invoiceId, invoice.startMs, invoice.endMs, invoice.closedAtMs, invoice.currency],
      ['alice:2026-11', Date.UTC(2026, 10, 1), december, december, 'USD'],
    )
    const entry = (await ledger.journal('alice', invoice.seq - 1n, 1))[0]
    assert.deepEqual([entry?.kind, entry?.opId, entry?.terms?.['dueCents']], ['closed', 'close:2026-11', 5n])
    assert.equal((await readHead(store)).carry, usd('0.006789012'))
  }),

  ledgerCase('carries what is less than a cent until it is one', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    const due: [bigint, bigint][] = []
    for (let month = 0; month < 4; month += 1) {
      await spend(ledger, `r${month}`, usd('0.003'))
      clock.set(Date.UTC(2026, 11 + month, 1))
      const { dueCents, carryOut } = closed(await ledger.statements.closePeriod({ accountId: 'alice' }))
      due.push([dueCents, carryOut])
    }
    assert.deepEqual(due, [
      [0n, usd('0.003')],
      [0n, usd('0.006')],
      [0n, usd('0.009')],
      [1n, usd('0.002')],
    ])
  }),

  ledgerCase('lists invoices, newest first', async ({ ledger, clock }) => {
    await spendMetered(ledger)
    clock.set(Date.UTC(2027, 3, 1))
    for (let month = 0; month < 5; month += 1) {
      closed(await ledger.statements.closePeriod({ accountId: 'alice' }))
    }
    const list = async (limit: number, before?: string): Promise<readonly string[]> => {
      const request = { accountId: 'alice', limit, ...(before === undefined ? {} : { before }) }
      return (await ledger.statements.invoices(request)).map(({ periodKey }) => periodKey)
    }
    assert.deepEqual(await list(2), ['2027-03', '2027-02'])
    assert.deepEqual(await list(9, '2027-02'), ['2027-01', '2026-12', '2026-11'])
    assert.deepEqual(await list(9, '2026-11'), [])
    assert.deepEqual(await ledger.statements.invoices({ accountId: 'nobody', limit: 9 }), [])
    assert.equal(await ledger.statements.invoice('alice', '2027-04'), undefined)
    assert.equal(await ledger.statements.invoice('alice', '../../x'), undefined)
  }),

  ledgerCase('puts what becomes known after the close on the next invoice', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    clock.set(december - 1)
    reserved(await ledger.reserve(holdOf('lost', usd('0.50'))))
    clock.set(december + minute + graceMs)
    await spend(ledger, 'r2', usd('0.25'))
    assert.deepEqual(linesOf(closed(await ledger.statements.closePeriod(november))), [
      ['subscription', usd('9.00')],
      ['overage', 0n],
    ])
    // The process that asked comes back: the cost is charged after all, from the credit of its month.
    assert.equal((await settleAt(ledger, 'lost', usd('0.30'))).charged, usd('0.30'))
    clock.set(Date.UTC(2027, 0, 1))
    const invoice = closed(await ledger.statements.closePeriod({ accountId: 'alice' }))

    assert.deepEqual(linesOf(invoice), [
      ['subscription', usd('9.00')],
      ['usage', usd('0.25')],
      ['credit', -usd('0.25')],
      ['overage', 0n],
      ['late', usd('0.30')],
      ['credit', -usd('0.30')],
    ])
    assert.deepEqual(
      invoice.lines.slice(-2).map(({ periodKey }) => periodKey),
      ['2026-11', '2026-11'],
    )
    assert.deepEqual([invoice.dueCents, invoice.adjustments], [0n, 0n])
  }),

  ledgerCase('takes refunds and corrections of the period off its invoice', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await give(ledger, 'bought', usd('0.20'))
    await spend(ledger, 'r1', usd('0.50'))
    refunded(
      await ledger.refund({ ...deed('o1'), requestId: 'r1', attemptId: 'attempt', amount: usd('0.40') }),
    )
    await ledger.adjust({ ...deed('o2'), amount: nano(-usd('0.17')) })
    clock.set(december)
    const invoice = closed(await ledger.statements.closePeriod(november))

    // The refund went back as it was drawn: $0.30 off what is owed, then $0.10 to what was bought. Half of the
    // correction is paid from that.
    assert.deepEqual(linesOf(invoice), [
      ['usage', usd('0.50')],
      ['refund', -usd('0.40')],
      ['credit', -usd('0.10')],
      ['overage', 0n],
      ['adjustment', usd('0.07')],
    ])
    assert.deepEqual([invoice.overage, invoice.adjustments, invoice.dueCents], [0n, usd('0.07'), 7n])
  }),

  ledgerCase(
    'carries a refund of a closed period to the next invoice, and beyond',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await spend(ledger, 'r1', usd('0.90'))
      clock.set(december)
      assert.equal(closed(await ledger.statements.closePeriod(november)).dueCents, 90n)
      refunded(
        await ledger.refund({ ...deed('o1'), requestId: 'r1', attemptId: 'attempt', amount: usd('0.55') }),
      )
      await spend(ledger, 'r2', usd('0.205'))
      clock.set(Date.UTC(2027, 0, 1))
      const second = closed(await ledger.statements.closePeriod({ accountId: 'alice' }))
      await spend(ledger, 'r3', usd('0.40'))
      clock.set(Date.UTC(2027, 1, 1))
      const third = closed(await ledger.statements.closePeriod({ accountId: 'alice' }))

      assert.deepEqual(linesOf(second), [
        ['usage', usd('0.205')],
        ['overage', usd('0.205')],
        ['refund', -usd('0.55')],
      ])
      assert.deepEqual([second.dueCents, second.carryOut], [0n, -usd('0.345')])
      assert.deepEqual([third.carryIn, third.dueCents, third.carryOut], [-usd('0.345'), 5n, usd('0.005')])
    },
  ),

  ledgerCase('asks for the dearest plan and the most seats of the period', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'team', seats: 3 })
    await ledger.configure({ accountId: 'alice', planId: 'team', seats: 5 })
    await ledger.configure({ accountId: 'alice', planId: 'pro', seats: 1 })
    clock.set(december + hour)
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    clock.set(Date.UTC(2027, 1, 1))
    const subscriptions: unknown[] = []
    for (let month = 0; month < 3; month += 1) {
      const { lines } = closed(await ledger.statements.closePeriod({ accountId: 'alice' }))
      const line = lines.find(({ kind }) => kind === 'subscription')
      subscriptions.push([line?.description, line?.quantity, line?.amount])
    }
    assert.deepEqual(subscriptions, [
      ['Plan team, 5 seats', 5n, usd('100.00')],
      ['Plan pro', 1n, usd('9.00')],
      [undefined, undefined, undefined],
    ])
  }),
]
