import assert from 'node:assert/strict'
import { createLedger, type Ledger, nano, planPreset, usd } from '@farebox/core'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import { changesNothing, holdOf, readHead, refused, reserved, settleAt, sources, spend } from './requests.ts'

const december = Date.UTC(2026, 11, 1)

async function included(ledger: Ledger): Promise<readonly [left: bigint, issued: bigint]> {
  const balance = await ledger.balance('alice')
  return [balance.included, balance.includedIssued]
}

/** What plans and seats include, month by month. */
export const planCases: readonly LedgerCase[] = [
  ledgerCase(
    'shows an account that was never written what its plan includes, and writes nothing',
    async ({ ledger, store }) => {
      const balance = await changesNothing(store, () => ledger.balance('alice'))

      assert.equal(balance.planId, 'free')
      assert.equal(balance.included, usd('0.10'))
      assert.equal(balance.spendable, usd('0.10'))
      assert.equal(balance.periodKey, '2026-11')
      assert.equal(balance.resetsAtMs, december)
      assert.equal((await store.scan('all', null, 10)).accountIds.length, 0)
    },
    planPreset('hf-2026-02-04'),
  ),

  ledgerCase(
    'settles and serves an account whose plan has left the table, as if on the default plan',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      reserved(await ledger.reserve(holdOf('r1', usd('1.50'))))
      const { plans, ...table } = planPreset('hf-2026-02-04')
      const without = { ...table, plans: plans.filter(({ planId }) => planId !== 'pro') }
      const later = createLedger({ store, clock, plans: without })

      assert.equal((await settleAt(later, 'r1', usd('1.40'))).charged, usd('1.40'))
      reserved(await later.reserve(holdOf('r2', usd('0.60'))))
      refused(await later.reserve(holdOf('r3', 1n)))
    },
    planPreset('hf-2026-02-04'),
  ),

  ledgerCase('issues included credit once a month, at the first use', async ({ ledger, store, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    await spend(ledger, 'r1', usd('0.04'))
    await spend(ledger, 'r2', usd('0.01'))
    assert.deepEqual(await included(ledger), [usd('0.05'), usd('0.10')])

    clock.set(december)
    assert.deepEqual(await included(ledger), [usd('0.10'), usd('0.10')])
    assert.equal((await readHead(store)).includedIssued, usd('0.10'), 'November, still: nothing was written')
    await spend(ledger, 'r3', usd('0.10'))
    await spend(ledger, 'r4', 0n)
    assert.deepEqual(await included(ledger), [0n, usd('0.10')])
  }),

  ledgerCase('issues nothing for months in which an account was not used', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    clock.set(Date.UTC(2027, 3, 30, 23, 59, 59, 999))
    await spend(ledger, 'r1', 1n)

    assert.deepEqual(await included(ledger), [usd('2.00') - 1n, usd('2.00')])
    const granted = (await ledger.journal('alice', 0n, 100)).filter(({ kind }) => kind === 'granted')
    assert.equal(granted.length, 2)
    assert.equal((await ledger.balance('alice')).periodKey, '2027-04')
  }),

  ledgerCase('does not roll included credit over', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    clock.set(december - 1)
    assert.equal((await ledger.balance('alice')).spendable, usd('102.00'))
    clock.set(december)
    await spend(ledger, 'r1', usd('0.50'))

    assert.deepEqual(await included(ledger), [usd('1.50'), usd('2.00')])
  }),

  ledgerCase('repeating a configuration changes nothing', async ({ ledger, store }) => {
    const terms = { accountId: 'alice', planId: 'team', seats: 3, spendingLimit: usd('5.00') }
    await ledger.configure(terms)
    const before = await readHead(store)
    await ledger.configure(terms)
    await ledger.configure({ accountId: 'alice', planId: 'team' })

    assert.deepEqual(await readHead(store), before)
  }),

  ledgerCase('leaves $1.93 after an upgrade from $0.10 to $2.00 with $0.07 spent', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    await spend(ledger, 'r1', usd('0.07'))
    await ledger.configure({ accountId: 'alice', planId: 'pro' })

    assert.deepEqual(await included(ledger), [usd('1.93'), usd('2.00')])
  }),

  ledgerCase(
    'keeps what was issued when a plan becomes smaller, and gives less the next month',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      await ledger.configure({ accountId: 'alice', planId: 'free' })
      assert.deepEqual(await included(ledger), [usd('2.00'), usd('2.00')])

      clock.set(december)
      assert.deepEqual(await included(ledger), [usd('0.10'), usd('0.10')])
    },
  ),

  ledgerCase(
    'stops pay-as-you-go at once when a plan becomes smaller, and what is under way goes on',
    async ({ ledger }) => {
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      reserved(await ledger.reserve(holdOf('r1', usd('3.00'))))
      await ledger.configure({ accountId: 'alice', planId: 'free' })

      refused(await ledger.reserve(holdOf('r2', 1n)))
      assert.equal((await settleAt(ledger, 'r1', usd('3.00'))).charged, usd('3.00'))
      refused(await ledger.reserve(holdOf('r3', 1n)))
    },
  ),

  ledgerCase('pools the included credit over the seats', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'team', seats: 3 })
    assert.deepEqual(await included(ledger), [usd('6.00'), usd('6.00')])
    await spend(ledger, 'r1', usd('5.00'))
    await ledger.configure({ accountId: 'alice', planId: 'team', seats: 4 })

    assert.deepEqual(await included(ledger), [usd('3.00'), usd('8.00')])
  }),

  ledgerCase('gains nothing from removing seats and adding them again', async ({ ledger, clock }) => {
    for (const seats of [5, 1, 5, 2, 4, 5, 1]) {
      await ledger.configure({ accountId: 'alice', planId: 'team', seats })
    }
    assert.deepEqual(await included(ledger), [usd('10.00'), usd('10.00')])

    clock.set(december)
    assert.deepEqual(await included(ledger), [usd('2.00'), usd('2.00')])
  }),

  ledgerCase('includes the same whatever the order of plan and seat changes', async ({ ledger }) => {
    const changes = [
      { planId: 'team', seats: 3 },
      { planId: 'pro', seats: 1 },
      { planId: 'free', seats: 1 },
    ]
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]
    for (const order of orders) {
      const accountId = `order-${order.join('')}`
      for (const index of order) await ledger.configure({ accountId, planId: 'free', ...changes[index] })
      assert.equal((await ledger.balance(accountId)).includedIssued, usd('6.00'), accountId)
    }
  }),

  ledgerCase('spends a later top-up after the smaller credit it topped up', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    const { paidFrom } = await spend(ledger, 'r1', usd('0.11'))

    assert.deepEqual(sources(paidFrom), [
      ['grant:incl:2026-11:100000000', usd('0.10')],
      ['grant:incl:2026-11:2000000000', usd('0.01')],
    ])
  }),

  ledgerCase(
    'refuses unknown plans, seats that are no people, and negative limits',
    async ({ ledger, store }) => {
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      const wrong = [
        { planId: 'gold' },
        { planId: 'team', seats: 0 },
        { planId: 'team', seats: -1 },
        { planId: 'team', seats: 1.5 },
        { planId: 'team', seats: Number.NaN },
        { planId: 'pro', spendingLimit: nano(-1n) },
      ]
      await changesNothing(store, async () => {
        for (const terms of wrong) {
          await assert.rejects(() => ledger.configure({ accountId: 'alice', ...terms }), RangeError)
        }
      })
    },
  ),
]
