import assert from 'node:assert/strict'
import { nano, type SettledAttempt, usd } from '@farebox/core'
import { caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  counters,
  day,
  failed,
  give,
  granted,
  holdOf,
  hour,
  reserved,
  served,
  settleAt,
  settled,
  sources,
  spend,
} from './requests.ts'

const settle = (attempts: readonly SettledAttempt[], reservationId = 'r1') => ({
  accountId: 'alice',
  reservationId,
  attempts,
})

/** What a request cost, and who pays it. */
export const settleCases: readonly LedgerCase[] = [
  ledgerCase('charges exactly the hold when that is the cost', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const receipt = await settleAt(ledger, 'r1', 60n)

    assert.deepEqual([receipt.cost, receipt.charged, receipt.absorbed], [60n, 60n, 0n])
    assert.equal(receipt.spendableAfter, 40n)
    assert.deepEqual(await counters(store, 'g1'), { available: 40n, held: 0n, settled: 60n, expired: 0n })
  }),

  ledgerCase(
    'charges a cost below the hold from the front and gives the rest back',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 50n)
      await give(ledger, 'g2', 60n)
      reserved(await ledger.reserve(holdOf('r1', 110n)))
      const receipt = await settleAt(ledger, 'r1', 51n)

      assert.deepEqual(sources(receipt.paidFrom), [
        ['grant:g1', 50n],
        ['grant:g2', 1n],
      ])
      assert.deepEqual(await counters(store, 'g2'), { available: 59n, held: 0n, settled: 1n, expired: 0n })
    },
  ),

  ledgerCase('failure 8: charges an explicit zero as zero', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const receipt = await settleAt(ledger, 'r1', 0n)

    assert.deepEqual([receipt.cost, receipt.charged, receipt.spendableAfter], [0n, 0n, 100n])
    assert.deepEqual(receipt.paidFrom, [])
    assert.equal(receipt.seq, 2n, 'a cost of zero is booked, because it is known')
  }),

  ledgerCase('releases the whole hold when no attempt was made', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const receipt = settled(await ledger.settle(settle([])))

    assert.deepEqual([receipt.cost, receipt.charged, receipt.seq], [0n, 0n, null])
    const { spendable, held } = await ledger.balance('alice')
    assert.deepEqual([spendable, held], [100n, 0n])
  }),

  ledgerCase('releases the whole hold when nobody knows a cost, and books nothing', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const receipt = settled(await ledger.settle(settle([failed(null, 'r1.1'), served(null, 'r1.2')])))

    assert.deepEqual(
      receipt.attempts.map(({ cost, charged, absorbed }) => [cost, charged, absorbed]),
      [
        [null, 0n, 0n],
        [null, 0n, 0n],
      ],
    )
    assert.equal(receipt.seq, null)
    assert.equal((await ledger.journal('alice', 0n, 10)).length, 1)
    assert.equal((await ledger.balance('alice')).spendable, 100n)
  }),

  ledgerCase(
    'expires what comes back of credit that expired under its hold',
    async ({ ledger, store, clock }) => {
      const expiresAtMs = caseStartMs + hour
      granted(await ledger.grant({ accountId: 'alice', grantId: 'old', amount: nano(100n), expiresAtMs }))
      reserved(await ledger.reserve(holdOf('r1', 40n, { timeToLiveMs: day })))
      clock.advance(hour)
      const receipt = await settleAt(ledger, 'r1', 10n)

      assert.equal(receipt.charged, 10n)
      assert.deepEqual(await counters(store, 'old'), { available: 0n, held: 0n, settled: 10n, expired: 90n })
    },
  ),

  ledgerCase(
    'books what expired under a hold, also when its request had no cost',
    async ({ ledger, store, clock }) => {
      const expiresAtMs = caseStartMs + hour
      granted(await ledger.grant({ accountId: 'alice', grantId: 'old', amount: nano(100n), expiresAtMs }))
      reserved(await ledger.reserve(holdOf('r1', 100n, { timeToLiveMs: day })))
      clock.advance(hour)
      const receipt = settled(await ledger.settle(settle([])))

      const entry = (await ledger.journal('alice', 0n, 10)).at(-1)
      assert.deepEqual([entry?.kind, entry?.seq], ['settled', receipt.seq])
      assert.deepEqual(entry?.postings, [
        { source: 'grant:old', from: 'available', to: 'expired', amount: 100n },
      ])
      assert.deepEqual([receipt.charged, receipt.paidFrom], [0n, []])
      assert.deepEqual(await counters(store, 'old'), { available: 0n, held: 0n, settled: 0n, expired: 100n })
    },
  ),

  ledgerCase(
    'failure 15: absorbs what a failed attempt cost and charges only the served one',
    async ({ ledger }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      const receipt = settled(
        await ledger.settle(settle([failed(7n, 'r1.1'), failed(null, 'r1.2'), served(30n, 'r1.3')])),
      )

      assert.deepEqual(
        receipt.attempts.map(({ attemptId, cost, charged, absorbed, absorbedReason }) => [
          attemptId,
          cost,
          charged,
          absorbed,
          absorbedReason,
        ]),
        [
          ['r1.1', 7n, 0n, 7n, 'failed_attempt'],
          ['r1.2', null, 0n, 0n, undefined],
          ['r1.3', 30n, 30n, 0n, undefined],
        ],
      )
      assert.deepEqual([receipt.cost, receipt.charged, receipt.absorbed], [37n, 30n, 7n])
      assert.equal((await ledger.balance('alice')).spendable, 70n)
    },
  ),

  ledgerCase('failure 15: charges several served attempts, the first ones first', async ({ ledger }) => {
    await give(ledger, 'g1', 50n)
    reserved(await ledger.reserve(holdOf('r1', 50n)))
    const receipt = settled(
      await ledger.settle(settle([served(30n, 'a'), served(15n, 'b'), served(10n, 'c')])),
    )

    assert.deepEqual(
      receipt.attempts.map(({ charged, absorbed }) => [charged, absorbed]),
      [
        [30n, 0n],
        [15n, 0n],
        [5n, 5n],
      ],
    )
  }),

  ledgerCase(
    'failure 5: charges once and gives the first receipt when it is settled again',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      const first = await settleAt(ledger, 'r1', 20n)

      for (const attempts of [[served(20n)], [served(55n)], [], [failed(9n)]]) {
        const again = settled(await changesNothing(store, () => ledger.settle(settle(attempts))))
        assert.deepEqual(again, first)
      }
    },
  ),

  ledgerCase('gives the whole receipt again, after a month too', async ({ ledger, store, clock }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const usage = { quantities: { input_token: 12n, compute_second: '1.25' }, certainty: 'exact' as const }
    const attempts = [failed(3n, 'r1.1'), { ...served(70n, 'r1.2'), usage, priceVersion: 'v1' }]
    const first = settled(await ledger.settle(settle(attempts)))
    clock.advance(39 * day)

    assert.deepEqual(settled(await changesNothing(store, () => ledger.settle(settle([])))), first)
    assert.deepEqual(await ledger.receipt('alice', 'r1'), first)
  }),

  ledgerCase(
    'gives the first receipt also when the first settling released the hold',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      const first = settled(await ledger.settle(settle([])))

      assert.deepEqual(await changesNothing(store, () => settleAt(ledger, 'r1', 20n)), first)
    },
  ),

  ledgerCase(
    'keeps no list of attempts to ask about for a request whose process knew all of them',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      await spend(ledger, 'r1', 20n)
      const hold = await store.transact('alice', ['hold:r1'], ({ records }) => ({
        result: records.get('hold:r1') as object | undefined,
      }))
      assert.ok(hold !== undefined)
      assert.equal('untold' in hold, false)
    },
  ),

  ledgerCase('charges nothing for a hold that it does not know', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve({ ...holdOf('r1', 0n), accountId: 'bob' }))
    for (const reservationId of ['r1', 'r2', '']) {
      const result = await changesNothing(store, () => ledger.settle(settle([served(1n)], reservationId)))
      assert.equal(result.outcome, 'unknown-reservation')
    }
  }),

  ledgerCase('refuses a negative cost and keeps the hold', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    for (const attempts of [[served(-1n)], [failed(-1n)], [served(10n), served(-10n)]]) {
      await changesNothing(store, () => assert.rejects(() => ledger.settle(settle(attempts)), /negative/))
    }
    assert.equal((await ledger.balance('alice')).held, 60n)
  }),

  ledgerCase('keeps the receipt under the request’s id', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    const subject = { model: 'large', memberId: 'bob', costProviderIds: [], attemptsMax: 2 }
    reserved(await ledger.reserve(holdOf('r1', 60n, { subject })))
    assert.equal(await ledger.receipt('alice', 'r1'), undefined)
    assert.equal(await ledger.receipt('alice', 'r2'), undefined)
    const receipt = await settleAt(ledger, 'r1', 20n)

    assert.deepEqual(await ledger.receipt('alice', 'r1'), receipt)
    assert.deepEqual([receipt.model, receipt.memberId, receipt.requestId], ['large', 'bob', 'r1'])
    assert.equal(await ledger.receipt('bob', 'r1'), undefined)
  }),

  ledgerCase('failure 7: charges what was used until a client went away, once', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const attempt = { ...served(13n), outcome: 'aborted' as const, costSource: 'estimate' as const }
    await Promise.all([ledger.settle(settle([attempt])), ledger.settle(settle([attempt]))])

    assert.equal((await ledger.balance('alice')).charged, 13n)
  }),

  ledgerCase(
    'leaves as much after a partial settle as if the cost had been known',
    async ({ ledger, store }) => {
      for (const grantId of ['g1', 'g2', 'g3']) await give(ledger, grantId, 20n)
      reserved(await ledger.reserve(holdOf('r1', 55n)))
      await settleAt(ledger, 'r1', 33n)
      for (const grantId of ['g1', 'g2', 'g3']) {
        granted(await ledger.grant({ accountId: 'bob', grantId, amount: nano(20n) }))
      }
      reserved(await ledger.reserve({ ...holdOf('r1', 33n), accountId: 'bob' }))
      await ledger.settle({ ...settle([served(33n)]), accountId: 'bob' })

      const grantsOf = (accountId: string) =>
        store.transact(accountId, [], ({ head }) => ({ result: (head as { grants?: unknown }).grants }))
      assert.deepEqual(await grantsOf('alice'), await grantsOf('bob'))
    },
  ),

  ledgerCase('failure 27: charges the sum of two hundred requests exactly', async ({ ledger }) => {
    await give(ledger, 'g1', usd('1.00'))
    for (let index = 1; index <= 200; index += 1) await spend(ledger, `r${index}`, BigInt(index * index))

    assert.equal((await ledger.balance('alice')).charged, 2_686_700n)
    assert.equal((await ledger.balance('alice')).spendable, usd('1.00') - 2_686_700n)
  }),
]
