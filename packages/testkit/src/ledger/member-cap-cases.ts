import assert from 'node:assert/strict'
import { createLedger, nano } from '@farebox/core'
import { casePlans, type LedgerCase, ledgerCase } from './ledger-case.ts'
import { capped, counted, holdBy, member, spendBy } from './member-requests.ts'
import { changesNothing, extended, give, holdOf, refused, reserved, settleAt } from './requests.ts'

/** A member’s cap: what it lets through, refuses and absorbs. */
export const memberCapCases: readonly LedgerCase[] = [
  ledgerCase('lets no member use anything under a cap of zero', async ({ ledger }) => {
    await capped(ledger, 0n)
    assert.equal(refused(await ledger.reserve(holdBy('ada', 'r1', 1n))).missing, 1n)
    reserved(await ledger.reserve(holdBy('ada', 'r2', 0n)))
  }),

  ledgerCase(
    'refuses a member at their cap, whatever the account has, and serves the others',
    async ({ ledger, store }) => {
      await capped(ledger, 100n)
      await spendBy(ledger, 'ada', 'r1', 60n)
      reserved(await ledger.reserve(holdBy('ada', 'r2', 30n)))
      const refusal = await changesNothing(store, async () =>
        refused(await ledger.reserve(holdBy('ada', 'r3', 11n))),
      )

      assert.equal(refusal.limit, 'member-cap')
      assert.equal(refusal.memberCap, 100n)
      assert.equal(refusal.missing, 1n)
      assert.equal(refusal.spendable, 10n)
      assert.equal(refusal.held, 30n, 'what the member holds, not the account')
      reserved(await ledger.reserve(holdBy('ada', 'r4', 10n)))
      reserved(await ledger.reserve(holdBy('bob', 'r5', 100n)))
      reserved(await ledger.reserve(holdOf('r6', 700n)))
    },
  ),

  ledgerCase('holds what a member may still use, when that is enough', async ({ ledger }) => {
    await capped(ledger, 100n)
    const hold = reserved(await ledger.reserve(holdBy('ada', 'r1', 150n, { minimum: nano(100n) })))
    assert.equal(hold.amount, 100n)
  }),

  ledgerCase('names the account’s own limit when that is the narrower one', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'bare', memberCap: nano(100n) })
    await give(ledger, 'g1', 40n)
    assert.equal(refused(await ledger.reserve(holdBy('ada', 'r1', 41n))).limit, 'credit')
    await ledger.configure({ accountId: 'alice', planId: 'metered', spendingLimit: nano(10n) })
    const refusal = refused(await ledger.reserve(holdBy('ada', 'r2', 51n)))
    assert.deepEqual([refusal.limit, refusal.spendable], ['spending-limit', 50n])
    // Where both are as narrow, more credit would help as little as a higher cap.
    await ledger.configure({ accountId: 'alice', planId: 'metered', memberCap: nano(50n) })
    assert.equal(refused(await ledger.reserve(holdBy('ada', 'r3', 51n))).limit, 'spending-limit')
  }),

  ledgerCase('lets a member’s own cap go before the account’s', async ({ ledger, store }) => {
    await capped(ledger, 100n)
    const cap = (amount: bigint | 'none' | null) =>
      ledger.capMember({
        accountId: 'alice',
        memberId: 'ada',
        cap: typeof amount === 'bigint' ? nano(amount) : amount,
      })
    const balance = await cap(150n)
    assert.deepEqual([balance.cap, balance.isOwnCap, balance.left], [150n, true, 150n])
    await changesNothing(store, () => cap(150n))
    await spendBy(ledger, 'ada', 'r1', 150n)
    assert.equal(refused(await ledger.reserve(holdBy('ada', 'r2', 1n))).memberCap, 150n)

    assert.deepEqual([(await cap('none')).cap, (await member(ledger, 'ada')).isOwnCap], [null, true])
    await spendBy(ledger, 'ada', 'r3', 400n)
    assert.deepEqual([(await cap(null)).cap, (await member(ledger, 'ada')).isOwnCap], [100n, false])
    assert.deepEqual(await counted(ledger, 'ada'), [550n, 0n, 0n])
    refused(await ledger.reserve(holdBy('ada', 'r4', 1n)))
    const entries = (await ledger.journal('alice', 0n, 100)).filter(({ kind }) => kind === 'capped')
    assert.deepEqual(
      entries.map(({ memberId, terms, opId, seq }) => [memberId, terms?.['cap'], opId === `cap:${seq}`]),
      [
        ['ada', 150n, true],
        ['ada', 'none', true],
        ['ada', null, true],
      ],
    )
  }),

  ledgerCase('stops new holds only, when a cap is lowered', async ({ ledger }) => {
    await capped(ledger, 100n)
    reserved(await ledger.reserve(holdBy('ada', 'r1', 80n)))
    await ledger.configure({ accountId: 'alice', planId: 'bare', memberCap: nano(50n) })
    assert.deepEqual(await counted(ledger, 'ada'), [0n, 80n, 0n])
    refused(await ledger.reserve(holdBy('ada', 'r2', 1n)))
    assert.equal((await settleAt(ledger, 'r1', 80n)).charged, 80n)
    await ledger.configure({ accountId: 'alice', planId: 'bare', memberCap: null })
    reserved(await ledger.reserve(holdBy('ada', 'r3', 500n)))
  }),

  ledgerCase('absorbs what a request costs beyond its member’s cap', async ({ ledger }) => {
    await capped(ledger, 100n)
    reserved(await ledger.reserve(holdBy('ada', 'r1', 30n)))
    reserved(await ledger.reserve(holdBy('ada', 'r2', 40n)))
    const receipt = await settleAt(ledger, 'r1', 75n)

    assert.deepEqual([receipt.charged, receipt.absorbed], [60n, 15n], 'what r2 holds stays held')
    assert.equal(receipt.attempts[0]?.absorbedReason, 'overrun')
    assert.deepEqual(await counted(ledger, 'ada'), [60n, 40n, 0n])
    assert.equal((await settleAt(ledger, 'r2', 40n)).charged, 40n)
    assert.equal((await ledger.balance('alice')).spendable, 900n)
  }),

  ledgerCase('counts an extension, and refuses one beyond the cap', async ({ ledger }) => {
    await capped(ledger, 100n)
    reserved(await ledger.reserve(holdBy('ada', 'r1', 60n)))
    const more = (ordinal: number, amount: bigint) =>
      ledger.extend({
        accountId: 'alice',
        reservationId: 'r1',
        ordinal,
        amount: nano(amount),
        timeToLiveMs: 0,
      })
    extended(await more(1, 30n))
    assert.deepEqual(await more(2, 11n), { outcome: 'insufficient', missing: 1n })
    assert.deepEqual(await counted(ledger, 'ada'), [0n, 90n, 10n])
  }),

  ledgerCase(
    'admits exactly as many of 60 requests at once as a member’s cap allows (failure 1)',
    async ({ ledger, store, clock }) => {
      const other = createLedger({ store, plans: casePlans, clock })
      await capped(ledger, 17n * 10n + 9n)
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          (index % 2 === 0 ? ledger : other).reserve(holdBy('ada', `r${index}`, 10n)),
        ),
      )
      const admitted = results.flatMap(({ outcome }, index) => (outcome === 'reserved' ? [`r${index}`] : []))
      assert.equal(admitted.length, 17)
      await Promise.all(admitted.map((id) => settleAt(other, id, 10n)))
      assert.deepEqual(await counted(ledger, 'ada'), [170n, 0n, 9n])
    },
  ),

  ledgerCase(
    'failure 24: a first request as large as a small cap is admitted, and in a burst of them never a second one',
    async ({ ledger, store, clock }) => {
      const other = createLedger({ store, plans: casePlans, clock })
      await capped(ledger, 10n)
      refused(await ledger.reserve(holdBy('ada', 'large', 11n)))
      const results = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          (index % 2 === 0 ? ledger : other).reserve(holdBy('ada', `r${index}`, 10n)),
        ),
      )
      const [admitted, ...more] = results.flatMap(({ outcome }, index) =>
        outcome === 'reserved' ? [`r${index}`] : [],
      )
      assert.ok(admitted !== undefined)
      assert.deepEqual(more, [])

      // What a request turns out not to use is free again, to the last nano and no further.
      await settleAt(other, admitted, 4n)
      refused(await ledger.reserve(holdBy('ada', 'over', 7n)))
      reserved(await other.reserve(holdBy('ada', 'rest', 6n)))
      refused(await ledger.reserve(holdBy('ada', 'one more', 1n)))
      assert.deepEqual(await counted(ledger, 'ada'), [4n, 6n, 0n])
    },
  ),

  ledgerCase('refuses a member or a cap that makes no sense', async ({ ledger, store }) => {
    const cap = (memberId: string, amount: bigint) => () =>
      ledger.capMember({ accountId: 'alice', memberId, cap: nano(amount) })
    for (const [memberId, amount] of [
      ['ada', -1n],
      ['', 1n],
      ['a'.repeat(129), 1n],
      ['a\u0000', 1n],
      ['\ud800', 1n],
    ] as const) {
      await assert.rejects(cap(memberId, amount), RangeError)
    }
    await assert.rejects(() => member(ledger, ''), RangeError)
    await assert.rejects(
      () => ledger.configure({ accountId: 'alice', planId: 'bare', memberCap: nano(-1n) }),
      RangeError,
    )
    assert.equal((await store.scan('all', null, 10)).accountIds.length, 0)
    await cap('a'.repeat(128), 0n)()
    refused(await ledger.reserve(holdBy('a'.repeat(128), 'r1', 1n)))
  }),
]
