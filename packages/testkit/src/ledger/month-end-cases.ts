import assert from 'node:assert/strict'
import { usd } from '@farebox/core'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  counters,
  give,
  graceMs,
  holdOf,
  hour,
  minute,
  refused,
  reserved,
  settleAt,
  sources,
  spend,
} from './requests.ts'

const midnight = Date.UTC(2026, 11, 1)
const november = 'incl:2026-11:2000000000'

/** Requests that are under way while a month ends. */
export const monthEndCases: readonly LedgerCase[] = [
  // A prompt of at most 2,000 tokens at $0.15 and an answer of at most 800 at $0.60 per million: 300,000 + 480,000.
  // 1,200 and 500 tokens are reported, which is 480,000; the provider then says 481,250.
  ledgerCase(
    'pays a request that began at 23:59:58 from the month it began in, and leaks nothing into the next',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'pro', spendingLimit: usd('10.00') })
      await spend(ledger, 'r0', usd('2.00') - 4_000_000n)
      clock.set(midnight - 2000)
      reserved(await ledger.reserve(holdOf('r1', 780_000n)))
      const spent = usd('2.00') - 4_000_000n
      assert.deepEqual(await counters(store, november), {
        available: 3_220_000n,
        held: 780_000n,
        settled: spent,
        expired: 0n,
      })

      clock.set(midnight)
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      assert.deepEqual(await counters(store, november), {
        available: 0n,
        held: 780_000n,
        settled: spent,
        expired: 3_220_000n,
      })
      assert.equal((await ledger.balance('alice')).included, usd('2.00'))

      clock.advance(3000)
      const receipt = await settleAt(ledger, 'r1', 481_250n)
      assert.deepEqual([receipt.cost, receipt.charged, receipt.absorbed], [481_250n, 481_250n, 0n])
      assert.equal(receipt.periodKey, '2026-11')
      assert.deepEqual(sources(receipt.paidFrom), [[`grant:${november}`, 481_250n]])
      assert.deepEqual(await counters(store, november), {
        available: 0n,
        held: 0n,
        settled: spent + 481_250n,
        expired: 3_518_750n,
      })
      assert.equal((await ledger.balance('alice')).included, usd('2.00'))
    },
  ),

  ledgerCase(
    'reopens last month’s credit for 1,250 nano beyond a hold of 480,000',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      clock.set(midnight - 2000)
      reserved(await ledger.reserve(holdOf('r1', 480_000n)))
      clock.set(midnight + 1000)
      const receipt = await settleAt(ledger, 'r1', 481_250n)

      assert.deepEqual(sources(receipt.paidFrom), [
        [`grant:${november}`, 480_000n],
        [`grant:${november}`, 1_250n],
      ])
      assert.equal((await counters(store, november))['expired'], usd('2.00') - 481_250n)
    },
  ),

  ledgerCase('absorbs an overrun of 1,250 nano when nothing is left to reopen', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    await spend(ledger, 'r0', usd('0.10') - 480_000n)
    reserved(await ledger.reserve(holdOf('r1', 480_000n)))
    const receipt = await settleAt(ledger, 'r1', 481_250n)
    assert.deepEqual([receipt.charged, receipt.absorbed], [480_000n, 1_250n])
    assert.equal(receipt.attempts[0]?.absorbedReason, 'overrun')

    clock.set(midnight)
    assert.equal((await ledger.balance('alice')).spendable, usd('0.10'), 'December owes nothing for November')
  }),

  ledgerCase('books pay-as-you-go in the month a request began in', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    clock.set(midnight - 1)
    reserved(await ledger.reserve(holdOf('r1', usd('1.00'))))
    clock.set(midnight)
    const fresh = (await ledger.balance('alice')).overage
    assert.deepEqual([fresh.used, fresh.held, fresh.left], [0n, 0n, usd('1.00')])
    const receipt = await settleAt(ledger, 'r1', usd('0.80'))

    assert.deepEqual(sources(receipt.paidFrom), [['overage:2026-11', usd('0.80')]])
    assert.equal((await ledger.balance('alice')).overage.left, usd('1.00'))
    assert.equal(receipt.spendableAfter, usd('1.00'))
  }),

  ledgerCase(
    'draws what exceeds a hold of a month that is over from that month’s limit, while its invoice is not written',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      clock.set(midnight - 1)
      reserved(await ledger.reserve(holdOf('r1', usd('0.50'))))
      clock.set(midnight)
      const receipt = await settleAt(ledger, 'r1', usd('1.20'))

      assert.deepEqual([receipt.charged, receipt.absorbed], [usd('1.00'), usd('0.20')])
      assert.equal(receipt.attempts[0]?.absorbedReason, 'overrun')
      assert.deepEqual(sources(receipt.paidFrom), [
        ['overage:2026-11', usd('0.50')],
        ['overage:2026-11', usd('0.50')],
      ])
      assert.equal((await ledger.balance('alice')).overage.left, usd('1.00'), 'December owes nothing of it')
    },
  ),

  ledgerCase(
    'holds a cost of a month that is over against the limit it had then, not against today’s',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'bare' })
      await give(ledger, 'g1', 10n)
      clock.set(midnight - 1)
      reserved(await ledger.reserve(holdOf('r1', 10n)))
      clock.set(midnight)
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      const receipt = await settleAt(ledger, 'r1', 15n)

      assert.deepEqual([receipt.charged, receipt.absorbed], [10n, 5n], 'November was a hard stop')
    },
  ),

  ledgerCase(
    'owes nothing more for a month whose invoice is written: credit pays, and the rest is absorbed',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      clock.set(midnight - 1)
      reserved(await ledger.reserve(holdOf('r1', usd('0.50'))))
      clock.set(midnight + minute + graceMs)
      const november = { accountId: 'alice', periodKey: '2026-11' }
      assert.equal((await ledger.statements.closePeriod(november)).outcome, 'closed')
      await give(ledger, 'g1', usd('0.30'))
      const receipt = await settleAt(ledger, 'r1', usd('0.80'))

      assert.deepEqual([receipt.charged, receipt.absorbed], [usd('0.30'), usd('0.50')])
      assert.equal(receipt.attempts[0]?.absorbedReason, 'late_after_close')
      assert.deepEqual(sources(receipt.paidFrom), [['grant:g1', usd('0.30')]])
    },
  ),

  ledgerCase('never holds last month’s credit again after it came back', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    clock.set(midnight - 1)
    reserved(await ledger.reserve(holdOf('r1', usd('0.10'))))
    clock.set(midnight + minute + graceMs)

    assert.equal(refused(await ledger.reserve(holdOf('r2', usd('0.10') + 1n))).missing, 1n)
    reserved(await ledger.reserve(holdOf('r3', usd('0.10'))))
  }),

  ledgerCase('pays a late cost of last month from last month’s credit', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    clock.set(midnight - 1)
    reserved(await ledger.reserve(holdOf('r1', usd('0.10'))))
    clock.set(midnight + hour)
    await spend(ledger, 'r2', usd('0.10'))
    const receipt = await settleAt(ledger, 'r1', usd('0.06'))

    assert.deepEqual([receipt.charged, receipt.absorbed], [usd('0.06'), 0n])
    assert.deepEqual(sources(receipt.paidFrom), [['grant:incl:2026-11:100000000', usd('0.06')]])
  }),

  ledgerCase(
    'failure 18: issues a month’s credit once when a hundred requests meet its first moment',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'free' })
      for (let index = 0; index < 10; index += 1) await spend(ledger, `old${index}`, usd('0.01'))
      clock.set(midnight - 1)
      const calls = Array.from({ length: 100 }, async (_, index) => {
        if (index === 50) clock.set(midnight)
        if (index % 30 === 0) await ledger.configure({ accountId: 'alice', planId: 'free' })
        const result = await ledger.reserve(holdOf(`r${index}`, usd('0.01')))
        if (result.outcome === 'reserved') return settleAt(ledger, `r${index}`, usd('0.01'))
        return undefined
      })
      const paid = (await Promise.all(calls)).filter((receipt) => receipt !== undefined)

      assert.equal(paid.length, 10)
      assert.ok(paid.every(({ periodKey }) => periodKey === '2026-12'))
      assert.equal((await ledger.balance('alice')).charged, usd('0.20'))
      assert.equal((await counters(store, 'incl:2026-12:100000000'))['settled'], usd('0.10'))
    },
  ),

  ledgerCase('gives every month of two years its credit and nothing else', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    for (let month = 0; month < 24; month += 1) {
      clock.set(Date.UTC(2026, 11 + month, 1))
      await spend(ledger, `first${month}`, usd('0.03'))
      clock.set(Date.UTC(2026, 12 + month, 1) - 1)
      await spend(ledger, `last${month}`, usd('0.07'))
      refused(await ledger.reserve(holdOf(`more${month}`, 1n)))
    }
    assert.equal((await ledger.balance('alice')).charged, usd('2.40'))
  }),
]
