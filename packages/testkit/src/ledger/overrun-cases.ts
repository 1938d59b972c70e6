import assert from 'node:assert/strict'
import { nano, usd } from '@farebox/core'
import { caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  counters,
  day,
  give,
  granted,
  holdOf,
  hour,
  readHead,
  reserved,
  settleAt,
  sources,
} from './requests.ts'

/** A cost beyond the hold: what still pays it, and what is absorbed. */
export const overrunCases: readonly LedgerCase[] = [
  ledgerCase('draws a cost beyond the hold from credit that is left, in draw order', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await give(ledger, 'g1', 50n)
    await give(ledger, 'g2', 60n)
    reserved(await ledger.reserve(holdOf('r1', 40n)))
    const receipt = await settleAt(ledger, 'r1', 130n)

    assert.deepEqual(sources(receipt.paidFrom), [
      ['grant:g1', 40n],
      ['grant:g1', 10n],
      ['grant:g2', 60n],
      ['overage:2026-11', 20n],
    ])
    assert.deepEqual([receipt.charged, receipt.absorbed], [130n, 0n])
  }),

  ledgerCase(
    'failure 6: absorbs what no credit covers and never goes below zero',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      const receipt = await settleAt(ledger, 'r1', 101n)

      assert.deepEqual([receipt.cost, receipt.charged, receipt.absorbed], [101n, 100n, 1n])
      assert.equal(receipt.attempts[0]?.absorbedReason, 'overrun')
      const { spendable, charged, absorbed } = await ledger.balance('alice')
      assert.deepEqual([spendable, charged, absorbed], [0n, 100n, 1n])
      assert.deepEqual((await readHead(store)).overage, [], 'nothing was drawn from pay-as-you-go')
    },
  ),

  ledgerCase('takes nothing that is held for another request to pay an overrun', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 40n)))
    reserved(await ledger.reserve(holdOf('r2', 60n)))

    assert.equal((await settleAt(ledger, 'r1', 90n)).absorbed, 50n)
    assert.equal((await settleAt(ledger, 'r2', 60n)).absorbed, 0n)
  }),

  ledgerCase('owes no more than the limit for an overrun, to the nano', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    reserved(await ledger.reserve(holdOf('r1', usd('0.90'))))
    reserved(await ledger.reserve(holdOf('r2', usd('0.04'))))
    const receipt = await settleAt(ledger, 'r1', usd('0.96') + 1n)

    assert.deepEqual([receipt.charged, receipt.absorbed], [usd('0.96'), 1n])
    const { used, held, left } = (await ledger.balance('alice')).overage
    assert.deepEqual([used, held, left], [usd('0.96'), usd('0.04'), 0n])
  }),

  ledgerCase('charges an overrun of a single nano', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await give(ledger, 'g1', 10n)
    reserved(await ledger.reserve(holdOf('r1', 10n)))

    assert.deepEqual(sources((await settleAt(ledger, 'r1', 11n)).paidFrom), [
      ['grant:g1', 10n],
      ['overage:2026-11', 1n],
    ])
    assert.equal((await ledger.balance('alice')).overage.used, 1n)
  }),

  ledgerCase(
    'pays a hold in full though the limit was lowered, and absorbs what exceeds it',
    async ({ ledger }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      reserved(await ledger.reserve(holdOf('r1', usd('0.90'))))
      await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(0n) })
      const receipt = await settleAt(ledger, 'r1', usd('0.95'))

      assert.deepEqual([receipt.charged, receipt.absorbed], [usd('0.90'), usd('0.05')])
    },
  ),

  ledgerCase(
    'pays an overrun from credit that was there when the hold was made, though it has expired since',
    async ({ ledger, store, clock }) => {
      const expiresAtMs = caseStartMs + hour
      granted(await ledger.grant({ accountId: 'alice', grantId: 'old', amount: nano(100n), expiresAtMs }))
      reserved(await ledger.reserve(holdOf('r1', 40n, { timeToLiveMs: day })))
      clock.advance(hour)
      granted(await ledger.grant({ accountId: 'alice', grantId: 'new', amount: nano(100n), priority: 1 }))
      assert.deepEqual(await counters(store, 'old'), { available: 0n, held: 40n, settled: 0n, expired: 60n })
      const receipt = await settleAt(ledger, 'r1', 110n)

      assert.deepEqual(sources(receipt.paidFrom), [
        ['grant:old', 40n],
        ['grant:old', 60n],
        ['grant:new', 10n],
      ])
      assert.deepEqual(await counters(store, 'old'), { available: 0n, held: 0n, settled: 100n, expired: 0n })
    },
  ),

  ledgerCase('never reopens credit that had expired before the hold was made', async ({ ledger, clock }) => {
    const expiresAtMs = caseStartMs + hour
    granted(await ledger.grant({ accountId: 'alice', grantId: 'old', amount: nano(100n), expiresAtMs }))
    clock.advance(hour)
    await give(ledger, 'new', 40n)
    reserved(await ledger.reserve(holdOf('r1', 40n)))

    assert.equal((await settleAt(ledger, 'r1', 50n)).absorbed, 10n)
  }),

  ledgerCase('never draws an overrun from credit that is not effective yet', async ({ ledger }) => {
    await give(ledger, 'now', 40n)
    const effectiveAtMs = caseStartMs + hour
    granted(await ledger.grant({ accountId: 'alice', grantId: 'soon', amount: nano(100n), effectiveAtMs }))
    reserved(await ledger.reserve(holdOf('r1', 40n)))

    assert.equal((await settleAt(ledger, 'r1', 50n)).absorbed, 10n)
    assert.equal((await ledger.balance('alice')).spendable, 0n)
  }),
]
