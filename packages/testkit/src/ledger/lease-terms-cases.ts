import assert from 'node:assert/strict'
import { nano } from '@farebox/core'
import { caseStartMs, type LedgerCase } from './ledger-case.ts'
import { leaseCase, leaseGraceMs, leaseMs, leasesOf, lessee, request, warm } from './lessees.ts'
import { counters, deed, give, holdOf, readHead, reserved, second } from './requests.ts'

/** What a lease may be of, and what ends it: plans, periods, limits, and corrections by hand. */
export const leaseTermsCases: readonly LedgerCase[] = [
  leaseCase(
    'leases neither for members or keys with caps nor from a balance of a few requests',
    async (context) => {
      const { ledger } = lessee(context, 'a')
      await give(context.ledger, 'g1', 1_100n)
      for (let index = 0; index < 30; index += 1) await request(ledger, `r${index}`)
      assert.equal(await leasesOf(context.store), 0)
      await give(context.ledger, 'g2', 1_000_000n)
      const { subject } = holdOf('', 1n)
      const keyCap = { amount: nano(10_000n), per: 'lifetime' } as const
      for (const [name, counted] of [
        ['m', { ...subject, memberId: 'bob' }],
        ['k', { ...subject, keyId: 'k1', keyCap }],
      ] as const) {
        for (let index = 0; index < 30; index += 1) {
          reserved(await ledger.reserve(holdOf(`${name}${index}`, 100n, { subject: counted })))
        }
      }
      assert.equal(await leasesOf(context.store), 0)
    },
  ),

  leaseCase('leases no credit that expires before the lease would come back', async (context) => {
    const { ledger } = lessee(context, 'a')
    const expiresAtMs = caseStartMs + leaseMs + leaseGraceMs
    const soon = { accountId: 'alice', grantId: 'soon', amount: nano(50_000n), expiresAtMs }
    await context.ledger.grant(soon)
    await give(context.ledger, 'g1', 1_000_000n)
    for (let index = 0; index < 30; index += 1) await request(ledger, `r${index}`)

    assert.equal(await leasesOf(context.store), 0)
    assert.equal((await counters(context.store, 'soon'))['settled'], 900n)
  }),

  leaseCase('gives a lease back before the period ends that its credit is of', async (context) => {
    const { clock, ledger: plain, store } = context
    const { ledger } = lessee(context, 'a')
    await plain.configure({ accountId: 'alice', planId: 'leased-included' })
    const endMs = Date.UTC(2026, 11, 1)
    clock.advance(endMs - caseStartMs - leaseMs - leaseGraceMs - 5 * second)
    await warm(ledger, 'w')
    for (let tick = 0; tick < 20 && (await leasesOf(store)) > 0; tick += 1) {
      await request(ledger, `r${tick}`)
      clock.advance(second)
      await ledger.balance('alice')
    }

    assert.equal(await leasesOf(store), 0)
    assert.ok(clock.now() < endMs - leaseGraceMs)
    assert.equal((await plain.balance('alice')).held, 0n)
  }),

  leaseCase(
    'pays pay-as-you-go from a lease within the spending limit, in its own period',
    async (context) => {
      const { clock, ledger: plain } = context
      const { ledger } = lessee(context, 'a')
      await plain.configure({ accountId: 'alice', planId: 'leased-metered' })
      const endMs = Date.UTC(2026, 11, 1)
      clock.advance(endMs - caseStartMs - 20 * second)
      const sent = await warm(ledger, 'w')
      assert.equal((await request(ledger, 'last')).receipt.periodKey, '2026-11')
      clock.set(endMs + second)
      const next = await request(ledger, 'first')

      assert.equal((await ledger.receipt('alice', 'last'))?.periodKey, '2026-11')
      // The process’ own clock stood still: its lease is over by the store’s, and what it promised is of its period.
      assert.equal(next.receipt.periodKey, '2026-11')
      await ledger.close()
      const { overage } = await readHead(context.store)
      assert.deepEqual(
        overage.map(({ periodKey, used, held }) => [periodKey, used, held]),
        [['2026-11', 30n * BigInt(sent + 2), 0n]],
      )
      assert.equal((await ledger.statements.closePeriod({ accountId: 'alice' })).outcome, 'closed')
    },
  ),

  leaseCase('ends a lease whose credit another process voids, or whose limit it lowers', async (context) => {
    const { store, ledger: plain } = context
    const { ledger } = lessee(context, 'a')
    await give(plain, 'g1', 100_000n)
    const sent = await warm(ledger, 'w')
    await plain.voidGrant({ ...deed('v1'), grantId: 'g1' })
    await request(ledger, 'last')
    await ledger.balance('alice')
    assert.equal(await leasesOf(store), 0)
    assert.equal((await counters(store, 'g1'))['settled'], 30n * BigInt(sent + 1))
    assert.equal((await ledger.reserve(holdOf('refused', 1n))).outcome, 'insufficient')

    const other = lessee(context, 'b')
    await plain.configure({ accountId: 'alice', planId: 'leased-metered' })
    await warm(other.ledger, 'v')
    const spendingLimit = nano(10n)
    await plain.configure({ accountId: 'alice', planId: 'leased-metered', spendingLimit })
    await other.ledger.balance('alice')
    await request(other.ledger, 'unnoticed').catch(() => undefined)
    await other.ledger.balance('alice')
    assert.equal(await leasesOf(store), 0)
    assert.equal((await other.ledger.reserve(holdOf('too-much', 1n))).outcome, 'insufficient')
  }),

  leaseCase('gives a lease back before the terms change that it was given under', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    assert.equal(await leasesOf(context.store), 1)
    const { leases } = await ledger.configure({ accountId: 'alice', planId: 'bare' })
    assert.equal(leases, undefined)
  }),

  leaseCase('takes credit by hand that a lease has set aside', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    const sent = await warm(ledger, 'w')
    const amount = nano(30n * BigInt(sent) - 100_000n)
    assert.equal((await ledger.adjust({ ...deed('o1'), amount })).outcome, 'adjusted')
    assert.equal((await context.ledger.balance('alice')).spendable, 0n)
  }),

  leaseCase('voids credit that a lease has set aside', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    const sent = await warm(ledger, 'w')
    const voided = await ledger.voidGrant({ ...deed('v1'), grantId: 'g1' })
    assert.equal(voided.outcome, 'voided')
    assert.equal((await context.ledger.balance('alice')).spendable, 0n)
    assert.equal((await counters(context.store, 'g1'))['settled'], 30n * BigInt(sent))
  }),
]
