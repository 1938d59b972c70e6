import assert from 'node:assert/strict'
import { createLedger, type KeyCap, nano } from '@farebox/core'
import { counted, each, holdWith, inAll } from './key-requests.ts'
import { casePlans, type LedgerCase, ledgerCase } from './ledger-case.ts'
import { changesNothing, deed, give, holdOf, refunded, refused, reserved, settleAt } from './requests.ts'

/** A key’s cap: what it lets through, refuses and absorbs. */
export const keyCapCases: readonly LedgerCase[] = [
  ledgerCase('lets nothing be spent with a key under a cap of zero', async ({ ledger, store }) => {
    await give(ledger, 'g1', 1000n)
    for (const cap of [each(0n), inAll(0n)]) {
      const refusal = await changesNothing(store, async () =>
        refused(await ledger.reserve(holdWith(cap, `r ${cap.per}`, 1n))),
      )
      assert.deepEqual([refusal.limit, refusal.missing, refusal.keyCap], ['key-cap', 1n, cap])
      reserved(await ledger.reserve(holdWith(cap, `own key ${cap.per}`, 0n)))
    }
  }),

  ledgerCase(
    'refuses a key at its cap, whatever the account has, and serves all others',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 1000n)
      for (const [index, cap] of [each(100n), inAll(100n)].entries()) {
        const keyId = `k${index}`
        reserved(await ledger.reserve(holdWith(cap, `${keyId} r1`, 60n, { keyId })))
        await settleAt(ledger, `${keyId} r1`, 50n)
        reserved(await ledger.reserve(holdWith(cap, `${keyId} r2`, 40n, { keyId })))
        const refusal = await changesNothing(store, async () =>
          refused(await ledger.reserve(holdWith(cap, `${keyId} r3`, 11n, { keyId }))),
        )

        assert.equal(refusal.limit, 'key-cap')
        assert.deepEqual(refusal.keyCap, cap)
        assert.equal(refusal.memberCap, null)
        assert.equal(refusal.missing, 1n)
        assert.equal(refusal.spendable, 10n)
        assert.equal(refusal.held, 40n, 'what the key holds, not the account')
        reserved(await ledger.reserve(holdWith(cap, `${keyId} r4`, 10n, { keyId })))
        assert.deepEqual(await counted(ledger, cap, keyId), [50n, 50n, 0n])
      }
      reserved(await ledger.reserve(holdWith(each(100n), 'r5', 100n, { keyId: 'k5' })))
      const { subject } = holdOf('r6', 0n)
      reserved(await ledger.reserve(holdOf('r6', 700n, { subject: { ...subject, keyId: 'k0' } })))
    },
  ),

  ledgerCase('holds what may still be spent with a key, when that is enough', async ({ ledger }) => {
    await give(ledger, 'g1', 1000n)
    const hold = reserved(await ledger.reserve(holdWith(each(100n), 'r1', 150n, { minimum: nano(100n) })))
    assert.equal(hold.amount, 100n)
    assert.deepEqual(hold.subject.keyCap, each(100n))
  }),

  ledgerCase(
    'names the narrowest limit, and of those that are as narrow the one that is for more requests',
    async ({ ledger }) => {
      await give(ledger, 'g1', 40n)
      const refusalOf = async (key: bigint, member: bigint) => {
        await ledger.capMember({ accountId: 'alice', memberId: 'ada', cap: nano(member) })
        const asked = holdWith(each(key), `${key} ${member}`, 100n, { memberId: 'ada' })
        const { limit, spendable } = refused(await ledger.reserve(asked))
        return [limit, spendable]
      }
      assert.deepEqual(await refusalOf(41n, 42n), ['credit', 40n])
      assert.deepEqual(await refusalOf(40n, 40n), ['credit', 40n])
      assert.deepEqual(await refusalOf(39n, 40n), ['key-cap', 39n])
      assert.deepEqual(await refusalOf(39n, 39n), ['member-cap', 39n])
      assert.deepEqual(await refusalOf(38n, 39n), ['key-cap', 38n])
      assert.deepEqual(await refusalOf(39n, 38n), ['member-cap', 38n])
      await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(10n) })
      assert.deepEqual(await refusalOf(51n, 52n), ['spending-limit', 50n])
    },
  ),

  ledgerCase(
    'holds a request to its member’s cap and to its key’s, and counts it for both',
    async ({ ledger }) => {
      await give(ledger, 'g1', 1000n)
      await ledger.capMember({ accountId: 'alice', memberId: 'ada', cap: nano(100n) })
      const cap = each(80n)
      const hold = (id: string, amount: bigint, keyId: string) =>
        ledger.reserve(holdWith(cap, id, amount, { keyId, memberId: 'ada', minimum: nano(1n) }))
      const member = async () => {
        const { used, held, left } = await ledger.memberBalance({ accountId: 'alice', memberId: 'ada' })
        return [used, held, left]
      }
      assert.equal(reserved(await hold('r1', 90n, 'k1')).amount, 80n)
      assert.equal(reserved(await hold('r2', 90n, 'k2')).amount, 20n)
      assert.deepEqual(await member(), [0n, 100n, 0n])
      await settleAt(ledger, 'r1', 30n)
      await settleAt(ledger, 'r2', 20n)
      assert.deepEqual(await member(), [50n, 0n, 50n])
      assert.deepEqual(await counted(ledger, cap, 'k1'), [30n, 0n, 50n])
      assert.deepEqual(await counted(ledger, cap, 'k2'), [20n, 0n, 60n])
      refunded(await ledger.refund({ ...deed('o1'), requestId: 'r1', attemptId: 'attempt' }))
      assert.deepEqual(await member(), [20n, 0n, 80n])
      assert.deepEqual(await counted(ledger, cap, 'k1'), [0n, 0n, 80n])
    },
  ),

  ledgerCase('goes by the cap that each request comes with, and stops new holds only', async ({ ledger }) => {
    await give(ledger, 'g1', 1000n)
    reserved(await ledger.reserve(holdWith(each(100n), 'r1', 80n)))
    assert.deepEqual(await counted(ledger, each(50n)), [0n, 80n, 0n])
    refused(await ledger.reserve(holdWith(each(50n), 'r2', 1n)))
    // Under the cap that it came with, it may also cost more.
    assert.equal((await settleAt(ledger, 'r1', 90n)).charged, 90n)
    reserved(await ledger.reserve(holdWith(each(500n), 'r3', 410n)))
    refused(await ledger.reserve(holdWith(each(500n), 'r4', 1n)))
  }),

  ledgerCase('answers a repeat under another cap like the first time', async ({ ledger, store }) => {
    await give(ledger, 'g1', 1000n)
    const first = reserved(await ledger.reserve(holdWith(each(100n), 'r1', 80n)))
    const again = await changesNothing(store, () => ledger.reserve(holdWith(each(50n), 'r1', 80n)))
    assert.deepEqual(reserved(again), first)
    assert.equal((await ledger.reserve(holdWith(each(100n), 'r1', 80n, { keyId: 'k2' }))).outcome, 'conflict')
  }),

  ledgerCase('absorbs what a request costs beyond its key’s cap', async ({ ledger }) => {
    await give(ledger, 'g1', 1000n)
    for (const cap of [each(100n), inAll(100n)]) {
      const [r1, r2] = [`r1 ${cap.per}`, `r2 ${cap.per}`]
      reserved(await ledger.reserve(holdWith(cap, r1, 30n)))
      reserved(await ledger.reserve(holdWith(cap, r2, 40n)))
      const receipt = await settleAt(ledger, r1, 75n)

      assert.deepEqual([receipt.charged, receipt.absorbed], [60n, 15n], 'what r2 holds stays held')
      assert.equal(receipt.attempts[0]?.absorbedReason, 'overrun')
      assert.deepEqual(await counted(ledger, cap), [60n, 40n, 0n])
      assert.equal((await settleAt(ledger, r2, 40n)).charged, 40n)
    }
    assert.equal((await ledger.balance('alice')).spendable, 800n)
  }),

  ledgerCase(
    'admits exactly as many of 60 requests at once as the cap of their key allows (failure 1)',
    async ({ ledger, store, clock }) => {
      const other = createLedger({ store, plans: casePlans, clock })
      await give(ledger, 'g1', 10_000n)
      for (const cap of [each(17n * 10n + 9n), inAll(17n * 10n + 9n)]) {
        const idOf = (index: number) => `${cap.per} ${index}`
        const results = await Promise.all(
          Array.from({ length: 60 }, (_, index) =>
            (index % 2 === 0 ? ledger : other).reserve(holdWith(cap, idOf(index), 10n)),
          ),
        )
        const admitted = results.flatMap(({ outcome }, index) =>
          outcome === 'reserved' ? [idOf(index)] : [],
        )
        assert.equal(admitted.length, 17)
        await Promise.all(admitted.map((id) => settleAt(other, id, 10n)))
        assert.deepEqual(await counted(ledger, cap), [170n, 0n, 9n])
      }
    },
  ),

  ledgerCase('refuses a cap of a key that makes no sense', async ({ ledger, store }) => {
    const asked = (keyId: string | undefined, keyCap: unknown) => {
      const hold = holdWith(keyCap as KeyCap, 'r1', 1n)
      const { keyId: _, ...subject } = hold.subject
      return { ...hold, subject: { ...subject, ...(keyId !== undefined && { keyId }) } }
    }
    const senseless: readonly (readonly [string | undefined, unknown])[] = [
      ['k1', each(-1n)],
      ['k1', { amount: 5, per: 'period' }],
      ['k1', { amount: 5n, per: 'month' }],
      ['', each(1n)],
      ['k'.repeat(129), each(1n)],
      ['k\u0000', each(1n)],
      ['\ud800', each(1n)],
    ]
    for (const [keyId, cap] of senseless) {
      await assert.rejects(() => ledger.reserve(asked(keyId, cap)), RangeError)
      await assert.rejects(
        () => ledger.keyBalances('alice', [{ keyId: String(keyId), cap: cap as KeyCap }]),
        RangeError,
      )
    }
    await assert.rejects(() => ledger.reserve(asked(undefined, each(1n))), RangeError)
    assert.equal((await store.scan('all', null, 10)).accountIds.length, 0)
    refused(await ledger.reserve(asked('k'.repeat(128), each(0n))))
  }),
]
