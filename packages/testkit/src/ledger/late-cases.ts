import assert from 'node:assert/strict'
import { createLedger, nano, usd } from '@farebox/core'
import { doubtful, expected, final, midnight, settleWith, tell, waitMs } from './late-requests.ts'
import { casePlans, caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  counters,
  deed,
  give,
  granted,
  holdOf,
  hour,
  minute,
  readHead,
  refunded,
  reserved,
  served,
  sources,
  spend,
} from './requests.ts'

/** Costs that come after the request is settled, in time. */
export const lateCases: readonly LedgerCase[] = [
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

  ledgerCase(
    'charges the cost that comes from the front, and gives the rest back',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 50n)
      await give(ledger, 'g2', 60n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      await settleWith(ledger, 'r1', expected(70n))
      assert.deepEqual(final(await tell(ledger, 'r1', 51n)), [51n, 51n, 0n, undefined])

      assert.deepEqual(await counters(store, 'g2'), { available: 59n, held: 0n, settled: 1n, expired: 0n })
      const receipt = await ledger.receipt('alice', 'r1')
      assert.deepEqual([receipt?.state, receipt?.cost, receipt?.charged], [undefined, 51n, 51n])
      assert.deepEqual(sources(receipt?.paidFrom ?? []), [
        ['grant:g1', 50n],
        ['grant:g2', 1n],
      ])
      assert.equal(receipt?.attempts[0]?.costSource, 'provider')
    },
  ),

  ledgerCase(
    'pays a cost above what was expected as every overrun: from credit, then the limit',
    async ({ ledger }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await give(ledger, 'g1', 50n)
      reserved(await ledger.reserve(holdOf('r1', 50n)))
      await settleWith(ledger, 'r1', expected(20n))
      assert.deepEqual(final(await tell(ledger, 'r1', 70n)), [70n, 70n, 0n, undefined])

      const receipt = await ledger.receipt('alice', 'r1')
      assert.deepEqual(sources(receipt?.paidFrom ?? []), [
        ['grant:g1', 20n],
        ['grant:g1', 30n],
        ['overage:2026-11', 20n],
      ])
    },
  ),

  ledgerCase('failure 6: absorbs what nobody can pay, and never goes below zero', async ({ ledger }) => {
    await give(ledger, 'g1', 50n)
    reserved(await ledger.reserve(holdOf('r1', 50n)))
    await settleWith(ledger, 'r1', expected(20n))
    await spend(ledger, 'r2', 25n)
    assert.deepEqual(final(await tell(ledger, 'r1', 70n)), [70n, 25n, 45n, 'overrun'])
    assert.equal((await ledger.balance('alice')).spendable, 0n)
  }),

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

  ledgerCase('failure 8: charges an explicit zero as zero', async ({ ledger }) => {
    await give(ledger, 'g1', 50n)
    reserved(await ledger.reserve(holdOf('r1', 50n)))
    await settleWith(ledger, 'r1', expected(20n))
    assert.deepEqual(final(await tell(ledger, 'r1', 0n)), [0n, 0n, 0n, undefined])
    assert.equal((await ledger.balance('alice')).spendable, 50n)
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
    'failure 5: tells a cost once, however often and whoever brings it',
    async ({ ledger, store, clock }) => {
      const other = createLedger({ store, plans: casePlans, clock })
      await give(ledger, 'g1', 50n)
      reserved(await ledger.reserve(holdOf('r1', 50n)))
      await settleWith(ledger, 'r1', expected(20n))
      const results = await Promise.all([ledger, other, ledger, other].map((each) => tell(each, 'r1', 18n)))
      assert.deepEqual(results.map(({ outcome }) => outcome).toSorted(), [
        'already-final',
        'already-final',
        'already-final',
        'reconciled',
      ])
      for (const cost of [18n, 19n, 0n]) {
        const result = await changesNothing(store, () => tell(ledger, 'r1', cost))
        assert.equal(result.outcome, 'already-final')
      }
      assert.equal((await ledger.balance('alice')).charged, 18n)
    },
  ),

  ledgerCase(
    'failure 5: gives the first receipt when a request that waits is settled again',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 50n)
      reserved(await ledger.reserve(holdOf('r1', 50n)))
      const first = await settleWith(ledger, 'r1', expected(20n))
      for (const attempt of [expected(20n), served(50n)]) {
        assert.deepEqual(await changesNothing(store, () => settleWith(ledger, 'r1', attempt)), first)
      }
      await tell(ledger, 'r1', 18n)
      assert.deepEqual(await changesNothing(store, () => settleWith(ledger, 'r1', served(50n))), first)
    },
  ),

  ledgerCase(
    'draws a cost of a month that is over from that month’s limit, also when nothing was expected',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await give(ledger, 'g1', usd('0.50'))
      clock.set(midnight - minute)
      reserved(await ledger.reserve(holdOf('r1', usd('0.50'))))
      await settleWith(ledger, 'r1', { ...served(null), state: 'provisional' })
      await spend(ledger, 'r2', usd('0.50'))
      assert.equal((await ledger.balance('alice')).held, 0n)
      clock.set(midnight)
      assert.deepEqual(final(await tell(ledger, 'r1', usd('1.20'))), [
        usd('1.20'),
        usd('1.00'),
        usd('0.20'),
        'overrun',
      ])
      const { paidFrom } = (await ledger.receipt('alice', 'r1')) ?? {}
      assert.deepEqual(sources(paidFrom ?? []), [['overage:2026-11', usd('1.00')]])
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

  ledgerCase('ends the wait for what is left when some of the costs have come', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 100n)))
    await settleWith(ledger, 'r1', expected(20n, 'b'), expected(10n, 'c'))
    assert.deepEqual(final(await tell(ledger, 'r1', 15n, 'b')), [15n, 15n, 0n, undefined])
    assert.equal((await ledger.balance('alice')).provisional, 10n)
    clock.advance(waitMs)
    assert.deepEqual(await tell(ledger, 'r1', null, 'c'), { outcome: 'unknown-attempt' })
    const { charged, provisional, held, spendable } = await ledger.balance('alice')
    assert.deepEqual([charged, provisional, held, spendable], [15n, 0n, 0n, 85n])
  }),

  ledgerCase(
    'is final for the customer while the operator’s part is still to come',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      await settleWith(ledger, 'r1', doubtful('a'), expected(20n, 'b'))
      await tell(ledger, 'r1', 15n, 'b')
      const refund = await ledger.refund({ ...deed('o1'), requestId: 'r1', attemptId: 'b', amount: nano(5n) })
      assert.equal(refunded(refund).amount, 5n)
      // Without a served attempt the hold was released, and stays so.
      reserved(await ledger.reserve(holdOf('r2', 50n)))
      await settleWith(ledger, 'r2', doubtful('a'))
      assert.deepEqual(final(await tell(ledger, 'r2', 3n, 'a')), [3n, 0n, 3n, 'failed_attempt'])
      const states = await store.transact('alice', ['hold:r1', 'hold:r2'], ({ records }) => ({
        result: [...records.values()].map((hold) => (hold as { state?: unknown }).state),
      }))
      assert.deepEqual(states, ['settled', 'released'])
    },
  ),

  ledgerCase(
    'tells with a late cost whose key asked, and the price it was expected at',
    async ({ ledger }) => {
      await give(ledger, 'g1', 100n)
      const subject = { model: 'large', memberId: 'bob', keyId: 'key', costProviderIds: [], attemptsMax: 1 }
      reserved(await ledger.reserve(holdOf('r1', 50n, { subject })))
      await settleWith(ledger, 'r1', { ...expected(20n), priceVersion: 'v1' })
      await tell(ledger, 'r1', 15n)
      const entry = (await ledger.journal('alice', 0n, 100)).at(-1)
      assert.deepEqual([entry?.kind, entry?.memberId, entry?.terms?.['keyId']], ['reconciled', 'bob', 'key'])
      assert.equal(entry?.attempts?.[0]?.priceVersion, 'v1')
    },
  ),

  ledgerCase('tells what the account could spend after the last of a request’s costs', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 100n)))
    const first = await settleWith(ledger, 'r1', served(30n, 'a'), expected(20n, 'b'), expected(10n, 'c'))
    assert.equal(first.spendableAfter, 40n)
    const spendableAfter = async () => (await ledger.receipt('alice', 'r1'))?.spendableAfter
    await tell(ledger, 'r1', 5n, 'b')
    assert.equal(await spendableAfter(), 55n)
    await tell(ledger, 'r1', 1n, 'c')
    assert.equal(await spendableAfter(), 64n)
  }),

  ledgerCase('charges what is known and waits for the rest of a request', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 100n)))
    const receipt = await settleWith(ledger, 'r1', served(30n, 'a'), expected(20n, 'b'), expected(10n, 'c'))
    assert.deepEqual([receipt.charged, receipt.state], [30n, 'provisional'])
    assert.equal((await ledger.balance('alice')).provisional, 30n)

    assert.deepEqual(final(await tell(ledger, 'r1', 11n, 'c')), [11n, 11n, 0n, undefined])
    assert.equal((await ledger.balance('alice')).provisional, 20n)
    assert.equal((await ledger.receipt('alice', 'r1'))?.state, 'provisional')
    assert.deepEqual(final(await tell(ledger, 'r1', 5n, 'b')), [5n, 5n, 0n, undefined])
    const { charged, held, spendable } = await ledger.balance('alice')
    assert.deepEqual([charged, held, spendable], [46n, 0n, 54n])
    assert.equal((await ledger.receipt('alice', 'r1'))?.state, undefined)
  }),

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

  ledgerCase(
    'refunds an attempt whose cost came late, and none whose cost is still to come',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      await settleWith(ledger, 'r1', expected(40n))
      const request = { ...deed('o1'), requestId: 'r1', attemptId: 'attempt' }
      assert.equal((await changesNothing(store, () => ledger.refund(request))).outcome, 'not-final')
      await tell(ledger, 'r1', 30n)
      assert.equal(refunded(await ledger.refund(request)).amount, 30n)
      const receipt = await ledger.receipt('alice', 'r1')
      assert.deepEqual([receipt?.charged, receipt?.refunded], [30n, 30n])
      assert.equal((await ledger.balance('alice')).spendable, 100n)
    },
  ),

  ledgerCase(
    'lists what waits for a cost until it came, with the accounts to look after',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      await settleWith(ledger, 'r1', expected(40n, 'a'))
      assert.deepEqual((await ledger.accountsDue(null)).accountIds, ['alice'])
      const { late } = await ledger.unresolved('alice')
      assert.deepEqual(
        late.map(({ reservationId, state, late: waits }) => [
          reservationId,
          state,
          waits?.attempts.map(({ attemptId, providerId }) => [attemptId, providerId]),
          waits?.untilMs,
        ]),
        [['r1', 'provisional', [['a', 'provider']], clock.now() + waitMs]],
      )
      await tell(ledger, 'r1', 30n, 'a')
      assert.deepEqual((await ledger.accountsDue(null)).accountIds, [])
    },
  ),
]
