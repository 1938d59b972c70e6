import assert from 'node:assert/strict'
import { createLedger, nano, usd } from '@farebox/core'
import { casePlans, caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  extended,
  give,
  graceMs,
  granted,
  holdOf,
  minute,
  readHead,
  reserved,
  served,
  settleAt,
  settled,
  traceable,
} from './requests.ts'

/** Many requests at once, from two processes that share a store. */
export const concurrencyCases: readonly LedgerCase[] = [
  ledgerCase(
    'failure 1: admits exactly as many of 200 requests at once as the credit pays for',
    async ({ ledger, store, clock }) => {
      const other = createLedger({ store, plans: casePlans, clock })
      await give(ledger, 'g1', 37n * 100n + 99n)
      const results = await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          (index % 2 === 0 ? ledger : other).reserve(holdOf(`r${index}`, 100n)),
        ),
      )
      const admitted = results.flatMap(({ outcome }, index) => (outcome === 'reserved' ? [`r${index}`] : []))
      assert.equal(admitted.length, 37)

      const receipts = await Promise.all(admitted.map((id) => settleAt(other, id, 100n)))
      assert.equal(
        receipts.reduce((sum, { charged }) => sum + charged, 0n),
        3700n,
      )
      assert.equal((await ledger.balance('alice')).spendable, 99n)
    },
  ),

  ledgerCase(
    'failure 1: admits exactly as many requests at once as the spending limit allows',
    async ({ ledger }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, index) => ledger.reserve(holdOf(`r${index}`, usd('0.03')))),
      )
      assert.equal(results.filter(({ outcome }) => outcome === 'reserved').length, 33)
    },
  ),

  ledgerCase(
    'failure 2: admits exactly as many of the dearest requests as a rich account pays for',
    async ({ ledger }) => {
      await give(ledger, 'g1', usd('10000.01'))
      const results = await Promise.all(
        Array.from({ length: 120 }, (_, index) => ledger.reserve(holdOf(`r${index}`, usd('100.00')))),
      )
      assert.equal(results.filter(({ outcome }) => outcome === 'reserved').length, 100)
      assert.equal((await ledger.balance('alice')).spendable, usd('0.01'))
    },
  ),

  ledgerCase('gives the last credit to only one of two concurrent requests', async ({ ledger }) => {
    await give(ledger, 'g1', usd('1.00'))
    const results = await Promise.all(['r1', 'r2'].map((id) => ledger.reserve(holdOf(id, usd('1.00')))))

    assert.deepEqual(results.map(({ outcome }) => outcome).toSorted(), ['insufficient', 'reserved'])
  }),

  ledgerCase(
    'failure 16: charges once when every hold is settled three times at once',
    async ({ ledger, store, clock }) => {
      const other = createLedger({ store, plans: casePlans, clock })
      await give(ledger, 'g1', 10_000n)
      const ids = Array.from({ length: 50 }, (_, index) => `r${index}`)
      await Promise.all(ids.flatMap((id) => [ledger, other].map((each) => each.reserve(holdOf(id, 100n)))))
      assert.equal((await ledger.balance('alice')).held, 5000n)
      const receipts = await Promise.all(
        ids.map((id) =>
          Promise.all([settleAt(ledger, id, 40n), settleAt(other, id, 90n), settleAt(other, id, 0n)]),
        ),
      )

      for (const [first, ...others] of receipts)
        for (const receipt of others) assert.deepEqual(receipt, first)
      const charged = receipts.reduce((sum, [first]) => sum + (first?.charged ?? 0n), 0n)
      const balance = await ledger.balance('alice')
      assert.deepEqual([balance.charged, balance.held, balance.spendable], [charged, 0n, 10_000n - charged])
    },
  ),

  ledgerCase(
    'failure 5: settles once when the request and the reconciliation both do',
    async ({ ledger, store, clock }) => {
      const other = createLedger({ store, plans: casePlans, clock })
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n, { subject: traceable })))
      clock.advance(minute + graceMs)
      const [{ reservations }, receipt] = await Promise.all([
        other.unresolved('alice'),
        settleAt(ledger, 'r1', 30n),
      ])
      const again = await Promise.all(
        reservations.map(({ reservationId }) => settleAt(other, reservationId, 31n)),
      )

      for (const repeated of again) assert.deepEqual(repeated, receipt)
      assert.equal((await ledger.balance('alice')).charged, 30n)
    },
  ),

  ledgerCase('extends once when the same extension arrives ten times at once', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 10n)))
    const request = {
      accountId: 'alice',
      reservationId: 'r1',
      ordinal: 1,
      amount: nano(30n),
      timeToLiveMs: 0,
    }
    const results = await Promise.all(Array.from({ length: 10 }, () => ledger.extend(request)))

    for (const result of results) assert.equal(extended(result).amount, 40n)
    assert.equal((await ledger.balance('alice')).held, 40n)
  }),

  ledgerCase('keeps accounts apart that are used at the same time', async ({ ledger }) => {
    const accountIds = Array.from({ length: 20 }, (_, index) => `account${index}`)
    await Promise.all(
      accountIds.map(async (accountId, index) => {
        granted(await ledger.grant({ accountId, grantId: 'g1', amount: nano(BigInt(100 + index)) }))
        reserved(await ledger.reserve({ ...holdOf('r1', 100n), accountId }))
        settled(await ledger.settle({ accountId, reservationId: 'r1', attempts: [served(100n)] }))
      }),
    )
    for (const [index, accountId] of accountIds.entries()) {
      assert.equal((await ledger.balance(accountId)).spendable, BigInt(index))
    }
  }),

  ledgerCase(
    'forgets nothing while grants, holds and settlements cross each other',
    async ({ ledger, store }) => {
      await give(ledger, 'g0', 1000n)
      const crossing = Array.from({ length: 60 }, async (_, index) => {
        await give(ledger, `g${index + 1}`, 10n)
        const result = await ledger.reserve(holdOf(`r${index}`, 25n))
        if (result.outcome !== 'reserved') return 0n
        return (await settleAt(ledger, `r${index}`, BigInt(index))).charged
      })
      const charged = (await Promise.all(crossing)).reduce<bigint>((sum, each) => sum + each, 0n)
      const balance = await ledger.balance('alice')

      assert.deepEqual([balance.charged, balance.spendable, balance.held], [charged, 1600n - charged, 0n])
      assert.equal((await readHead(store)).asOfMs, caseStartMs)
      await changesNothing(store, () => ledger.balance('alice'))
    },
  ),
]
