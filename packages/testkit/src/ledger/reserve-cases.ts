import assert from 'node:assert/strict'
import { nano, usd } from '@farebox/core'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  give,
  holdOf,
  minute,
  refused,
  reserved,
  settleAt,
  sources,
  spend,
  traceable,
} from './requests.ts'

/** Money that is set aside before a request, or refused. */
export const reserveCases: readonly LedgerCase[] = [
  ledgerCase('takes no part of a grant that is used up', async ({ ledger }) => {
    await give(ledger, 'g1', 10n)
    await spend(ledger, 'r1', 10n)
    await give(ledger, 'g2', 10n)
    assert.deepEqual(sources(reserved(await ledger.reserve(holdOf('r2', 4n))).parts), [['grant:g2', 4n]])
  }),

  ledgerCase('reserves the last nano and refuses one more', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 99n)))
    assert.equal(refused(await ledger.reserve(holdOf('r2', 2n))).missing, 1n)
    reserved(await ledger.reserve(holdOf('r3', 1n)))
    assert.equal(refused(await ledger.reserve(holdOf('r4', 1n))).missing, 1n)

    const { spendable, held } = await ledger.balance('alice')
    assert.deepEqual([spendable, held], [0n, 100n])
  }),

  ledgerCase('tells with a refusal what is missing and what would help', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await give(ledger, 'g1', 30n)
    reserved(await ledger.reserve(holdOf('r1', 10n)))
    const refusal = await ledger.reserve(holdOf('r2', usd('2.00'), { minimum: usd('1.50') }))

    assert.deepEqual(refusal, {
      outcome: 'insufficient',
      limit: 'spending-limit',
      memberCap: null,
      keyCap: null,
      missing: usd('0.50') - 20n,
      spendable: usd('1.00') + 20n,
      held: 10n,
      planId: 'metered',
      overageLimit: usd('1.00'),
      periodKey: '2026-11',
      resetsAtMs: Date.UTC(2026, 11, 1),
    })
  }),

  ledgerCase('writes nothing when it refuses', async ({ ledger, store }) => {
    await give(ledger, 'g1', 30n)
    refused(await changesNothing(store, () => ledger.reserve(holdOf('r1', 31n))))
  }),

  ledgerCase(
    'writes nothing when it refuses, also when credit expired and a month began',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'free' })
      clock.set(Date.UTC(2027, 0, 1))
      refused(await changesNothing(store, () => ledger.reserve(holdOf('r1', usd('0.10') + 1n))))
      reserved(await ledger.reserve(holdOf('r1', usd('0.10'))))
    },
  ),

  ledgerCase(
    'refuses an account that was never written, and does not create it',
    async ({ ledger, store }) => {
      refused(await ledger.reserve(holdOf('r1', 1n)))
      assert.deepEqual((await store.scan('all', null, 10)).accountIds, [])
    },
  ),

  ledgerCase('sets nothing aside for a request that is free', async ({ ledger }) => {
    const hold = reserved(await ledger.reserve(holdOf('r1', 0n)))
    assert.deepEqual(hold.parts, [])
    assert.equal((await settleAt(ledger, 'r1', 0n)).charged, 0n)
  }),

  ledgerCase('takes what there is when that is at least the minimum', async ({ ledger, store }) => {
    await give(ledger, 'g1', 50n)
    const above = changesNothing(store, () => ledger.reserve(holdOf('r1', 100n, { minimum: nano(51n) })))
    assert.equal(refused(await above).missing, 1n)
    assert.equal(reserved(await ledger.reserve(holdOf('r2', 100n, { minimum: nano(50n) }))).amount, 50n)
    assert.equal(reserved(await ledger.reserve(holdOf('r3', 100n, { minimum: nano(0n) }))).amount, 0n)
  }),

  ledgerCase('takes no more than was asked for when there is more', async ({ ledger }) => {
    await give(ledger, 'g1', 500n)
    assert.equal(reserved(await ledger.reserve(holdOf('r1', 100n, { minimum: nano(1n) }))).amount, 100n)
  }),

  ledgerCase('holds over several sources, credit first and pay-as-you-go last', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    await give(ledger, 'g1', usd('1.00'))
    const hold = reserved(await ledger.reserve(holdOf('r1', usd('3.50'))))

    assert.deepEqual(sources(hold.parts), [
      ['grant:incl:2026-11:2000000000', usd('2.00')],
      ['grant:g1', usd('1.00')],
      ['overage:2026-11', usd('0.50')],
    ])
  }),

  ledgerCase(
    'stops a hard-stopped account at exactly its credit, whatever its spending limit',
    async ({ ledger }) => {
      await ledger.configure({ accountId: 'alice', planId: 'free', spendingLimit: usd('50.00') })
      assert.equal(refused(await ledger.reserve(holdOf('r1', usd('0.10') + 1n))).overageLimit, 0n)
      await spend(ledger, 'r2', usd('0.10'))
      assert.equal(refused(await ledger.reserve(holdOf('r3', 1n))).missing, 1n)
      assert.equal((await ledger.balance('alice')).overage.used, 0n)
    },
  ),

  ledgerCase('failure 16: reserves once for one id, however often it is sent', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    const first = await ledger.reserve(holdOf('r1', 60n))

    assert.deepEqual(await changesNothing(store, () => ledger.reserve(holdOf('r1', 60n))), first)
    assert.equal((await ledger.balance('alice')).held, 60n)
  }),

  ledgerCase('reports a conflict when an id comes back with other content', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const others = [
      holdOf('r1', 61n),
      holdOf('r1', 60n, { minimum: nano(1n) }),
      holdOf('r1', 60n, { subject: { ...traceable, model: 'other' } }),
    ]
    for (const other of others) {
      const result = await changesNothing(store, () => ledger.reserve(other))
      assert.equal(result.outcome, 'conflict')
    }
  }),

  ledgerCase(
    'tells two requests apart whose names only read the same in a row',
    async ({ ledger, store }) => {
      const named = (model: string, memberId: string | undefined, ...costProviderIds: string[]) =>
        holdOf('r1', 0n, {
          subject: { model, ...(memberId !== undefined && { memberId }), costProviderIds, attemptsMax: 1 },
        })
      reserved(await ledger.reserve(named('a|b', undefined, 'x', 'y')))
      for (const other of [
        named('a', 'b|', 'x', 'y'),
        named('a|b', '', 'x', 'y'),
        named('a|b', undefined, 'x,y'),
      ]) {
        const result = await changesNothing(store, () => ledger.reserve(other))
        assert.equal(result.outcome, 'conflict')
      }
    },
  ),

  ledgerCase(
    'says that a hold is over when its id is sent again after it was settled',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      await spend(ledger, 'r1', 60n)
      const again = reserved(await changesNothing(store, () => ledger.reserve(holdOf('r1', 60n))))

      assert.equal(again.state, 'settled')
      assert.equal((await ledger.receipt('alice', 'r1'))?.charged, 60n)
    },
  ),

  ledgerCase('refuses amounts that make no sense', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    const wrong = [
      holdOf('r1', -1n),
      holdOf('r1', 10n, { minimum: nano(11n) }),
      holdOf('r1', 10n, { minimum: nano(-1n) }),
    ]
    await changesNothing(store, async () => {
      for (const request of wrong) await assert.rejects(() => ledger.reserve(request), RangeError)
    })
  }),

  ledgerCase(
    'failure 3: refuses a hold whose time is not a number, because it would never end',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      await changesNothing(store, async () => {
        for (const timeToLiveMs of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5]) {
          await assert.rejects(() => ledger.reserve(holdOf('r1', 10n, { timeToLiveMs })), RangeError)
        }
      })
    },
  ),

  ledgerCase('keeps the time a hold was given', async ({ ledger, clock }) => {
    const hold = reserved(await ledger.reserve(holdOf('r1', 0n, { timeToLiveMs: 5 * minute })))
    assert.equal(hold.createdAtMs, clock.now())
    assert.equal(hold.expiresAtMs, clock.now() + 5 * minute)
    assert.equal(hold.periodKey, '2026-11')
  }),

  ledgerCase('counts amounts beyond 2^53 and 2^63 to the nano', async ({ ledger }) => {
    const amount = 2n ** 70n + 1n
    await give(ledger, 'g1', amount)
    assert.equal(refused(await ledger.reserve(holdOf('r1', amount + 1n))).missing, 1n)
    assert.equal((await spend(ledger, 'r2', amount - 1n)).charged, 2n ** 70n)
    assert.equal((await ledger.balance('alice')).spendable, 1n)
  }),
]
