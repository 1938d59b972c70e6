import assert from 'node:assert/strict'
import { nano } from '@farebox/core'
import { expected, final, midnight, settleWith, tell, waitMs } from './late-requests.ts'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import { capped, counted, holdBy, member, spendBy } from './member-requests.ts'
import { deed, give, graceMs, holdOf, minute, refunded, reserved, settleAt, traceable } from './requests.ts'

/** What members of an account use and hold in a period. */
export const memberCases: readonly LedgerCase[] = [
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
]
