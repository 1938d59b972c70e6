import assert from 'node:assert/strict'
import { nano } from '@farebox/core'
import { caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  counters,
  day,
  give,
  graceMs,
  granted,
  holdOf,
  hour,
  minute,
  refused,
  reserved,
  resolveWithinMs,
  settleAt,
  sources,
  spend,
  traceable,
} from './requests.ts'

/** Nothing to look after. */
const quiet = { reservations: [], late: [], released: [], hasMore: false }

const untraceable = { ...traceable, costProviderIds: [] }

/** Holds that nobody settled in time. */
export const expiryCases: readonly LedgerCase[] = [
  ledgerCase(
    'failure 3: keeps a hold through its time and its grace, and not longer',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      clock.advance(minute + graceMs - 1)
      assert.equal((await ledger.balance('alice')).held, 60n)
      clock.advance(1)
      const { held, spendable } = await ledger.balance('alice')
      assert.deepEqual([held, spendable], [0n, 100n])
    },
  ),

  ledgerCase(
    'failure 3: gives an expired hold’s credit to the next request without any timer',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      refused(await ledger.reserve(holdOf('r2', 1n)))
      clock.advance(minute + graceMs)
      reserved(await ledger.reserve(holdOf('r3', 100n)))
    },
  ),

  ledgerCase(
    'failure 3: never refuses because of expired holds, however many there are',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      for (let index = 0; index < 100; index += 1) reserved(await ledger.reserve(holdOf(`old${index}`, 1n)))
      clock.advance(minute + graceMs)

      reserved(await ledger.reserve(holdOf('r1', 100n)))
    },
  ),

  ledgerCase('releases at once what nobody can tell the cost of', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    clock.advance(minute + graceMs)

    assert.deepEqual(await ledger.unresolved('alice'), { ...quiet, released: ['r1'] })
    assert.deepEqual(await ledger.unresolved('alice'), quiet)
    const [, entry, ...more] = await ledger.journal('alice', 0n, 10)
    assert.equal(entry?.kind, 'released', 'the journal says what was given back without knowing its cost')
    assert.deepEqual([entry.requestId, entry.terms?.['amount'], entry.postings, more], ['r1', 60n, [], []])
  }),

  ledgerCase('books a release for the member whose request it was', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n, { subject: { ...untraceable, memberId: 'bob' } })))
    reserved(await ledger.reserve(holdOf('r2', 10n, { subject: untraceable })))
    clock.advance(minute + graceMs)
    await ledger.unresolved('alice')
    const released = await ledger.journal('alice', 1n, 10)

    assert.deepEqual(released.map(({ requestId, memberId }) => [requestId, memberId]).toSorted(), [
      ['r1', 'bob'],
      ['r2', undefined],
    ])
  }),

  ledgerCase(
    'keeps the money of a hold whose provider can be asked, until the time to ask is over',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n, { subject: traceable })))
      assert.deepEqual((await ledger.unresolved('alice')).reservations, [], 'it is under way')
      clock.advance(minute + graceMs)
      for (const elapsed of [0, resolveWithinMs - 1]) {
        clock.set(caseStartMs + minute + graceMs + elapsed)
        const { reservations, released } = await ledger.unresolved('alice')
        assert.deepEqual(
          reservations.map(({ reservationId, state }) => [reservationId, state]),
          [['r1', 'unresolved']],
        )
        assert.deepEqual(released, [])
        assert.equal((await ledger.balance('alice')).held, 60n)
      }

      clock.advance(1)
      assert.deepEqual(await ledger.unresolved('alice'), { ...quiet, released: ['r1'] })
      assert.equal((await ledger.balance('alice')).spendable, 100n)
    },
  ),

  ledgerCase('settles an unresolved hold at the cost its provider tells, once', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n, { subject: traceable })))
    clock.advance(hour)
    assert.equal((await ledger.unresolved('alice')).reservations.length, 1)
    const first = await settleAt(ledger, 'r1', 44n)
    assert.equal(first.charged, 44n)
    assert.deepEqual(await settleAt(ledger, 'r1', 60n), first)

    clock.advance(day)
    assert.deepEqual(await ledger.unresolved('alice'), quiet)
    assert.equal((await ledger.balance('alice')).spendable, 56n)
  }),

  ledgerCase(
    'lists a hold as unresolved at least once, however late the first one asks after a crash',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n, { subject: traceable })))
      clock.advance(3 * day)

      assert.equal((await ledger.unresolved('alice')).reservations.length, 1)
      assert.deepEqual((await ledger.unresolved('alice')).released, ['r1'])
    },
  ),

  ledgerCase(
    'failure 3: never refuses because of a hold whose time to be asked about is over',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      for (let index = 0; index < 40; index += 1) {
        reserved(await ledger.reserve(holdOf(`old${index}`, 2n, { subject: traceable })))
      }
      reserved(await ledger.reserve(holdOf('extended', 10n, { timeToLiveMs: 2 * hour })))
      clock.advance(minute + graceMs + resolveWithinMs - 1)
      refused(await ledger.reserve(holdOf('early', 11n)))
      clock.advance(1)

      reserved(await ledger.reserve(holdOf('r1', 80n)))
      const more = { accountId: 'alice', reservationId: 'extended', ordinal: 1, timeToLiveMs: 0 }
      assert.equal((await ledger.extend({ ...more, amount: nano(10n) })).outcome, 'extended')
    },
  ),

  ledgerCase(
    'failure 3: needs nobody to look after a hold for its credit to come back in the end',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 100n, { subject: traceable })))
      clock.advance(minute + graceMs + resolveWithinMs - 1)
      refused(await ledger.reserve(holdOf('r2', 1n)))
      clock.advance(1)
      reserved(await ledger.reserve(holdOf('r3', 100n)))
    },
  ),

  ledgerCase(
    'failure 3: gives the first who comes the credit of a hold that nobody has looked after in all its time',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 100n, { subject: traceable })))
      clock.advance(minute + graceMs + resolveWithinMs)
      reserved(await ledger.reserve(holdOf('r2', 100n)))
    },
  ),

  ledgerCase('makes no hold smaller because of holds that have expired', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    for (let index = 0; index < 50; index += 1) reserved(await ledger.reserve(holdOf(`old${index}`, 2n)))
    clock.advance(minute + graceMs)

    assert.equal(reserved(await ledger.reserve(holdOf('r1', 100n, { minimum: nano(1n) }))).amount, 100n)
  }),

  ledgerCase(
    'charges a hold that is settled after it was released, from what is there then',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      clock.advance(hour)
      assert.deepEqual((await ledger.unresolved('alice')).released, ['r1'])
      const receipt = await settleAt(ledger, 'r1', 44n)

      assert.deepEqual([receipt.charged, receipt.absorbed, receipt.spendableAfter], [44n, 0n, 56n])
      assert.deepEqual(await settleAt(ledger, 'r1', 50n), receipt)
    },
  ),

  ledgerCase(
    'charges an expired hold the same when settling is the first to notice',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      clock.advance(hour)
      const receipt = await settleAt(ledger, 'r1', 44n)

      assert.deepEqual([receipt.charged, receipt.absorbed, receipt.spendableAfter], [44n, 0n, 56n])
    },
  ),

  ledgerCase(
    'absorbs a late cost when the released credit went to someone else',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      clock.advance(hour)
      await spend(ledger, 'r2', 90n)
      const receipt = await settleAt(ledger, 'r1', 44n)

      assert.deepEqual([receipt.charged, receipt.absorbed], [10n, 34n])
      assert.equal(receipt.attempts[0]?.absorbedReason, 'overrun')
    },
  ),

  ledgerCase(
    'pays a late cost from the credit that its hold had pinned, though that has expired',
    async ({ ledger, store, clock }) => {
      const expiresAtMs = caseStartMs + hour
      granted(await ledger.grant({ accountId: 'alice', grantId: 'old', amount: nano(100n), expiresAtMs }))
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      clock.advance(2 * hour)
      assert.deepEqual((await ledger.unresolved('alice')).released, ['r1'])
      assert.deepEqual(await counters(store, 'old'), { available: 0n, held: 0n, settled: 0n, expired: 100n })

      assert.deepEqual(sources((await settleAt(ledger, 'r1', 44n)).paidFrom), [['grant:old', 44n]])
      assert.deepEqual(await counters(store, 'old'), { available: 0n, held: 0n, settled: 44n, expired: 56n })
    },
  ),

  ledgerCase('lists the accounts that have holds to look after', async ({ ledger, clock }) => {
    for (const accountId of ['alice', 'bob', 'carol']) {
      granted(await ledger.grant({ accountId, grantId: 'g1', amount: nano(10n) }))
    }
    const dueIn = (timeToLiveMs: number) => ({ timeToLiveMs, subject: traceable })
    reserved(await ledger.reserve(holdOf('r1', 1n, dueIn(minute))))
    reserved(await ledger.reserve({ ...holdOf('r2', 1n, dueIn(30 * day)), accountId: 'bob' }))
    clock.advance(hour)
    assert.deepEqual((await ledger.accountsDue(null)).accountIds, ['alice'])

    await settleAt(ledger, 'r1', 1n)
    assert.deepEqual(await ledger.accountsDue(null), { accountIds: [], cursor: null })
  }),

  ledgerCase('looks after a balance without writing', async ({ ledger, store, clock }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    clock.advance(hour)
    const balance = await changesNothing(store, () => ledger.balance('alice'))
    assert.deepEqual([balance.held, balance.spendable], [0n, 100n])
  }),
]
