import assert from 'node:assert/strict'
import { expected, final, settleWith, tell, waitMs } from './late-requests.ts'
import { caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import { parts, refund } from './refund-requests.ts'
import {
  changesNothing,
  day,
  failed,
  give,
  holdOf,
  readHead,
  refunded,
  reserved,
  served,
  settleAt,
  settled,
  spend,
} from './requests.ts'

/** What an attempt was charged, given back. */
export const refundCases: readonly LedgerCase[] = [
  ledgerCase('leaves balances as if the request had never been', async ({ ledger, store }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await give(ledger, 'g1', 50n)
    await give(ledger, 'g2', 60n)
    const { grants } = await readHead(store)
    const before = await ledger.balance('alice')
    await spend(ledger, 'r1', 130n)
    refunded(await refund(ledger, 'r1'))

    assert.deepEqual((await readHead(store)).grants, grants)
    assert.deepEqual(await ledger.balance('alice'), { ...before, charged: 130n, refunded: 130n })
  }),

  ledgerCase('refunds to the last nano and not one more', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 40n)
    const above = await changesNothing(store, () => refund(ledger, 'r1', { amount: 41n }))
    assert.deepEqual(above, { outcome: 'above-refundable', refundable: 40n })
    refunded(await refund(ledger, 'r1', { amount: 39n }))
    const still = await changesNothing(store, () => refund(ledger, 'r1', { opId: 'o2', amount: 2n }))
    assert.deepEqual(still, { outcome: 'above-refundable', refundable: 1n })
    refunded(await refund(ledger, 'r1', { opId: 'o2' }))
    const none = await changesNothing(store, () => refund(ledger, 'r1', { opId: 'o3' }))
    assert.deepEqual(none, { outcome: 'above-refundable', refundable: 0n })
    const { spendable, charged, refunded: total } = await ledger.balance('alice')
    assert.deepEqual([spendable, charged, total], [100n, 40n, 40n])
  }),

  ledgerCase('refunds each attempt up to what it was charged', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const attempts = [failed(7n, 'a'), served(20n, 'b'), served(10n, 'c')]
    settled(await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts }))

    const refusals: [string, bigint, bigint][] = [
      ['a', 1n, 0n],
      ['b', 21n, 20n],
      ['c', 11n, 10n],
    ]
    for (const [attemptId, amount, refundable] of refusals) {
      const result = await changesNothing(store, () => refund(ledger, 'r1', { attemptId, amount }))
      assert.deepEqual(result, { outcome: 'above-refundable', refundable })
    }
    assert.equal(refunded(await refund(ledger, 'r1', { attemptId: 'b' })).amount, 20n)
    assert.equal(refunded(await refund(ledger, 'r1', { attemptId: 'c', opId: 'o2' })).amount, 10n)
    assert.equal((await ledger.balance('alice')).spendable, 100n)
  }),

  ledgerCase(
    'failure 29: refunds once for one id, and tells another content apart',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      await spend(ledger, 'r1', 40n)
      const first = await refund(ledger, 'r1', { amount: 10n })
      assert.deepEqual(await changesNothing(store, () => refund(ledger, 'r1', { amount: 10n })), first)
      for (const other of [{ amount: 11n }, {}, { amount: 10n, attemptId: 'b' }]) {
        const result = await changesNothing(store, () => refund(ledger, 'r1', other))
        assert.equal(result.outcome, 'conflict')
      }
    },
  ),

  ledgerCase('refunds once when the same refund arrives ten times at once', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 40n)
    const results = await Promise.all(Array.from({ length: 10 }, () => refund(ledger, 'r1')))
    for (const result of results) assert.deepEqual(result, results[0])
    assert.equal((await ledger.balance('alice')).spendable, 100n)
  }),

  ledgerCase('gives back no more than was charged when ten refunds arrive at once', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 40n)
    const all = Array.from({ length: 10 }, (_, index) =>
      refund(ledger, 'r1', { opId: `o${index}`, amount: 9n }),
    )
    const outcomes = (await Promise.all(all)).map(({ outcome }) => outcome)
    assert.equal(outcomes.filter((outcome) => outcome === 'refunded').length, 4)
    assert.equal((await ledger.balance('alice')).refunded, 36n)
  }),

  ledgerCase(
    'gives back no more of an attempt than it was charged, whatever others of its request were',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      const attempts = [served(20n, 'b'), served(30n, 'c')]
      settled(await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts }))
      refunded(await refund(ledger, 'r1', { attemptId: 'b', amount: 5n }))
      const above = await changesNothing(store, () =>
        refund(ledger, 'r1', { opId: 'o2', attemptId: 'b', amount: 16n }),
      )
      assert.deepEqual(above, { outcome: 'above-refundable', refundable: 15n })
      assert.equal(refunded(await refund(ledger, 'r1', { opId: 'o3', attemptId: 'b' })).amount, 15n)
      assert.equal(refunded(await refund(ledger, 'r1', { opId: 'o4', attemptId: 'c' })).amount, 30n)
    },
  ),

  ledgerCase(
    'keeps refunds of an attempt apart from those of one whose cost came later',
    async ({ ledger }) => {
      await give(ledger, 'g1', 50n)
      await give(ledger, 'g2', 60n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      await settleWith(ledger, 'r1', served(40n, 'now'), expected(30n, 'later'))
      assert.deepEqual(final(await tell(ledger, 'r1', 30n, 'later')), [30n, 30n, 0n, undefined])
      assert.deepEqual(parts(await refund(ledger, 'r1', { attemptId: 'later', amount: 25n })), [
        ['grant:g2', 'available', 20n],
        ['grant:g1', 'available', 5n],
      ])
      assert.deepEqual(parts(await refund(ledger, 'r1', { opId: 'o2', attemptId: 'now' })), [
        ['grant:g1', 'available', 40n],
      ])
      assert.equal(refunded(await refund(ledger, 'r1', { opId: 'o3', attemptId: 'later' })).amount, 5n)
    },
  ),

  ledgerCase(
    'refunds what is final while another cost is to come, and nothing that was waived',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      await settleWith(ledger, 'r1', served(40n, 'now'), expected(30n, 'later'))
      assert.equal((await refund(ledger, 'r1', { attemptId: 'later' })).outcome, 'not-final')
      assert.equal(refunded(await refund(ledger, 'r1', { attemptId: 'now', amount: 10n })).amount, 10n)
      clock.advance(waitMs)
      const waived = await refund(ledger, 'r1', { opId: 'o2', attemptId: 'later' })
      assert.deepEqual(waived, { outcome: 'above-refundable', refundable: 0n })
    },
  ),

  ledgerCase('books a refund under the key that asked', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    const subject = { model: 'large', keyId: 'key', costProviderIds: [], attemptsMax: 1 }
    reserved(await ledger.reserve(holdOf('r1', 60n, { subject })))
    await settleAt(ledger, 'r1', 40n)
    await refund(ledger, 'r1')
    assert.equal((await ledger.journal('alice', 2n, 1))[0]?.terms?.['keyId'], 'key')
  }),

  ledgerCase('shows in the receipt what was refunded', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    const receipt = await spend(ledger, 'r1', 40n)
    assert.equal(receipt.refunded, undefined)
    await refund(ledger, 'r1', { amount: 15n })
    await refund(ledger, 'r1', { amount: 5n, opId: 'o2' })
    assert.deepEqual(await ledger.receipt('alice', 'r1'), { ...receipt, refunded: 20n })
    assert.deepEqual(await settleAt(ledger, 'r1', 1n), receipt, 'settling again gives the first receipt')
  }),

  ledgerCase('books a refund with its request, its attempt, who gave it, and why', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    const subject = { model: 'large', memberId: 'bob', costProviderIds: [], attemptsMax: 1 }
    reserved(await ledger.reserve(holdOf('r1', 60n, { subject })))
    await settleAt(ledger, 'r1', 40n)
    await refund(ledger, 'r1')
    const entry = (await ledger.journal('alice', 2n, 1))[0]

    assert.deepEqual([entry?.kind, entry?.requestId, entry?.memberId], ['refunded', 'r1', 'bob'])
    assert.deepEqual(
      { ...entry?.terms },
      {
        attemptId: 'attempt',
        amount: 40n,
        model: 'large',
        periodKey: '2026-11',
        providerId: 'provider',
        actor: 'support',
        reason: 'a test',
      },
    )
  }),

  ledgerCase('refunds an old request by the number of its entry, for 400 days', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    const { seq } = await spend(ledger, 'r1', 40n)
    assert.ok(seq !== null)
    clock.set(caseStartMs + 400 * day)
    assert.equal(refunded(await refund(ledger, 'r1', { seq, amount: 10n })).amount, 10n)
    clock.advance(1)
    assert.equal((await refund(ledger, 'r1', { seq, opId: 'o2' })).outcome, 'too-old')
  }),

  ledgerCase('knows no attempt of requests that were not charged', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('held', 10n)))
    reserved(await ledger.reserve(holdOf('released', 10n)))
    await ledger.settle({ accountId: 'alice', reservationId: 'released', attempts: [] })
    await spend(ledger, 'r1', 5n)
    const seqs = [undefined, 1n, 99n]
    for (const requestId of ['held', 'released', 'unknown']) {
      for (const seq of seqs) {
        const options = seq === undefined ? {} : { seq }
        const result = await changesNothing(store, () => refund(ledger, requestId, options))
        assert.equal(result.outcome, 'unknown-attempt')
      }
    }
    const other = await changesNothing(store, () => refund(ledger, 'r1', { attemptId: 'other' }))
    assert.equal(other.outcome, 'unknown-attempt')
    const wrong = await changesNothing(store, () => refund(ledger, 'r2', { seq: 2n }))
    assert.equal(wrong.outcome, 'unknown-attempt', 'the entry is of another request')
  }),

  ledgerCase('refuses to refund nothing or less', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 40n)
    await changesNothing(store, async () => {
      for (const amount of [0n, -1n]) await assert.rejects(() => refund(ledger, 'r1', { amount }), RangeError)
    })
  }),
]
