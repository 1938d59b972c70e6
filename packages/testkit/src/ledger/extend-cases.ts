import assert from 'node:assert/strict'
import { type ExtendRequest, nano, usd } from '@farebox/core'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  extended,
  give,
  graceMs,
  holdOf,
  minute,
  reserved,
  settleAt,
  sources,
  spend,
} from './requests.ts'

const december = Date.UTC(2026, 11, 1)

function more(reservationId: string, ordinal: number, amount: bigint, timeToLiveMs = 0): ExtendRequest {
  return { accountId: 'alice', reservationId, ordinal, amount: nano(amount), timeToLiveMs }
}

/** Holds that need more money or more time. */
export const extendCases: readonly LedgerCase[] = [
  ledgerCase('adds money and time to a hold', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    const before = reserved(await ledger.reserve(holdOf('r1', 60n)))
    const after = extended(await ledger.extend(more('r1', 1, 30n, minute)))

    assert.equal(after.amount, 90n)
    assert.deepEqual(sources(after.parts), [['grant:g1', 90n]])
    assert.equal(after.expiresAtMs, before.expiresAtMs + minute)
    assert.equal((await ledger.balance('alice')).spendable, 10n)
  }),

  ledgerCase('adds from the sources that are left, in draw order', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await give(ledger, 'g1', 50n)
    await give(ledger, 'g2', 60n)
    reserved(await ledger.reserve(holdOf('r1', 40n)))
    extended(await ledger.extend(more('r1', 1, 20n)))
    const hold = extended(await ledger.extend(more('r1', 2, 70n)))
    assert.deepEqual(sources(hold.parts), [
      ['grant:g1', 50n],
      ['grant:g2', 60n],
      ['overage:2026-11', 20n],
    ])

    const receipt = await settleAt(ledger, 'r1', 55n)
    assert.deepEqual(sources(receipt.paidFrom), [
      ['grant:g1', 50n],
      ['grant:g2', 5n],
    ])
    assert.equal(receipt.spendableAfter, 55n + usd('1.00'))
  }),

  ledgerCase(
    'failure 16: changes nothing when the last extension is sent again',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 10n)))
      const first = await ledger.extend(more('r1', 1, 30n, minute))

      assert.deepEqual(await changesNothing(store, () => ledger.extend(more('r1', 1, 30n, minute))), first)
    },
  ),

  ledgerCase('refuses an extension that does not follow the last one', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 10n)))
    extended(await ledger.extend(more('r1', 1, 1n)))
    extended(await ledger.extend(more('r1', 2, 1n)))
    for (const ordinal of [1, 4, 5]) {
      const result = await changesNothing(store, () => ledger.extend(more('r1', ordinal, 1n)))
      assert.equal(result.outcome, 'not-held')
    }
  }),

  ledgerCase('extends to the last nano and refuses one more without writing', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const result = await changesNothing(store, () => ledger.extend(more('r1', 1, 41n, minute)))
    assert.deepEqual(result, { outcome: 'insufficient', missing: 1n })

    extended(await ledger.extend(more('r1', 1, 40n)))
    assert.equal((await ledger.balance('alice')).spendable, 0n)
  }),

  ledgerCase('extends the time alone when no credit is left', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 60n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    extended(await ledger.extend(more('r1', 1, 0n, minute)))
    clock.advance(minute + graceMs)
    assert.equal((await ledger.balance('alice')).held, 60n)
    clock.advance(minute)
    assert.equal((await ledger.balance('alice')).held, 0n)
  }),

  ledgerCase(
    'does not extend what is unknown, settled, released or expired',
    async ({ ledger, store, clock }) => {
      await give(ledger, 'g1', 100n)
      await spend(ledger, 'settled', 1n)
      reserved(await ledger.reserve(holdOf('released', 1n)))
      await ledger.settle({ accountId: 'alice', reservationId: 'released', attempts: [] })
      reserved(await ledger.reserve(holdOf('expired', 1n)))
      clock.advance(minute + graceMs)
      for (const reservationId of ['unknown', 'settled', 'released', 'expired']) {
        const result = await changesNothing(store, () => ledger.extend(more(reservationId, 1, 1n)))
        assert.equal(result.outcome, 'not-held', reservationId)
      }
    },
  ),

  ledgerCase(
    'extends a request of a month that is over by credit of now and that month’s limit, so that one invoice has all of it',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      clock.set(december - 1)
      reserved(await ledger.reserve(holdOf('r1', usd('0.40'))))
      clock.set(december)
      await give(ledger, 'g1', usd('0.10'))
      const above = await changesNothing(store, () => ledger.extend(more('r1', 1, usd('0.70') + 1n)))
      assert.deepEqual(above, { outcome: 'insufficient', missing: 1n })
      assert.deepEqual(sources(extended(await ledger.extend(more('r1', 1, usd('0.70')))).parts), [
        ['overage:2026-11', usd('1.00')],
        ['grant:g1', usd('0.10')],
      ])
      assert.equal((await ledger.balance('alice')).overage.left, usd('1.00'), 'December holds nothing of it')
      const receipt = await settleAt(ledger, 'r1', usd('1.10'))

      assert.equal(receipt.charged, usd('1.10'))
      const closed = await ledger.statements.closePeriod({ accountId: 'alice', periodKey: '2026-11' })
      assert.equal(closed.outcome === 'closed' && closed.invoice.overage, usd('1.00'))
    },
  ),

  ledgerCase('still extends a hold within its grace', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 10n)))
    clock.advance(minute + graceMs - 1)
    extended(await ledger.extend(more('r1', 1, 10n, minute)))
  }),

  ledgerCase(
    'refuses to extend downwards, by no number, or before the first time',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 10n)))
      const wrong = [
        more('r1', 1, -1n),
        more('r1', 1, 1n, -1),
        more('r1', 1, 1n, Number.NaN),
        more('r1', 1, 1n, Number.POSITIVE_INFINITY),
        more('r1', 0, 1n),
        more('r1', 0.5, 1n),
      ]
      await changesNothing(store, async () => {
        for (const request of wrong) await assert.rejects(() => ledger.extend(request), RangeError)
      })
    },
  ),

  ledgerCase(
    'failure 3: never refuses to extend because of holds that have expired, however many',
    async ({ ledger, clock }) => {
      // One more than is looked after in passing leaves a single nano missing; fifty take several rounds.
      for (const [round, expired] of [17, 50].entries()) {
        const [id, rest] = [`r${round}`, 100n - BigInt(expired)]
        await give(ledger, `g${round}`, 100n)
        for (let index = 0; index < expired; index += 1) {
          reserved(await ledger.reserve(holdOf(`old${round}-${index}`, 1n)))
        }
        clock.advance(minute)
        reserved(await ledger.reserve(holdOf(id, rest)))
        clock.advance(graceMs)

        assert.equal(extended(await ledger.extend(more(id, 1, 100n - rest))).amount, 100n)
        await settleAt(ledger, id, 100n)
      }
    },
  ),
]
