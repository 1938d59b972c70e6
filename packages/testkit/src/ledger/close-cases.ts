import assert from 'node:assert/strict'
import {
  type ClosePeriodResult,
  createLedger,
  type Invoice,
  type Ledger,
  nano,
  type Receipt,
  usd,
} from '@farebox/core'
import { charging, doubtful, expected, settleWith, tell, waitMs } from './late-requests.ts'
import { casePlans, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
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
  served,
  settleAt,
  settled,
  spend,
  traceable,
} from './requests.ts'

const december = Date.UTC(2026, 11, 1)
const november = { accountId: 'alice', periodKey: '2026-11' }

/** What an invoice says, and when a period can be closed. */
export const closeCases: readonly LedgerCase[] = [
  ledgerCase(
    'closes nothing of accounts in which nothing was ever booked',
    async ({ ledger, store, clock }) => {
      clock.set(december)
      const { outcome } = await ledger.statements.closePeriod(november)
      assert.equal(outcome, 'no-period')
      clock.set(december - 1)
      // A hold is no entry of the journal.
      reserved(await ledger.reserve(holdOf('r1', 0n)))
      clock.set(december)
      assert.equal(
        (await changesNothing(store, () => ledger.statements.closePeriod(november))).outcome,
        'no-period',
      )
    },
  ),

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

  ledgerCase('waits for no cost that the operator pays', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    clock.set(december - 1)
    reserved(await ledger.reserve(holdOf('r1', usd('0.50'))))
    await settleWith(ledger, 'r1', doubtful('a'), served(usd('0.20'), 'b'))
    reserved(await ledger.reserve(holdOf('r2', usd('0.50'))))
    await settleWith(ledger, 'r2', doubtful('a'))
    clock.set(december)
    assert.equal(closed(await ledger.statements.closePeriod(november)).overage, usd('0.20'))
  }),

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

  ledgerCase(
    'closes the periods of an account that got its anchor day before anything else was booked',
    async ({ ledger, clock }) => {
      // On the plan that it is on already: the account is written, and there is nothing to book.
      await ledger.configure({ accountId: 'alice', planId: 'bare' })
      await ledger.configure({ accountId: 'alice', planId: 'metered', anchorDay: 11 })
      clock.set(december)
      await spend(ledger, 'r1', usd('0.50'))
      clock.set(Date.UTC(2026, 11, 11))
      const invoices = [
        closed(await ledger.statements.closePeriod({ accountId: 'alice' })),
        closed(await ledger.statements.closePeriod({ accountId: 'alice' })),
      ]
      assert.deepEqual(
        invoices.map(({ periodKey, overage, adjustments }) => [periodKey, overage, adjustments]),
        [
          ['2026-11', 0n, 0n],
          ['2026-12-01', usd('0.50'), 0n],
        ],
      )
    },
  ),

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

  ledgerCase('gives the same invoice however often a period is closed', async ({ ledger, store, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await spend(ledger, 'r1', usd('0.10'))
    clock.set(december)
    const invoice = closed(await ledger.statements.closePeriod(november))
    await spend(ledger, 'r2', usd('0.20'))
    clock.advance(hour)
    await changesNothing(store, async () => {
      assert.deepEqual(closed(await ledger.statements.closePeriod(november)), invoice)
      assert.deepEqual(await ledger.statements.invoice('alice', '2026-11'), invoice)
    })
  }),

  ledgerCase('closes nothing while the period runs', async ({ ledger, store, clock }) => {
    await spendMetered(ledger)
    clock.set(december - 1)
    const result = await changesNothing(store, () => ledger.statements.closePeriod(november))
    assert.deepEqual(result, { outcome: 'not-over', endsAtMs: december })

    clock.set(december)
    closed(await ledger.statements.closePeriod(november))
  }),

  ledgerCase('waits for the requests of the period, and names them', async ({ ledger, store, clock }) => {
    await spendMetered(ledger)
    clock.set(december - 1)
    reserved(await ledger.reserve(holdOf('late', usd('0.10'))))
    reserved(await ledger.reserve(holdOf('free', 0n)))
    clock.set(december)
    reserved(await ledger.reserve(holdOf('next', usd('0.10'))))
    const result = await changesNothing(store, () => ledger.statements.closePeriod(november))
    assert.equal(result.outcome, 'open-holds')
    assert.deepEqual(result.outcome === 'open-holds' && result.reservationIds.toSorted(), ['free', 'late'])

    await settleAt(ledger, 'late', usd('0.07'))
    settled(await ledger.settle({ accountId: 'alice', reservationId: 'free', attempts: [] }))
    assert.equal(closed(await ledger.statements.closePeriod(november)).overage, usd('0.17'))
  }),

  ledgerCase('waits for what providers are still asked about', async ({ ledger, clock }) => {
    await spendMetered(ledger)
    clock.set(december - 1)
    reserved(await ledger.reserve(holdOf('asked', usd('0.10'), { subject: traceable })))
    clock.set(december + minute + graceMs)
    await ledger.unresolved('alice')
    const result = await ledger.statements.closePeriod(november)

    assert.deepEqual(result, { outcome: 'open-holds', reservationIds: ['asked'] })
  }),

  ledgerCase(
    'waits for costs that are still to come, and bills them in their month',
    async ({ ledger, clock }) => {
      await spendMetered(ledger)
      clock.set(december - 1)
      reserved(await ledger.reserve(holdOf('late', usd('0.10'))))
      settled(
        await ledger.settle({ accountId: 'alice', reservationId: 'late', attempts: [expected(usd('0.08'))] }),
      )
      clock.set(december + minute)
      assert.deepEqual(await ledger.statements.closePeriod(november), {
        outcome: 'open-holds',
        reservationIds: ['late'],
      })

      await tell(ledger, 'late', usd('0.03'))
      assert.equal(closed(await ledger.statements.closePeriod(november)).overage, usd('0.13'))
    },
  ),

  ledgerCase('closes without a cost whose time to wait is over', async ({ ledger, clock }) => {
    await spendMetered(ledger)
    clock.set(december - 1)
    reserved(await ledger.reserve(holdOf('late', usd('0.10'))))
    settled(
      await ledger.settle({ accountId: 'alice', reservationId: 'late', attempts: [expected(usd('0.08'))] }),
    )
    clock.set(december - 1 + waitMs)
    const invoice = closed(await ledger.statements.closePeriod(november))
    await tell(ledger, 'late', usd('0.03'))
    clock.set(Date.UTC(2027, 0, 1))
    const next = closed(await ledger.statements.closePeriod({ accountId: 'alice' }))

    assert.equal(invoice.overage, usd('0.10'))
    assert.deepEqual([next.overage, next.adjustments, next.dueCents], [0n, 0n, 0n])
  }),

  ledgerCase('closes periods in order and none twice', async ({ ledger, store, clock }) => {
    await spendMetered(ledger)
    clock.set(Date.UTC(2027, 1, 10))
    await spend(ledger, 'r2', 1n)
    const close = (periodKey: string) => ledger.statements.closePeriod({ accountId: 'alice', periodKey })
    await ledger.statements.fold('alice', 100)
    await changesNothing(store, async () => {
      assert.deepEqual(await close('2026-12'), { outcome: 'earlier-open', periodKey: '2026-11' })
      assert.deepEqual(await close('2026-10'), { outcome: 'no-period' })
      assert.deepEqual(await close('2026-11-15'), { outcome: 'earlier-open', periodKey: '2026-11' })
      await assert.rejects(close('November'), RangeError)
    })

    for (const periodKey of ['2026-11', '2026-12', '2027-01']) {
      assert.equal(closed(await ledger.statements.closePeriod({ accountId: 'alice' })).periodKey, periodKey)
    }
    assert.deepEqual(await ledger.statements.closePeriod({ accountId: 'alice' }), {
      outcome: 'not-over',
      endsAtMs: Date.UTC(2027, 2, 1),
    })
    assert.deepEqual(await ledger.statements.closePeriod({ accountId: 'nobody' }), { outcome: 'no-period' })
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

  ledgerCase(
    'closes the periods of an anchor day, and those a new one cuts short',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered', anchorDay: 31 })
      await spend(ledger, 'r1', usd('0.10'))
      clock.set(Date.UTC(2026, 11, 5))
      await ledger.configure({ accountId: 'alice', planId: 'metered', anchorDay: 15 })
      await spend(ledger, 'r2', usd('0.20'))
      clock.set(Date.UTC(2027, 0, 7))
      await spend(ledger, 'r3', usd('0.30'))
      clock.set(Date.UTC(2027, 1, 20))
      const spans: unknown[] = []
      for (let count = 0; count < 4; count += 1) {
        const { periodKey, startMs, endMs, overage } = closed(
          await ledger.statements.closePeriod({ accountId: 'alice' }),
        )
        spans.push([periodKey, startMs, endMs, overage])
      }
      assert.deepEqual(spans, [
        ['2026-10-31', Date.UTC(2026, 9, 31), Date.UTC(2026, 10, 30), usd('0.10')],
        ['2026-11-30', Date.UTC(2026, 10, 30), Date.UTC(2026, 11, 31), usd('0.20')],
        ['2026-12-31', Date.UTC(2026, 11, 31), Date.UTC(2027, 0, 15), usd('0.30')],
        ['2027-01-15', Date.UTC(2027, 0, 15), Date.UTC(2027, 1, 15), 0n],
      ])
    },
  ),

  ledgerCase(
    'failure 18: puts every charge on exactly one invoice when 100 requests meet the month end and three close it',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      const closers = [1, 2, 3].map(() => createLedger({ store, plans: casePlans, clock }))
      clock.set(december - 1)
      const invoices = new Map<string, Invoice>()
      const closing = async (each: Ledger, periodKey: string): Promise<void> => {
        for (;;) {
          const result = await each.statements.closePeriod({ accountId: 'alice', periodKey })
          if (result.outcome === 'open-holds') continue
          const invoice = closed(result)
          const first = invoices.get(periodKey) ?? invoice
          assert.deepEqual(invoice, first)
          invoices.set(periodKey, first)
          return
        }
      }
      const ask = async (index: number, held?: () => void): Promise<Receipt> => {
        reserved(await ledger.reserve(holdOf(`r${index}`, usd('0.02'))))
        held?.()
        // Some settle at once, others while the period is being closed.
        for (let turns = 0; turns < index % 7; turns += 1) await ledger.balance('alice')
        return settleAt(ledger, `r${index}`, usd('0.01') + BigInt(index) * 100_001n)
      }
      const early: Promise<Receipt>[] = []
      const held = Array.from({ length: 50 }, (_, index) => {
        return new Promise<void>((resolve) => early.push(ask(index, resolve)))
      })
      await Promise.all(held)
      clock.set(december)
      const late = Array.from({ length: 50 }, (_, index) => ask(50 + index))
      const [receipts] = await Promise.all([
        Promise.all([...early, ...late]),
        ...closers.map((each) => closing(each, '2026-11')),
      ])
      clock.set(Date.UTC(2027, 0, 1))
      await Promise.all(closers.map((each) => closing(each, '2026-12')))

      for (const periodKey of ['2026-11', '2026-12']) {
        const paid = receipts.filter((receipt) => receipt.periodKey === periodKey)
        assert.equal(paid.length, 50)
        const charged = paid.reduce((sum, receipt) => sum + receipt.charged, 0n)
        assert.equal(invoices.get(periodKey)?.overage, charged)
      }
      assert.equal(
        (await ledger.journal('alice', 0n, 1000)).filter(({ kind }) => kind === 'closed').length,
        2,
      )
    },
  ),
]

async function spendMetered(ledger: Ledger): Promise<void> {
  await ledger.configure({ accountId: 'alice', planId: 'metered' })
  await spend(ledger, 'r1', usd('0.10'))
  await ledger.statements.fold('alice', 100)
}

export function closed(result: ClosePeriodResult): Invoice {
  assert.equal(result.outcome, 'closed')
  const { invoice } = result as Extract<ClosePeriodResult, { outcome: 'closed' }>
  checkInvoice(invoice)
  return invoice
}

/** Checks that the lines of an invoice add up to what it says. */
function checkInvoice(invoice: Invoice): void {
  const { lines, overage, adjustments, carryIn, carryOut, dueCents, periodKey } = invoice
  const summed = lines.filter(({ kind }) => kind !== 'subscription' && kind !== 'overage')
  const total = summed.reduce((sum, { amount }) => sum + amount, 0n)
  assert.equal(total, overage + adjustments, `the lines of ${periodKey} do not add up`)
  assert.equal(carryIn + total, dueCents * 10_000_000n + carryOut, `${periodKey} loses something`)
  assert.ok(dueCents >= 0n && carryOut < 10_000_000n, `${periodKey} asks for ${dueCents} cents`)
  assert.ok(carryOut >= 0n || dueCents === 0n, `${periodKey} asks for money and owes some`)
}

function linesOf({ lines }: Invoice): [string, bigint][] {
  return lines.map(({ kind, amount }) => [kind, amount])
}
