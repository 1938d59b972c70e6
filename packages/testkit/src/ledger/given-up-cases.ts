import assert from 'node:assert/strict'
import type { FakeClock, Ledger } from '@farebox/core'
import { expected, final, tell } from './late-requests.ts'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  failed,
  give,
  graceMs,
  holdOf,
  minute,
  reserved,
  resolveWithinMs,
  served,
  settleAt,
  settled,
  traceable,
} from './requests.ts'

/** Costs of requests whose process died or was asleep, told after they were given up. */
export const givenUpCases: readonly LedgerCase[] = [
  ledgerCase(
    'absorbs a cost of a request that died and was given up, once',
    async ({ ledger, store, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n, { subject: traceable })))
      assert.equal((await changesNothing(store, () => tell(ledger, 'r1', 44n))).outcome, 'not-settled')
      clock.advance(minute + graceMs)
      await ledger.unresolved('alice')
      assert.equal((await tell(ledger, 'r1', 44n)).outcome, 'not-settled')
      clock.advance(resolveWithinMs)
      assert.deepEqual((await ledger.unresolved('alice')).released, ['r1'])
      assert.deepEqual(final(await tell(ledger, 'r1', 44n)), [44n, 0n, 44n, 'crash_unknown'])
      await changesNothing(store, () => tell(ledger, 'r1', 44n))
      // Its own process was only asleep, and settles after all: what is booked is not booked again.
      const receipt = await settleAt(ledger, 'r1', 44n)
      assert.deepEqual([receipt.charged, receipt.absorbed], [0n, 0n])
      const again = await changesNothing(store, () => tell(ledger, 'r1', 44n))
      assert.equal(again.outcome, 'already-final')
      const { charged, absorbed, spendable } = await ledger.balance('alice')
      assert.deepEqual([charged, absorbed, spendable], [0n, 44n, 100n])
    },
  ),

  ledgerCase(
    'absorbs what other attempts cost of a request that died, once, though it is settled',
    async ({ ledger, store, clock }) => {
      await leaveUnsettled(ledger, clock)
      const known = { accountId: 'alice', reservationId: 'r1', attempts: [served(40n, 'r1.2')] }
      settled(await ledger.settle({ ...known, untold: ['r1.1', 'r1.3'] }))
      const { held, spendable } = await ledger.balance('alice')
      assert.deepEqual([held, spendable], [0n, 60n])
      assert.equal((await ledger.unresolved('alice')).late.length, 1)

      assert.deepEqual(final(await tell(ledger, 'r1', 9n, 'r1.1')), [9n, 0n, 9n, 'crash_unknown'])
      await changesNothing(store, () => tell(ledger, 'r1', 9n, 'r1.1'))
      await changesNothing(store, () => tell(ledger, 'r1', 40n, 'r1.2'))
      await changesNothing(store, () => tell(ledger, 'r1', 5n, 'r1.4'))
      clock.advance(resolveWithinMs)
      assert.deepEqual((await ledger.unresolved('alice')).late, [])
      assert.deepEqual((await ledger.accountsDue(null)).accountIds, [])
      assert.deepEqual(final(await tell(ledger, 'r1', 5n, 'r1.3')), [5n, 0n, 5n, 'crash_unknown'])
      const receipt = await ledger.receipt('alice', 'r1')
      assert.deepEqual([receipt?.state, receipt?.charged, receipt?.absorbed], [undefined, 40n, 14n])
    },
  ),

  ledgerCase(
    'books what a process knows that was only asleep when its request was settled without it',
    async ({ ledger, store, clock }) => {
      await leaveUnsettled(ledger, clock)
      const request = { accountId: 'alice', reservationId: 'r1' }
      settled(await ledger.settle({ ...request, attempts: [served(40n, 'r1.1')], untold: ['r1.2', 'r1.3'] }))

      const attempts = [failed(40n, 'r1.1'), served(30n, 'r1.2'), failed(null, 'r1.3')]
      const receipt = settled(await ledger.settle({ ...request, attempts }))
      assert.deepEqual([receipt.charged, receipt.absorbed], [40n, 0n])
      await changesNothing(store, () => ledger.settle({ ...request, attempts }))
      await changesNothing(store, () => tell(ledger, 'r1', 30n, 'r1.2'))
      assert.deepEqual(final(await tell(ledger, 'r1', 5n, 'r1.3')), [5n, 0n, 5n, 'crash_unknown'])
      const now = await ledger.receipt('alice', 'r1')
      assert.deepEqual([now?.charged, now?.absorbed], [40n, 35n])
      assert.equal((await ledger.balance('alice')).spendable, 60n)
    },
  ),

  ledgerCase(
    'books no reason for a cost of nothing that a process knows which was only asleep, and no cost that is to come',
    async ({ ledger, store, clock }) => {
      await leaveUnsettled(ledger, clock)
      const request = { accountId: 'alice', reservationId: 'r1' }
      settled(await ledger.settle({ ...request, attempts: [served(40n, 'r1.1')], untold: ['r1.2', 'r1.3'] }))
      const late = [expected(30n, 'r1.3')]
      await changesNothing(store, () => ledger.settle({ ...request, attempts: late }))

      await ledger.settle({ ...request, attempts: [failed(0n, 'r1.2'), ...late] })
      const receipt = await ledger.receipt('alice', 'r1')
      assert.deepEqual(
        receipt?.attempts.map(({ attemptId, cost, absorbedReason }) => [attemptId, cost, absorbedReason]),
        [
          ['r1.1', 40n, undefined],
          ['r1.2', 0n, undefined],
        ],
      )
    },
  ),
]

/** A request of up to three attempts, whose process has not been heard of for too long. */
async function leaveUnsettled(ledger: Ledger, clock: FakeClock): Promise<void> {
  await give(ledger, 'g1', 100n)
  reserved(await ledger.reserve(holdOf('r1', 60n, { subject: { ...traceable, attemptsMax: 3 } })))
  clock.advance(minute + graceMs)
  await ledger.unresolved('alice')
}
