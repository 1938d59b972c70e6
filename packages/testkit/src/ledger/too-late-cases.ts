import assert from 'node:assert/strict'
import { createLedger, usd } from '@farebox/core'
import { doubtful, expected, final, midnight, settleWith, tell, waitMs } from './late-requests.ts'
import { casePlans, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  day,
  failed,
  give,
  holdOf,
  hour,
  minute,
  refused,
  reserved,
  served,
  settled,
  spend,
} from './requests.ts'

/** Costs that never come, that come too late, and that nobody waited for. */
export const tooLateCases: readonly LedgerCase[] = [
  ledgerCase('books what was given up apart from what was waived', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 10n)))
    reserved(await ledger.reserve(holdOf('r2', 10n)))
    await settleWith(ledger, 'r2', expected(5n))
    clock.advance(hour)
    await give(ledger, 'g2', 1n)
    const entries = await ledger.journal('alice', 0n, 100)
    const released = entries.filter(({ kind }) => kind === 'released')
    assert.deepEqual(released.map(({ opId, terms }) => [opId, terms?.['reason']]).toSorted(), [
      ['release:r1', 'cost_unknown'],
      ['waive:r2', 'waived_late_cost'],
    ])
  }),

  ledgerCase(
    'has the operator pay for a failed attempt whose cost nobody knew, and for no other one',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 50n)))
      const attempts = [failed(null, 'a'), failed(null, 'b')]
      settled(await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts }))
      const other = await changesNothing(store, () => tell(ledger, 'r1', 3n, 'c'))
      assert.equal(other.outcome, 'unknown-attempt')
      assert.deepEqual(final(await tell(ledger, 'r1', 0n, 'a')), [0n, 0n, 0n, undefined])
      assert.deepEqual(final(await tell(ledger, 'r1', 3n, 'b')), [3n, 0n, 3n, 'failed_attempt'])
      const again = await changesNothing(store, () => tell(ledger, 'r1', 4n, 'b'))
      assert.equal(again.outcome, 'already-final')
      const { charged, absorbed, spendable } = await ledger.balance('alice')
      assert.deepEqual([charged, absorbed, spendable], [0n, 3n, 100n])
    },
  ),

  ledgerCase(
    'charges nothing when no cost comes within half an hour, and gives all of it back',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 50n)
      reserved(await ledger.reserve(holdOf('r1', 50n)))
      await settleWith(ledger, 'r1', expected(20n))
      clock.advance(waitMs - 1)
      refused(await ledger.reserve(holdOf('r2', 31n)))
      clock.advance(1)
      reserved(await ledger.reserve(holdOf('r2', 50n)))

      const receipt = await ledger.receipt('alice', 'r1')
      assert.deepEqual([receipt?.state, receipt?.charged, receipt?.attempts[0]?.cost], [undefined, 0n, null])
      const entry = (await ledger.journal('alice', 2n, 1))[0]
      assert.deepEqual(
        [entry?.kind, entry?.requestId, entry?.terms?.['reason']],
        ['released', 'r1', 'waived_late_cost'],
      )
    },
  ),

  ledgerCase('absorbs a cost that comes after the wait, once', async ({ ledger, store, clock }) => {
    await give(ledger, 'g1', 50n)
    reserved(await ledger.reserve(holdOf('r1', 50n)))
    await settleWith(ledger, 'r1', expected(20n))
    clock.advance(waitMs)
    assert.deepEqual(final(await tell(ledger, 'r1', 18n)), [18n, 0n, 18n, 'waived_late_cost'])

    const again = await changesNothing(store, () => tell(ledger, 'r1', 18n))
    assert.equal(again.outcome, 'already-final')
    const { spendable, absorbed } = await ledger.balance('alice')
    assert.deepEqual([spendable, absorbed], [50n, 18n])
    assert.equal((await ledger.receipt('alice', 'r1'))?.cost, 18n)
  }),

  ledgerCase(
    'goes on waiting when a provider will never tell what another attempt has cost',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 50n)
      reserved(await ledger.reserve(holdOf('r1', 50n)))
      await settleWith(ledger, 'r1', served(5n, 'a'), expected(20n, 'b'))
      for (const other of ['a', 'c']) {
        const result = await changesNothing(store, () => tell(ledger, 'r1', null, other))
        assert.equal(result.outcome, 'unknown-attempt')
      }
      assert.equal((await ledger.balance('alice')).provisional, 20n)
    },
  ),

  ledgerCase('ends the wait at once when the provider will never tell', async ({ ledger, store }) => {
    await give(ledger, 'g1', 50n)
    reserved(await ledger.reserve(holdOf('r1', 50n)))
    await settleWith(ledger, 'r1', expected(20n))
    assert.deepEqual(await tell(ledger, 'r1', null), { outcome: 'wait-ended' })
    assert.equal((await ledger.balance('alice')).spendable, 50n)
    const again = await changesNothing(store, () => tell(ledger, 'r1', null))
    assert.equal(again.outcome, 'unknown-attempt')
  }),

  ledgerCase(
    'absorbs what a failed attempt turns out to cost, and lets the customer’s part be final',
    async ({ ledger }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      const receipt = await settleWith(ledger, 'r1', doubtful('a'), served(30n, 'b'))
      assert.deepEqual([receipt.charged, receipt.spendableAfter], [30n, 70n])
      assert.deepEqual((await ledger.unresolved('alice')).late.length, 1)

      assert.deepEqual(final(await tell(ledger, 'r1', 9n, 'a')), [9n, 0n, 9n, 'failed_attempt'])
      const final2 = await ledger.receipt('alice', 'r1')
      assert.deepEqual(
        [final2?.state, final2?.cost, final2?.charged, final2?.absorbed],
        [undefined, 39n, 30n, 9n],
      )
      assert.deepEqual((await ledger.unresolved('alice')).late, [])
    },
  ),

  ledgerCase(
    'absorbs what an attempt costs of a request of which nothing was charged',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      const receipt = await settleWith(ledger, 'r1', doubtful('a'))
      assert.deepEqual([receipt.seq, receipt.spendableAfter], [null, 100n])
      assert.deepEqual(final(await tell(ledger, 'r1', 9n, 'a')), [9n, 0n, 9n, 'failed_attempt'])
      assert.equal((await ledger.receipt('alice', 'r1'))?.absorbed, 9n)
      await changesNothing(store, () => tell(ledger, 'r1', 9n, 'a'))
    },
  ),

  ledgerCase(
    'stops asking about a failed attempt when the wait is over, and books a cost that still comes',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      await settleWith(ledger, 'r1', doubtful('a'), served(30n, 'b'))
      clock.advance(waitMs)
      assert.deepEqual((await ledger.unresolved('alice')).late, [])
      assert.deepEqual((await ledger.accountsDue(null)).accountIds, [])
      assert.deepEqual(final(await tell(ledger, 'r1', 9n, 'a')), [9n, 0n, 9n, 'failed_attempt'])
    },
  ),

  ledgerCase(
    'lists a request as released once: not again when the wait for its failed attempt is over',
    async ({ ledger, store, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      await settleWith(ledger, 'r1', doubtful('a'))
      const before = await changesNothing(store, () => ledger.unresolved('alice'))
      assert.deepEqual([before.late.length, before.released], [1, []])
      clock.advance(waitMs)
      const after = await ledger.unresolved('alice')
      assert.deepEqual([after.late, after.released], [[], []])
    },
  ),

  ledgerCase(
    'writes no invoice of a period while one of its costs is still to come',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      clock.set(midnight - minute)
      reserved(await ledger.reserve(holdOf('r1', usd('0.50'))))
      await settleWith(ledger, 'r1', expected(usd('0.20')))
      clock.set(midnight)
      const close = () => ledger.statements.closePeriod({ accountId: 'alice', periodKey: '2026-11' })
      assert.deepEqual(await close(), { outcome: 'open-holds', reservationIds: ['r1'] })
      assert.deepEqual(final(await tell(ledger, 'r1', usd('0.30'))), [
        usd('0.30'),
        usd('0.30'),
        0n,
        undefined,
      ])
      const result = await close()
      assert.equal(result.outcome === 'closed' && result.invoice.overage, usd('0.30'))
    },
  ),

  ledgerCase('tells which attempts it does not know, and writes nothing', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 10n)
    const cases: [id: string, attemptId: string, outcome: string][] = [
      ['r2', 'attempt', 'unknown-attempt'],
      ['r1', 'other', 'unknown-attempt'],
      ['r1', 'attempt', 'already-final'],
    ]
    for (const [id, attemptId, outcome] of cases) {
      const result = await changesNothing(store, () => tell(ledger, id, 9n, attemptId))
      assert.equal(result.outcome, outcome)
    }
    await changesNothing(store, () => assert.rejects(() => tell(ledger, 'r1', -1n), RangeError))
  }),

  ledgerCase(
    'failure 19: keeps waiting over a restart, and needs no timer to end',
    async ({ ledger, store, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      await settleWith(ledger, 'r1', expected(40n))
      const later = createLedger({ store, plans: casePlans, clock })
      assert.equal((await later.unresolved('alice')).late.length, 1)
      clock.advance(3 * day)
      reserved(await later.reserve(holdOf('r2', 100n, { timeToLiveMs: hour })))
      assert.equal((await later.balance('alice')).provisional, 0n)
    },
  ),
]
