import assert from 'node:assert/strict'
import { createLedger, nano, usd } from '@farebox/core'
import { doubtful, expected, final, midnight, settleWith, tell, waitMs } from './late-requests.ts'
import { casePlans, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  counters,
  deed,
  give,
  holdOf,
  minute,
  refunded,
  reserved,
  served,
  sources,
  spend,
} from './requests.ts'

/** Costs that come after the request is settled, in time. */
export const lateCases: readonly LedgerCase[] = [
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

  ledgerCase('failure 8: charges an explicit zero as zero', async ({ ledger }) => {
    await give(ledger, 'g1', 50n)
    reserved(await ledger.reserve(holdOf('r1', 50n)))
    await settleWith(ledger, 'r1', expected(20n))
    assert.deepEqual(final(await tell(ledger, 'r1', 0n)), [0n, 0n, 0n, undefined])
    assert.equal((await ledger.balance('alice')).spendable, 50n)
  }),

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
