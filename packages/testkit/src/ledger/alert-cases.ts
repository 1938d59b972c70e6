import assert from 'node:assert/strict'
import { type Alert, createLedger, type Ledger, nano, type SettleResult, usd } from '@farebox/core'
import { expected, settleWith, tell } from './late-requests.ts'
import { casePlans, type LedgerCase, ledgerCase } from './ledger-case.ts'
import { day, give, granted, holdOf, readHead, reserved, served } from './requests.ts'

/** When an account is told that its credit, or its limit, runs out: once for each threshold and period. */
export const alertCases: readonly LedgerCase[] = [
  ledgerCase(
    'raises an alert at 50, 80 and 100 % of the credit, and not one nano before',
    async ({ ledger }) => {
      await give(ledger, 'g1', 100n)
      const raised: [bigint, string][] = []
      for (const amount of [49n, 1n, 29n, 1n, 19n, 1n]) {
        for (const alert of await alertsOf(ledger, `r${raised.length}-${amount}`, amount)) {
          raised.push([alert.used, `${alert.of} ${alert.percent} of ${alert.total} in ${alert.periodKey}`])
        }
      }
      assert.deepEqual(raised, [
        [50n, 'credit 50 of 100 in 2026-11'],
        [80n, 'credit 80 of 100 in 2026-11'],
        [100n, 'credit 100 of 100 in 2026-11'],
      ])
    },
  ),

  ledgerCase('raises every alert that one request crosses, lowest first', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    assert.deepEqual(percents(await alertsOf(ledger, 'r1', 85n)), ['credit 50', 'credit 80'])
    assert.deepEqual(percents(await alertsOf(ledger, 'r2', 15n)), ['credit 100'])
  }),

  ledgerCase('counts credit that is held as left', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('open', 60n)))
    assert.deepEqual(await alertsOf(ledger, 'r1', 40n), [])
    assert.deepEqual(percents(await settleOf(ledger, 'open', 10n)), ['credit 50'])
  }),

  ledgerCase(
    'raises no alert again after credit was bought, until the next threshold',
    async ({ ledger }) => {
      await give(ledger, 'g1', 100n)
      assert.deepEqual(percents(await alertsOf(ledger, 'r1', 60n)), ['credit 50'])
      await give(ledger, 'g2', 900n)
      assert.deepEqual(await alertsOf(ledger, 'r2', 500n), [])
      assert.deepEqual(percents(await alertsOf(ledger, 'r3', 300n)), ['credit 80'])
    },
  ),

  ledgerCase('raises those of the spending limit after all of the credit is used up', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(100n) })
    await give(ledger, 'g1', 100n)
    assert.deepEqual(percents(await alertsOf(ledger, 'r1', 100n)), ['credit 50', 'credit 80', 'credit 100'])
    assert.deepEqual(percents(await alertsOf(ledger, 'r2', 50n)), ['spending-limit 50'])
    assert.deepEqual(percents(await alertsOf(ledger, 'r3', 50n)), ['spending-limit 80', 'spending-limit 100'])
  }),

  ledgerCase('raises those of credit that was bought after the limit was used up', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(100n) })
    assert.deepEqual(percents(await alertsOf(ledger, 'r1', 100n)).length, 3)
    await give(ledger, 'g1', 100n)
    assert.deepEqual(percents(await alertsOf(ledger, 'r2', 50n)), ['credit 50'])
  }),

  ledgerCase(
    'raises none for a request that cost nothing, though the limit is lower since',
    async ({ ledger, store }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(1000n) })
      assert.deepEqual(await alertsOf(ledger, 'r1', 400n), [])
      await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(500n) })
      assert.deepEqual(await alertsOf(ledger, 'r2', 0n), [])
      assert.equal((await readHead(store)).alerted?.limit, 0)
      assert.deepEqual(percents(await alertsOf(ledger, 'r3', 1n)), ['spending-limit 50', 'spending-limit 80'])
    },
  ),

  ledgerCase(
    'raises no alert twice, though credit that was bought takes the account below it',
    async ({ ledger }) => {
      await give(ledger, 'g1', 100n)
      assert.deepEqual(percents(await alertsOf(ledger, 'r1', 80n)), ['credit 50', 'credit 80'])
      await give(ledger, 'g2', 900n)
      assert.deepEqual(await alertsOf(ledger, 'r2', 1n), [])
      assert.deepEqual(await alertsOf(ledger, 'r3', 800n), [])
      assert.deepEqual(percents(await alertsOf(ledger, 'r4', 119n)), ['credit 100'])
    },
  ),

  ledgerCase('does not count credit that is not usable yet', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    const later = { grantId: 'g2', amount: nano(900n), effectiveAtMs: clock.now() + day }
    granted(await ledger.grant({ accountId: 'alice', ...later }))
    const [alert] = await alertsOf(ledger, 'r1', 50n)
    assert.deepEqual([alert?.used, alert?.total], [50n, 100n])
  }),

  ledgerCase('counts all credit together, included and bought', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    await give(ledger, 'g1', usd('0.30'))
    assert.deepEqual(await alertsOf(ledger, 'r1', usd('0.19')), [])
    const [alert] = await alertsOf(ledger, 'r2', usd('0.01'))
    assert.deepEqual([alert?.used, alert?.total], [usd('0.20'), usd('0.40')])
  }),

  ledgerCase('raises alerts at 50, 80 and 100 % of the spending limit', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(1000n) })
    assert.deepEqual(await alertsOf(ledger, 'r1', 499n), [])
    const [half] = await alertsOf(ledger, 'r2', 1n)
    assert.deepEqual(half, {
      of: 'spending-limit',
      percent: 50,
      periodKey: '2026-11',
      used: 500n,
      total: 1000n,
    })
    assert.deepEqual(percents(await alertsOf(ledger, 'r3', 500n)), [
      'spending-limit 80',
      'spending-limit 100',
    ])
  }),

  ledgerCase('tells credit and limit apart when one request uses up both', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(100n) })
    await give(ledger, 'g1', 100n)
    assert.deepEqual(percents(await alertsOf(ledger, 'r1', 185n)), [
      'credit 50',
      'credit 80',
      'credit 100',
      'spending-limit 50',
      'spending-limit 80',
    ])
  }),

  ledgerCase(
    'raises the same alerts again in the next period, by what is used in it',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(100n) })
      assert.deepEqual(percents(await alertsOf(ledger, 'r1', 60n)), ['spending-limit 50'])
      clock.advance(30 * day)
      await give(ledger, 'g1', 100n)
      assert.deepEqual(await alertsOf(ledger, 'r2', 40n), [])
      const [alert] = await alertsOf(ledger, 'r3', 10n)
      assert.deepEqual(alert, { of: 'credit', percent: 50, periodKey: '2026-12', used: 50n, total: 100n })
    },
  ),

  ledgerCase('does not count what a request of the last period cost', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    const longest = { timeToLiveMs: 40 * day }
    for (const id of ['first', 'second']) reserved(await ledger.reserve(holdOf(id, usd('1.00'), longest)))
    clock.advance(25 * day)
    assert.deepEqual(await settleOf(ledger, 'first', usd('1.00')), [])
    assert.deepEqual(await alertsOf(ledger, 'r1', usd('0.90')), [])
    assert.deepEqual(await settleOf(ledger, 'second', usd('1.00')), [])
    const [alert] = await alertsOf(ledger, 'r2', usd('0.10'))
    assert.deepEqual([alert?.used, alert?.total], [usd('1.00'), usd('2.00')])
  }),

  ledgerCase('counts what was given back as left', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    await alertsOf(ledger, 'r1', 45n)
    const by = { actor: 'support', reason: 'broken answer' }
    await ledger.refund({ accountId: 'alice', opId: 'o1', requestId: 'r1', attemptId: 'attempt', ...by })
    assert.deepEqual(await alertsOf(ledger, 'r2', 20n), [])
  }),

  ledgerCase('raises alerts of the limit by a bill that was corrected', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(100n) })
    assert.deepEqual(percents(await alertsOf(ledger, 'r1', 60n)), ['spending-limit 50'])
    const by = { actor: 'support', reason: 'goodwill' }
    await ledger.adjust({ accountId: 'alice', opId: 'o1', amount: nano(40n), ...by })
    assert.deepEqual(await alertsOf(ledger, 'r2', 59n), [])
    assert.deepEqual(percents(await alertsOf(ledger, 'r3', 1n)), ['spending-limit 80'])
  }),

  ledgerCase(
    'raises those that a cost crosses which comes late, and names none that were not crossed',
    async ({ ledger }) => {
      await give(ledger, 'g1', 100n)
      for (const id of ['r1', 'r2']) {
        reserved(await ledger.reserve(holdOf(id, 50n)))
        await settleWith(ledger, id, expected(50n))
      }
      const below = await tell(ledger, 'r1', 49n)
      assert.deepEqual([below.outcome, 'alerts' in below], ['reconciled', false])
      const crossing = await tell(ledger, 'r2', 31n)
      assert.ok(crossing.outcome === 'reconciled')
      assert.deepEqual(percents(crossing.alerts ?? []), ['credit 50', 'credit 80'])

      reserved(await ledger.reserve(holdOf('r3', 1n)))
      const request = { accountId: 'alice', reservationId: 'r3', attempts: [served(1n)] }
      assert.equal('alerts' in (await ledger.settle(request)), false)
    },
  ),

  ledgerCase('raises no alert for a settlement that is repeated', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    assert.deepEqual(percents(await alertsOf(ledger, 'r1', 60n)), ['credit 50'])
    assert.deepEqual(await settleOf(ledger, 'r1', 60n), [])
  }),

  ledgerCase(
    'raises each alert once when many settle at once, whoever they are',
    async ({ ledger, store, clock }) => {
      await give(ledger, 'g1', 100n)
      const other = createLedger({ store, plans: casePlans, clock })
      const ids = Array.from({ length: 20 }, (_, index) => `r${index}`)
      for (const id of ids) reserved(await ledger.reserve(holdOf(id, 5n)))
      const raised = await Promise.all(
        ids.map((id, index) => settleOf(index % 2 === 0 ? ledger : other, id, 5n)),
      )
      assert.deepEqual(percents(raised.flat()).toSorted(), ['credit 100', 'credit 50', 'credit 80'])
    },
  ),

  ledgerCase(
    'warns of the spending limit from 80 % on, until it is higher or the month is over',
    async ({ ledger, clock }) => {
      const warning = (id: string) => warningOf(ledger, id)
      const limitTo = (amount: bigint) =>
        ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(amount) })
      await limitTo(1000n)
      await alertsOf(ledger, 'r1', 400n)
      // A lower limit alone crosses nothing.
      await limitTo(500n)
      assert.equal(await warning('w1'), undefined)
      await alertsOf(ledger, 'r2', 1n)
      const ofLimit = { of: 'spending-limit', percent: 80, periodKey: '2026-11', used: 401n, total: 500n }
      assert.deepEqual(await warning('w2'), ofLimit)
      await limitTo(502n)
      assert.equal(await warning('w3'), undefined)
      await limitTo(401n)
      await give(ledger, 'g1', 100n)
      assert.deepEqual(await warning('w4'), { ...ofLimit, percent: 100, total: 401n })
      clock.set(Date.UTC(2026, 11, 1))
      assert.equal(await warning('w5'), undefined)
    },
  ),

  ledgerCase('warns of no credit that was used up in a month that is over', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    await alertsOf(ledger, 'r1', 90n)
    assert.equal((await warningOf(ledger, 'w1'))?.percent, 80)
    clock.set(Date.UTC(2026, 11, 1))
    assert.equal(await warningOf(ledger, 'w2'), undefined)
  }),

  ledgerCase('warns who reserves from 80 % on, until there is more credit', async ({ ledger }) => {
    const warning = (id: string) => warningOf(ledger, id)
    await give(ledger, 'g1', 100n)
    await alertsOf(ledger, 'r1', 79n)
    assert.equal(await warning('w1'), undefined)
    await alertsOf(ledger, 'r2', 1n)
    assert.deepEqual(await warning('w2'), {
      of: 'credit',
      percent: 80,
      periodKey: '2026-11',
      used: 80n,
      total: 100n,
    })
    await give(ledger, 'g2', 100n)
    assert.equal(await warning('w3'), undefined)
  }),
]

/** What somebody who reserves now is warned of. */
async function warningOf(ledger: Ledger, reservationId: string): Promise<Alert | undefined> {
  const result = await ledger.reserve(holdOf(reservationId, 1n))
  reserved(result)
  await ledger.settle({ accountId: 'alice', reservationId, attempts: [] })
  return result.outcome === 'reserved' ? result.warning : undefined
}

async function alertsOf(ledger: Ledger, reservationId: string, amount: bigint): Promise<readonly Alert[]> {
  reserved(await ledger.reserve(holdOf(reservationId, amount)))
  return settleOf(ledger, reservationId, amount)
}

async function settleOf(ledger: Ledger, reservationId: string, cost: bigint): Promise<readonly Alert[]> {
  const result: SettleResult = await ledger.settle({
    accountId: 'alice',
    reservationId,
    attempts: [served(cost)],
  })
  assert.equal(result.outcome, 'settled')
  return result.outcome === 'settled' ? (result.alerts ?? []) : []
}

function percents(alerts: readonly Alert[]): readonly string[] {
  return alerts.map(({ of, percent }) => `${of} ${percent}`)
}
