import assert from 'node:assert/strict'
import { type Ledger, nano, type SettledAttempt } from '@farebox/core'
import { charging, doubtful, expected, final, settleWith, tell, waitMs } from './late-requests.ts'
import { type LedgerCase, type LedgerContext, ledgerCase } from './ledger-case.ts'
import { changesNothing, deed, give, holdOf, refunded, reserved, served } from './requests.ts'

/** A request that held 50, and whose wait for these costs is over, on a ledger that charges the estimate then. */
async function waitedOut(
  context: LedgerContext,
  credit: bigint,
  ...attempts: readonly SettledAttempt[]
): Promise<Ledger> {
  const ledger = charging(context)
  await give(ledger, 'g1', credit)
  reserved(await ledger.reserve(holdOf('r1', 50n)))
  await settleWith(ledger, 'r1', ...attempts)
  context.clock.advance(waitMs)
  return ledger
}

/** Costs that never come, or too late, where what was expected is charged instead. */
export const estimateCases: readonly LedgerCase[] = [
  ledgerCase('compares each cost that comes too late with its own estimate', async (context) => {
    const { store } = context
    const ledger = await waitedOut(context, 100n, expected(20n, 'b'), expected(10n, 'c'))
    await give(ledger, 'g2', 1n)
    assert.equal((await ledger.balance('alice')).charged, 30n)
    for (const [attemptId, cost] of [
      ['b', 20n],
      ['c', 10n],
    ] as const) {
      const result = await changesNothing(store, () => tell(ledger, 'r1', cost, attemptId))
      assert.equal(result.outcome, 'already-final')
    }
  }),

  ledgerCase('charges what was expected when no cost comes, where that is the rule', async (context) => {
    const ledger = await waitedOut(context, 50n, expected(20n))
    assert.equal((await ledger.balance('alice')).charged, 20n)
    reserved(await ledger.reserve(holdOf('r2', 30n)))

    const receipt = await ledger.receipt('alice', 'r1')
    assert.deepEqual([receipt?.charged, receipt?.attempts[0]?.costSource], [20n, 'estimate'])
  }),

  ledgerCase('absorbs what a cost that comes too late exceeds the estimate by, once', async (context) => {
    const { store } = context
    const ledger = await waitedOut(context, 50n, expected(20n))
    assert.deepEqual(final(await tell(ledger, 'r1', 27n)), [7n, 0n, 7n, 'waived_late_cost'])
    await changesNothing(store, () => tell(ledger, 'r1', 27n))
    const receipt = await ledger.receipt('alice', 'r1')
    assert.deepEqual([receipt?.cost, receipt?.charged, receipt?.absorbed], [27n, 20n, 7n])
  }),

  ledgerCase('still knows the other costs of a request when one exceeds its estimate', async (context) => {
    const { store } = context
    const ledger = await waitedOut(context, 100n, expected(20n, 'b'), expected(10n, 'c'))
    assert.deepEqual(final(await tell(ledger, 'r1', 27n, 'b')), [7n, 0n, 7n, 'waived_late_cost'])
    const receipt = await ledger.receipt('alice', 'r1')
    assert.deepEqual([receipt?.cost, receipt?.charged, receipt?.absorbed], [37n, 30n, 7n])
    const other = await changesNothing(store, () => tell(ledger, 'r1', 10n, 'c'))
    assert.ok(other.outcome === 'already-final')
    assert.deepEqual([other.attempt.charged, other.attempt.costSource], [10n, 'estimate'])
  }),

  ledgerCase(
    'leaves what was charged by an estimate as it is when the provider says that it will never tell',
    async (context) => {
      const { store } = context
      const ledger = await waitedOut(context, 50n, expected(20n))
      await give(ledger, 'g2', 1n)
      const never = await changesNothing(store, () => tell(ledger, 'r1', null))
      assert.equal(never.outcome, 'already-final')
      assert.equal((await ledger.balance('alice')).charged, 20n)
    },
  ),

  ledgerCase(
    'failure 8: estimates nothing for a failed attempt when the wait is over: its cost stays unknown',
    async (context) => {
      const ledger = await waitedOut(context, 100n, doubtful('a'), expected(20n, 'b'))
      await give(ledger, 'g2', 1n)
      const receipt = await ledger.receipt('alice', 'r1')
      assert.deepEqual(
        receipt?.attempts.map(({ cost }) => cost),
        [null, 20n],
      )
      assert.deepEqual(final(await tell(ledger, 'r1', 9n, 'a')), [9n, 0n, 9n, 'failed_attempt'])
    },
  ),

  ledgerCase(
    'failure 8: gives back what was charged beyond a cost that comes too late, once',
    async (context) => {
      const { store } = context
      const ledger = await waitedOut(context, 50n, expected(20n))
      assert.equal((await tell(ledger, 'r1', 12n)).outcome, 'already-final')
      assert.equal((await changesNothing(store, () => tell(ledger, 'r1', 12n))).outcome, 'already-final')
      const { charged, refunded: back, spendable } = await ledger.balance('alice')
      assert.deepEqual([charged, back, spendable], [20n, 8n, 38n])
    },
  ),

  ledgerCase(
    'failure 8: gives back only what was charged beyond the cost, when an estimate could be charged in part',
    async (context) => {
      const { clock } = context
      const ledger = charging(context)
      for (const [id, cost, back] of [
        ['r1', 12n, undefined],
        ['r2', 5n, undefined],
        ['r3', 3n, 2n],
        ['r4', 0n, 5n],
      ] as const) {
        const left = (await ledger.balance('alice')).spendable
        await give(ledger, `g-${id}`, 5n)
        reserved(await ledger.reserve(holdOf(id, left + 5n)))
        await settleWith(ledger, id, served(left, 'a'), expected(20n, 'b'))
        clock.advance(waitMs)
        await give(ledger, `after ${id}`, 1n)
        const told = await tell(ledger, id, cost, 'b')
        assert.ok(told.outcome === 'already-final')
        assert.deepEqual([told.attempt.charged, told.attempt.absorbed], [5n, 15n], id)
        assert.equal((await ledger.receipt('alice', id))?.refunded, back, id)
      }
    },
  ),

  ledgerCase(
    'gives back no more than is left when some of what was charged beyond the cost was refunded by hand',
    async (context) => {
      const { clock } = context
      const ledger = charging(context)
      await give(ledger, 'g1', 100n)
      for (const [id, byHand, back] of [
        ['r1', 15n, 20n],
        ['r2', 20n, 20n],
        ['r3', 12n, 20n],
        ['r4', 11n, 19n],
      ] as const) {
        reserved(await ledger.reserve(holdOf(id, 25n)))
        await settleWith(ledger, id, expected(20n))
        clock.advance(waitMs)
        await give(ledger, `after ${id}`, 1n)
        const refund = { ...deed(`o-${id}`), requestId: id, attemptId: 'attempt', amount: nano(byHand) }
        refunded(await ledger.refund(refund))
        assert.equal((await tell(ledger, id, 12n)).outcome, 'already-final')
        assert.equal((await ledger.receipt('alice', id))?.refunded, back)
      }
    },
  ),
]
