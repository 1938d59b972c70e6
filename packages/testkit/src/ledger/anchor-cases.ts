import assert from 'node:assert/strict'
import { usd } from '@farebox/core'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  day,
  give,
  holdOf,
  readHead,
  refused,
  reserved,
  settleAt,
  spend,
} from './requests.ts'

const december = Date.UTC(2026, 11, 1)

/** Periods that begin on a day of the account's own, and what a change of that day includes. */
export const anchorCases: readonly LedgerCase[] = [
  ledgerCase('begins an account on the anchor day that it signs up with', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro', anchorDay: 10 })
    const balance = await ledger.balance('alice')
    assert.deepEqual(
      [balance.periodKey, balance.periodStartMs, balance.resetsAtMs, balance.anchorDay, balance.included],
      ['2026-11-10', Date.UTC(2026, 10, 10), Date.UTC(2026, 11, 10), 10, usd('2.00')],
    )

    clock.set(Date.UTC(2026, 11, 10) - 1)
    assert.equal((await ledger.balance('alice')).periodKey, '2026-11-10')
    clock.advance(1)
    assert.equal((await ledger.balance('alice')).periodKey, '2026-12-10')
  }),

  ...[28, 29, 30, 31].map((anchorDay) =>
    ledgerCase(
      `gives every month of three years its credit once when periods begin on the ${anchorDay}`,
      async ({ ledger, clock }) => {
        clock.set(Date.UTC(2027, 0, anchorDay))
        await ledger.configure({ accountId: 'alice', planId: 'free', anchorDay })
        for (let month = 1; month <= 36; month += 1) {
          const days = new Date(Date.UTC(2027, month + 1, 0)).getUTCDate()
          const end = Date.UTC(2027, month, Math.min(anchorDay, days))
          assert.equal((await ledger.balance('alice')).resetsAtMs, end)
          await spend(ledger, `first${month}`, usd('0.03'))
          clock.set(end - 1)
          await spend(ledger, `last${month}`, usd('0.07'))
          refused(await ledger.reserve(holdOf(`more${month}`, 1n)))
          clock.set(end)
        }
        assert.equal((await ledger.balance('alice')).charged, usd('3.60'))
      },
    ),
  ),

  ledgerCase(
    'lets the period under way end as it would have when the anchor day changes',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'free' })
      await spend(ledger, 'r1', usd('0.04'))
      const account = await ledger.configure({ accountId: 'alice', planId: 'free', anchorDay: 16 })
      assert.equal(account.anchorDay, 16)
      clock.set(december - 1)
      const { periodKey, included, resetsAtMs } = await ledger.balance('alice')

      assert.deepEqual([periodKey, included, resetsAtMs], ['2026-11', usd('0.06'), december])
    },
  ),

  ledgerCase(
    'gives a period that a new anchor day cuts short its share of the credit, and nothing twice',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      await ledger.configure({ accountId: 'alice', planId: 'pro', anchorDay: 16 })
      clock.set(december)
      await spend(ledger, 'r1', 0n)
      // 15 of the 30 days from 16 November to 16 December.
      const short = await ledger.balance('alice')
      assert.deepEqual(
        [short.periodKey, short.resetsAtMs, short.included],
        ['2026-12-01', Date.UTC(2026, 11, 16), usd('1.00')],
      )

      clock.set(Date.UTC(2026, 11, 16))
      const whole = await ledger.balance('alice')
      assert.deepEqual(
        [whole.periodKey, whole.resetsAtMs, whole.included],
        ['2026-12-16', Date.UTC(2027, 0, 16), usd('2.00')],
      )
    },
  ),

  ledgerCase(
    'notes the period under way with a new anchor day only while no entry tells it',
    async ({ ledger }) => {
      // A hold of nothing writes an account that has no entries.
      reserved(await ledger.reserve(holdOf('r1', 0n)))
      for (const anchorDay of [16, 17])
        await ledger.configure({ accountId: 'alice', planId: 'pro', anchorDay })
      const configured = (await ledger.journal('alice', 0n, 10)).filter(({ kind }) => kind === 'configured')
      assert.deepEqual(
        configured.map(({ terms }) => [terms?.['anchorDay'], terms?.['periodKey']]),
        [
          [16, '2026-11'],
          [17, undefined],
        ],
      )
    },
  ),

  ledgerCase('gains nothing from changing the anchor day to and fro', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    for (const anchorDay of [11, 12, 30, null, 11, null]) {
      await ledger.configure({ accountId: 'alice', planId: 'pro', anchorDay })
      clock.advance(day)
    }
    const { includedIssued, periodKey } = await ledger.balance('alice')
    assert.deepEqual([includedIssued, periodKey], [usd('2.00'), '2026-11'])

    clock.set(december)
    const { included, resetsAtMs } = await ledger.balance('alice')
    assert.deepEqual([included, resetsAtMs], [usd('2.00'), Date.UTC(2027, 0, 1)])
  }),

  ledgerCase(
    'issues no more than the time gives, however often periods are cut short',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      let issued = 0n
      for (const anchorDay of [15, 3, 28, null, 31, 15, 2, 17]) {
        await ledger.configure({ accountId: 'alice', planId: 'pro', anchorDay })
        issued += (await ledger.balance('alice')).includedIssued
        clock.set((await ledger.balance('alice')).resetsAtMs)
      }
      const months = Number(clock.now() - Date.UTC(2026, 10, 1)) / (28 * day)
      assert.ok(Number(issued) <= months * Number(usd('2.00')), `${issued} in ${months} short months`)
      assert.ok(Number(issued) >= (months * 28 * Number(usd('2.00'))) / 31, `only ${issued}`)
    },
  ),

  ledgerCase('skips a cut period that nobody used', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    await ledger.configure({ accountId: 'alice', planId: 'pro', anchorDay: 16 })
    clock.set(Date.UTC(2027, 2, 20))
    const { periodKey, included } = await ledger.balance('alice')

    assert.deepEqual([periodKey, included], ['2027-03-16', usd('2.00')])
  }),

  ledgerCase('pays a hold over the end of an anchored period from its own', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered', anchorDay: 31 })
    clock.set(Date.UTC(2026, 10, 30) - 1)
    const hold = reserved(await ledger.reserve(holdOf('r1', usd('1.00'))))
    assert.equal(hold.periodKey, '2026-10-31')
    clock.advance(1)
    const receipt = await settleAt(ledger, 'r1', usd('0.80'))

    assert.deepEqual(receipt.paidFrom, [{ source: 'overage:2026-10-31', amount: usd('0.80') }])
    assert.equal((await ledger.balance('alice')).overage.left, usd('1.00'))
  }),

  ledgerCase('repeating an anchor day changes nothing', async ({ ledger, store }) => {
    const terms = { accountId: 'alice', planId: 'pro', anchorDay: 31 }
    await ledger.configure(terms)
    const before = await readHead(store)
    await ledger.configure(terms)
    await ledger.configure({ accountId: 'alice', planId: 'pro' })

    assert.deepEqual(await readHead(store), before)
  }),

  ledgerCase('refuses anchors that are no day of a month', async ({ ledger, store }) => {
    await give(ledger, 'g1', 1n)
    await changesNothing(store, async () => {
      for (const anchorDay of [0, 32, -1, 1.5, Number.NaN]) {
        const terms = { accountId: 'alice', planId: 'pro', anchorDay }
        await assert.rejects(() => ledger.configure(terms), RangeError)
      }
    })
  }),
]
