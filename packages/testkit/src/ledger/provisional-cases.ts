import assert from 'node:assert/strict'
import { nano, usd } from '@farebox/core'
import { expected, final, midnight, settleWith, tell } from './late-requests.ts'
import { caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  counters,
  give,
  granted,
  holdOf,
  hour,
  minute,
  readHead,
  reserved,
  served,
  sources,
  spend,
} from './requests.ts'

/** What is set aside for a cost that is to come, and what becomes of it. */
export const provisionalCases: readonly LedgerCase[] = [
  ledgerCase(
    'shrinks a hold to what is expected, and gives the rest back at once',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 50n)
      await give(ledger, 'g2', 60n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      const receipt = await settleWith(ledger, 'r1', expected(55n))

      assert.deepEqual(
        [receipt.state, receipt.cost, receipt.charged, receipt.paidFrom],
        ['provisional', 0n, 0n, []],
      )
      assert.deepEqual(
        receipt.attempts.map(({ state, cost, estimate }) => [state, cost, estimate]),
        [['provisional', null, 55n]],
      )
      const { spendable, held, provisional } = await ledger.balance('alice')
      assert.deepEqual([spendable, held, provisional], [55n, 55n, 55n])
      assert.deepEqual(await counters(store, 'g2'), { available: 55n, held: 5n, settled: 0n, expired: 0n })
    },
  ),

  ledgerCase('holds all there is when more is expected than was held', async ({ ledger }) => {
    await give(ledger, 'g1', 50n)
    reserved(await ledger.reserve(holdOf('r1', 30n)))
    await settleWith(ledger, 'r1', expected(40n))
    assert.equal((await ledger.balance('alice')).provisional, 30n)
    assert.deepEqual(final(await tell(ledger, 'r1', 40n)), [40n, 40n, 0n, undefined])
  }),

  ledgerCase(
    'shares a hold that is too small out to the costs to come in their order, the first in full',
    async ({ ledger }) => {
      await give(ledger, 'g1', 50n)
      reserved(await ledger.reserve(holdOf('r1', 30n)))
      await settleWith(ledger, 'r1', expected(20n, 'b'), expected(20n, 'c'), expected(20n, 'd'))
      const [hold] = (await ledger.unresolved('alice')).late
      assert.deepEqual(
        hold?.late?.attempts.map(({ attemptId, held }) => [attemptId, held]),
        [
          ['b', 20n],
          ['c', 10n],
          ['d', 0n],
        ],
      )
      assert.deepEqual(final(await tell(ledger, 'r1', 5n, 'd')), [5n, 5n, 0n, undefined])
      const { spendable, provisional } = await ledger.balance('alice')
      assert.deepEqual(
        [spendable, provisional],
        [15n, 30n],
        'it was paid from what is left, not from the hold',
      )
    },
  ),

  ledgerCase(
    'sets nothing aside for an attempt that failed, whatever it is expected to cost',
    async ({ ledger }) => {
      await give(ledger, 'g1', 50n)
      reserved(await ledger.reserve(holdOf('r1', 50n)))
      const doubted = { ...expected(30n, 'a'), outcome: 'failed', payer: 'operator' } as const
      await settleWith(ledger, 'r1', doubted, expected(10n, 'b'))
      const { spendable, provisional } = await ledger.balance('alice')
      assert.deepEqual([spendable, provisional], [40n, 10n])
    },
  ),

  ledgerCase('keeps no part of a hold from which nothing is to come', async ({ ledger }) => {
    for (const grantId of ['g1', 'g2', 'g3']) await give(ledger, grantId, 50n)
    reserved(await ledger.reserve(holdOf('r1', 150n)))
    await settleWith(ledger, 'r1', served(50n, 'a'), expected(20n, 'b'))
    const [hold] = (await ledger.unresolved('alice')).late
    assert.deepEqual(sources(hold?.parts ?? []), [['grant:g2', 20n]])
  }),

  // A request of 30 November, 23:59:58 that holds 780,000 of 4,000,000 that are left, in four steps.
  ledgerCase(
    'keeps a request over a month’s end in the month it began, through hold, estimate and cost',
    async ({ ledger, store, clock }) => {
      const november = 'incl:2026-11:2000000000'
      const spent = usd('2.00') - 4_000_000n
      await ledger.configure({ accountId: 'alice', planId: 'pro', spendingLimit: usd('10.00') })
      await spend(ledger, 'r0', spent)
      clock.set(midnight - 2000)
      reserved(await ledger.reserve(holdOf('r1', 780_000n)))
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
      clock.advance(2000)
      await settleWith(ledger, 'r1', expected(480_000n))
      assert.deepEqual(await counters(store, november), {
        available: 0n,
        held: 480_000n,
        settled: spent,
        expired: 3_520_000n,
      })
      clock.advance(minute)
      assert.deepEqual(final(await tell(ledger, 'r1', 481_250n)), [481_250n, 481_250n, 0n, undefined])
      assert.deepEqual(await counters(store, november), {
        available: 0n,
        held: 0n,
        settled: spent + 481_250n,
        expired: 3_518_750n,
      })
      assert.equal((await ledger.balance('alice')).included, usd('2.00'), 'December has paid nothing of it')
    },
  ),

  ledgerCase(
    'opens no line of pay-as-you-go for a month that is over and has none, also when a cost is to come',
    async ({ ledger, store, clock }) => {
      await give(ledger, 'g1', 50n)
      clock.set(midnight - hour)
      reserved(await ledger.reserve(holdOf('r1', 50n)))
      clock.set(midnight - minute)
      await ledger.unresolved('alice')
      clock.set(midnight)
      await settleWith(ledger, 'r1', expected(20n))
      assert.deepEqual((await readHead(store)).overage, [])
      assert.deepEqual(final(await tell(ledger, 'r1', 20n)), [20n, 20n, 0n, undefined])
    },
  ),

  ledgerCase(
    'reopens credit that has expired since for a cost above what was expected',
    async ({ ledger, store, clock }) => {
      const expiresAtMs = caseStartMs + 10 * minute
      granted(await ledger.grant({ accountId: 'alice', grantId: 'old', amount: nano(100n), expiresAtMs }))
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      await settleWith(ledger, 'r1', expected(40n))
      clock.set(expiresAtMs)
      await give(ledger, 'new', 50n)
      assert.deepEqual(await counters(store, 'old'), { available: 0n, held: 40n, settled: 0n, expired: 60n })
      assert.deepEqual(final(await tell(ledger, 'r1', 110n)), [110n, 110n, 0n, undefined])
      assert.deepEqual(await counters(store, 'old'), { available: 0n, held: 0n, settled: 100n, expired: 0n })
      assert.equal((await ledger.balance('alice')).spendable, 40n)
    },
  ),

  ledgerCase(
    'expires what comes back of credit that expired under the wait',
    async ({ ledger, store, clock }) => {
      const expiresAtMs = caseStartMs + 10 * minute
      granted(await ledger.grant({ accountId: 'alice', grantId: 'old', amount: nano(100n), expiresAtMs }))
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      await settleWith(ledger, 'r1', expected(40n))
      clock.set(expiresAtMs)
      await tell(ledger, 'r1', 10n)
      assert.deepEqual(await counters(store, 'old'), { available: 0n, held: 0n, settled: 10n, expired: 90n })
    },
  ),
]
