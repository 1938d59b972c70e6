import assert from 'node:assert/strict'
import { createLedger, type Invoice, type Ledger, type Receipt, usd } from '@farebox/core'
import { closed, december, november, spendMetered } from './closings.ts'
import { doubtful, expected, settleWith, tell, waitMs } from './late-requests.ts'
import { casePlans, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  graceMs,
  holdOf,
  hour,
  minute,
  reserved,
  served,
  settleAt,
  settled,
  spend,
  traceable,
} from './requests.ts'

/** When a period can be closed, and what it waits for. */
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
