import assert from 'node:assert/strict'
import { nano, usd } from '@farebox/core'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import { day, give, holdOf, readHead, refused, reserved, settleAt, sources, spend } from './requests.ts'

/** The key of the month that comes so many months after November 2026. */
function periodOf(months: number): string {
  return new Date(Date.UTC(2026, 10 + months)).toISOString().slice(0, 7)
}

/** Pay-as-you-go: the last source, up to a limit. */
export const overageCases: readonly LedgerCase[] = [
  ledgerCase('owes up to the spending limit: one below, the limit, and not one above', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    const limit = usd('1.00')
    assert.equal(refused(await ledger.reserve(holdOf('r1', limit + 1n))).missing, 1n)
    await spend(ledger, 'r2', limit - 1n)
    assert.equal(refused(await ledger.reserve(holdOf('r3', 2n))).missing, 1n)
    await spend(ledger, 'r4', 1n)
    assert.equal(refused(await ledger.reserve(holdOf('r5', 1n))).missing, 1n)

    const { overage, spendable } = await ledger.balance('alice')
    assert.deepEqual(overage, { policy: 'pay-as-you-go', limit, used: limit, held: 0n, left: 0n })
    assert.equal(spendable, 0n)
  }),

  ledgerCase('counts holds against the limit', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    reserved(await ledger.reserve(holdOf('r1', usd('0.60'))))
    assert.equal(refused(await ledger.reserve(holdOf('r2', usd('0.40') + 1n))).missing, 1n)
    reserved(await ledger.reserve(holdOf('r3', usd('0.40'))))
  }),

  ledgerCase(
    'puts the account’s own limit before the plan’s, and null goes back to it',
    async ({ ledger }) => {
      const limit = async (): Promise<bigint> => (await ledger.balance('alice')).overage.limit
      await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: usd('0.25') })
      assert.equal(await limit(), usd('0.25'))
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      assert.equal(await limit(), usd('0.25'))
      await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: null })
      assert.equal(await limit(), usd('1.00'))
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      assert.equal(await limit(), usd('100.00'))
      await ledger.configure({ accountId: 'alice', planId: 'pro', spendingLimit: nano(0n) })
      assert.equal(await limit(), 0n)
    },
  ),

  ledgerCase(
    'blocks new holds and kills none when the limit is lowered below what is used and held',
    async ({ ledger }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await spend(ledger, 'r1', usd('0.40'))
      reserved(await ledger.reserve(holdOf('r2', usd('0.30'))))
      await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: usd('0.50') })

      assert.equal((await ledger.balance('alice')).overage.left, 0n)
      refused(await ledger.reserve(holdOf('r3', 1n)))
      assert.equal((await settleAt(ledger, 'r2', usd('0.30'))).charged, usd('0.30'))
      assert.equal((await ledger.balance('alice')).overage.used, usd('0.70'))

      await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(usd('0.70') + 1n) })
      reserved(await ledger.reserve(holdOf('r4', 1n)))
    },
  ),

  ledgerCase(
    'starts each month with the whole limit and keeps what was owed before',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await spend(ledger, 'r1', usd('1.00'))
      clock.set(Date.UTC(2026, 11, 1) - 1)
      refused(await ledger.reserve(holdOf('r2', 1n)))
      clock.set(Date.UTC(2026, 11, 1))
      await spend(ledger, 'r3', usd('1.00'))

      const head = await store.transact('alice', [], ({ head }) => ({
        result: head as { overage?: unknown },
      }))
      assert.deepEqual(head.overage, [
        { periodKey: '2026-11', held: 0n, used: usd('1.00'), limit: usd('1.00') },
        { periodKey: '2026-12', held: 0n, used: usd('1.00') },
      ])
    },
  ),

  ledgerCase(
    'remembers fourteen months of pay-as-you-go, and every month that something is held from',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      reserved(await ledger.reserve(holdOf('r0', 5n, { timeToLiveMs: 1000 * day })))
      for (let month = 1; month <= 20; month += 1) {
        clock.set(Date.UTC(2026, 10 + month, 1))
        await spend(ledger, `r${month}`, 1n)
      }
      const { overage } = await readHead(store)
      assert.deepEqual(
        overage.map(({ periodKey }) => periodKey),
        ['2026-11', ...Array.from({ length: 15 }, (_, month) => periodOf(month + 6))],
        'what is held, fourteen months and the current one',
      )

      assert.deepEqual(sources((await settleAt(ledger, 'r0', 4n)).paidFrom), [['overage:2026-11', 4n]])
    },
  ),

  ledgerCase(
    'remembers no line of a month in which nothing was owed and nothing is held',
    async ({ ledger, store, clock }) => {
      const lines = async () => (await readHead(store)).overage.map(({ periodKey }) => periodKey)
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      clock.set(Date.UTC(2026, 11, 1))
      await spend(ledger, 'r1', 0n)
      assert.deepEqual(await lines(), [])
      await spend(ledger, 'r2', 1n)
      for (const month of [0, 1]) {
        clock.set(Date.UTC(2027, month, 1))
        await spend(ledger, `free${month}`, 0n)
      }
      assert.deepEqual(await lines(), ['2026-12'])
    },
  ),

  ledgerCase('uses credit that arrives before it owes more', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await spend(ledger, 'r1', usd('0.50'))
    await give(ledger, 'g1', usd('0.20'))
    const { paidFrom } = await spend(ledger, 'r2', usd('0.30'))

    assert.deepEqual(sources(paidFrom), [
      ['grant:g1', usd('0.20')],
      ['overage:2026-11', usd('0.10')],
    ])
  }),
]
