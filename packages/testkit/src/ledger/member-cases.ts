import assert from 'node:assert/strict'
import { createLedger, type Ledger, type MemberBalance, nano, type ReserveRequest } from '@farebox/core'
import { expected, final, midnight, settleWith, tell, waitMs } from './late-requests.ts'
import { casePlans, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  deed,
  extended,
  give,
  graceMs,
  holdOf,
  minute,
  refunded,
  refused,
  reserved,
  settleAt,
  traceable,
} from './requests.ts'

/** A hold for a request of a member. */
function holdBy(
  memberId: string,
  reservationId: string,
  amount: bigint,
  options: Partial<ReserveRequest> = {},
): ReserveRequest {
  const { subject } = holdOf(reservationId, amount, options)
  return { ...holdOf(reservationId, amount, options), subject: { ...subject, memberId } }
}

async function spendBy(ledger: Ledger, memberId: string, requestId: string, amount: bigint): Promise<void> {
  reserved(await ledger.reserve(holdBy(memberId, requestId, amount)))
  await settleAt(ledger, requestId, amount)
}

function member(ledger: Ledger, memberId: string): Promise<MemberBalance> {
  return ledger.memberBalance({ accountId: 'alice', memberId })
}

/** `[used, held, left]` of a member. */
async function counted(ledger: Ledger, memberId: string): Promise<(bigint | null)[]> {
  const { used, held, left } = await member(ledger, memberId)
  return [used, held, left]
}

/** Credit of 1,000 for alice, and so much for each of her members. */
async function capped(ledger: Ledger, memberCap: bigint): Promise<void> {
  await ledger.configure({ accountId: 'alice', planId: 'bare', memberCap: nano(memberCap) })
  await give(ledger, 'g1', 1000n)
}

/** What members of an account may use of it in a period. */
export const memberCases: readonly LedgerCase[] = [
  ledgerCase('lets no member use anything under a cap of zero', async ({ ledger }) => {
    await capped(ledger, 0n)
    assert.equal(refused(await ledger.reserve(holdBy('ada', 'r1', 1n))).missing, 1n)
    reserved(await ledger.reserve(holdBy('ada', 'r2', 0n)))
  }),

  ledgerCase('counts what each member of an account uses and holds', async ({ ledger }) => {
    await give(ledger, 'g1', 1000n)
    await spendBy(ledger, 'ada', 'r1', 30n)
    await spendBy(ledger, 'bob', 'r2', 5n)
    reserved(await ledger.reserve(holdBy('ada', 'r3', 100n)))
    reserved(await ledger.reserve(holdOf('r4', 7n)))

    assert.deepEqual(await counted(ledger, 'ada'), [30n, 100n, null])
    assert.deepEqual(await counted(ledger, 'bob'), [5n, 0n, null])
    assert.deepEqual(await counted(ledger, 'eve'), [0n, 0n, null])
    assert.equal((await member(ledger, 'ada')).spendable, 858n)
    await settleAt(ledger, 'r3', 60n)
    assert.deepEqual(await counted(ledger, 'ada'), [90n, 0n, null])
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
    'gives a member back what an expired hold set aside, whoever comes next',
    async ({ ledger, clock }) => {
      await capped(ledger, 100n)
      reserved(await ledger.reserve(holdBy('ada', 'r1', 100n)))
      reserved(await ledger.reserve(holdBy('bob', 'r2', 70n)))
      clock.set(clock.now() + minute + graceMs)
      assert.deepEqual(await counted(ledger, 'bob'), [0n, 0n, 100n], 'by reading alone')
      // Somebody else's request looks after both.
      reserved(await ledger.reserve(holdOf('r3', 10n)))
      assert.deepEqual(await counted(ledger, 'ada'), [0n, 0n, 100n])
      reserved(await ledger.reserve(holdBy('ada', 'r4', 100n)))
      // The answer came after all: it is charged as far as the cap goes.
      const receipt = await settleAt(ledger, 'r1', 40n)
      assert.deepEqual([receipt.charged, receipt.absorbed], [0n, 40n])
      assert.equal((await settleAt(ledger, 'r2', 40n)).charged, 40n)
    },
  ),

  ledgerCase(
    'begins anew with each period, and counts a request in the period it began in',
    async ({ ledger, clock }) => {
      await capped(ledger, 100n)
      await spendBy(ledger, 'ada', 'r1', 20n)
      clock.set(midnight - 1)
      reserved(await ledger.reserve(holdBy('ada', 'r2', 80n)))
      clock.set(midnight)
      assert.deepEqual(await counted(ledger, 'ada'), [0n, 0n, 100n])
      reserved(await ledger.reserve(holdBy('ada', 'r3', 100n)))
      // November's 80 are used up by November's cap: what goes beyond them is nobody's.
      const receipt = await settleAt(ledger, 'r2', 90n)
      assert.deepEqual([receipt.charged, receipt.absorbed], [80n, 10n])
      assert.deepEqual(await counted(ledger, 'ada'), [0n, 100n, 0n])
      await settleAt(ledger, 'r3', 50n)
      assert.deepEqual(await counted(ledger, 'ada'), [50n, 0n, 50n])
    },
  ),

  ledgerCase('forgets a period after the one that follows it', async ({ ledger, clock }) => {
    await capped(ledger, 100n)
    const long = { timeToLiveMs: 100 * 24 * 60 * minute, minimum: nano(0n) }
    reserved(await ledger.reserve(holdBy('ada', 'r1', 100n, long)))
    for (const month of [11, 12]) {
      clock.set(Date.UTC(2026, month, 2))
      await spendBy(ledger, 'ada', `r${month}`, 10n)
    }
    // Nobody is held to a cap of which nothing is known any more.
    assert.equal((await settleAt(ledger, 'r1', 130n)).charged, 130n)
    assert.deepEqual(await counted(ledger, 'ada'), [10n, 0n, 90n])
  }),

  ledgerCase('counts what is set aside for a cost that comes later, then the cost', async ({ ledger }) => {
    await capped(ledger, 100n)
    reserved(await ledger.reserve(holdBy('ada', 'r1', 90n)))
    await settleWith(ledger, 'r1', expected(50n))
    assert.deepEqual(await counted(ledger, 'ada'), [0n, 50n, 50n])
    reserved(await ledger.reserve(holdBy('ada', 'r2', 45n)))
    assert.deepEqual(final(await tell(ledger, 'r1', 60n)), [60n, 55n, 5n, 'overrun'])
    assert.deepEqual(await counted(ledger, 'ada'), [55n, 45n, 0n])
  }),

  ledgerCase(
    'gives a member back what was set aside for a cost that never came',
    async ({ ledger, clock }) => {
      await capped(ledger, 100n)
      reserved(await ledger.reserve(holdBy('ada', 'r1', 90n, { subject: traceable })))
      await settleWith(ledger, 'r1', expected(50n))
      clock.set(clock.now() + waitMs)
      await ledger.unresolved('alice')
      assert.deepEqual(await counted(ledger, 'ada'), [0n, 0n, 100n])
    },
  ),

  ledgerCase(
    'gives a member back what is refunded, in the period it was used in',
    async ({ ledger, clock }) => {
      await capped(ledger, 100n)
      await spendBy(ledger, 'ada', 'r1', 100n)
      const refund = (opId: string, amount: bigint) =>
        ledger.refund({ ...deed(opId), requestId: 'r1', attemptId: 'attempt', amount: nano(amount) })
      refunded(await refund('o1', 30n))
      assert.deepEqual(await counted(ledger, 'ada'), [70n, 0n, 30n])
      clock.set(midnight)
      await spendBy(ledger, 'ada', 'r2', 40n)
      refunded(await refund('o2', 30n))
      assert.deepEqual(await counted(ledger, 'ada'), [40n, 0n, 60n])
    },
  ),

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
