import assert from 'node:assert/strict'
import { nano } from '@farebox/core'
import { counted, each, holdWith, inAll, spendWith } from './key-requests.ts'
import { expected, final, midnight, settleWith, tell, waitMs } from './late-requests.ts'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
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

/** What is counted for a key under a cap, and when it begins anew. */
export const keySpendingCases: readonly LedgerCase[] = [
  ledgerCase('counts nothing for a key without a cap, and what it spends with one', async ({ ledger }) => {
    await give(ledger, 'g1', 1000n)
    const { subject } = holdOf('r1', 0n)
    reserved(await ledger.reserve(holdOf('r1', 100n, { subject: { ...subject, keyId: 'k1' } })))
    await spendWith(ledger, each(50n), 'r2', 30n)
    await settleAt(ledger, 'r1', 100n)
    refunded(await ledger.refund({ ...deed('o1'), requestId: 'r1', attemptId: 'attempt' }))

    assert.deepEqual(await counted(ledger, each(50n)), [30n, 0n, 20n])
  }),

  ledgerCase(
    'shows what may be spent with keys, in their order, and what bounds it',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 50n)
      await spendWith(ledger, inAll(30n), 'r1', 10n)
      const keys = [
        { keyId: 'new', cap: each(100n) },
        { keyId: 'k1', cap: inAll(30n) },
        { keyId: 'k1', cap: each(30n) },
      ]
      const shown = await changesNothing(store, () => ledger.keyBalances('alice', keys))
      const resetsAtMs = midnight
      const account = { accountId: 'alice', held: 0n }
      assert.deepEqual(shown, [
        { ...account, ...keys[0], used: 0n, left: 100n, spendable: 40n, resetsAtMs },
        { ...account, ...keys[1], used: 10n, left: 20n, spendable: 20n, resetsAtMs: null },
        { ...account, ...keys[2], used: 0n, left: 30n, spendable: 30n, resetsAtMs },
      ])
      assert.deepEqual(await ledger.keyBalances('alice', []), [])
      assert.equal((await ledger.keyBalances('bob', keys))[1]?.used, 0n)
    },
  ),

  ledgerCase('counts an extension, and refuses one beyond the cap of the key', async ({ ledger }) => {
    await give(ledger, 'g1', 1000n)
    reserved(await ledger.reserve(holdWith(each(100n), 'r1', 60n)))
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
    assert.deepEqual(await counted(ledger, each(100n)), [0n, 90n, 10n])
  }),

  ledgerCase(
    'gives a key back what an expired hold set aside, whoever comes next',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 1000n)
      const cap = inAll(100n)
      reserved(await ledger.reserve(holdWith(cap, 'r1', 100n, { memberId: 'ada' })))
      reserved(await ledger.reserve(holdWith(cap, 'r2', 70n, { keyId: 'k2' })))
      clock.set(clock.now() + minute + graceMs)
      assert.deepEqual(await counted(ledger, cap, 'k2'), [0n, 0n, 100n], 'by reading alone')
      // Somebody else's request looks after both.
      reserved(await ledger.reserve(holdOf('r3', 10n)))
      assert.deepEqual(await counted(ledger, cap), [0n, 0n, 100n])
      reserved(await ledger.reserve(holdWith(cap, 'r4', 100n)))
      // The answer came after all: it is charged as far as the cap goes.
      const receipt = await settleAt(ledger, 'r1', 40n)
      assert.deepEqual([receipt.charged, receipt.absorbed], [0n, 40n])
      assert.equal((await settleAt(ledger, 'r2', 40n)).charged, 40n)
    },
  ),

  ledgerCase(
    'begins anew with each period under a cap per period, and counts a request in the period it began in',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 1000n)
      const cap = each(100n)
      await spendWith(ledger, cap, 'r1', 20n)
      clock.set(midnight - 1)
      reserved(await ledger.reserve(holdWith(cap, 'r2', 80n)))
      clock.set(midnight)
      assert.deepEqual(await counted(ledger, cap), [0n, 0n, 100n])
      reserved(await ledger.reserve(holdWith(cap, 'r3', 100n)))
      const receipt = await settleAt(ledger, 'r2', 90n)
      assert.deepEqual([receipt.charged, receipt.absorbed], [80n, 10n])
      assert.deepEqual(await counted(ledger, cap), [0n, 100n, 0n])
      await settleAt(ledger, 'r3', 50n)
      assert.deepEqual(await counted(ledger, cap), [50n, 0n, 50n])
    },
  ),

  ledgerCase('never begins anew under a cap per lifetime', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 1000n)
    const cap = inAll(100n)
    for (const month of [10, 11, 12, 16]) {
      clock.set(Date.UTC(2026, month, 28))
      await spendWith(ledger, cap, `r${month}`, 20n)
    }
    clock.set(Date.UTC(2031, 0, 1))
    assert.deepEqual(await counted(ledger, cap), [80n, 0n, 20n])
    const { limit, held } = refused(await ledger.reserve(holdWith(cap, 'large', 21n)))
    assert.deepEqual([limit, held], ['key-cap', 0n])
    await spendWith(ledger, cap, 'last', 20n)
    refused(await ledger.reserve(holdWith(cap, 'one more', 1n)))
  }),

  ledgerCase('forgets a period of a key after the one that follows it', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 1000n)
    const cap = each(100n)
    const long = { timeToLiveMs: 100 * 24 * 60 * minute, minimum: nano(0n) }
    reserved(await ledger.reserve(holdWith(cap, 'r1', 100n, long)))
    for (const month of [11, 12]) {
      clock.set(Date.UTC(2026, month, 2))
      await spendWith(ledger, cap, `r${month}`, 10n)
    }
    // Nobody is held to a cap of which nothing is known any more.
    assert.equal((await settleAt(ledger, 'r1', 130n)).charged, 130n)
    assert.deepEqual(await counted(ledger, cap), [10n, 0n, 90n])
  }),

  ledgerCase(
    'counts for a key what is set aside for a cost that comes later, then the cost',
    async ({ ledger }) => {
      await give(ledger, 'g1', 1000n)
      const cap = inAll(100n)
      reserved(await ledger.reserve(holdWith(cap, 'r1', 90n)))
      await settleWith(ledger, 'r1', expected(50n))
      assert.deepEqual(await counted(ledger, cap), [0n, 50n, 50n])
      reserved(await ledger.reserve(holdWith(cap, 'r2', 45n)))
      assert.deepEqual(final(await tell(ledger, 'r1', 60n)), [60n, 55n, 5n, 'overrun'])
      assert.deepEqual(await counted(ledger, cap), [55n, 45n, 0n])
      // What a late cost charged is given back like any other.
      refunded(await ledger.refund({ ...deed('o1'), requestId: 'r1', attemptId: 'attempt' }))
      assert.deepEqual(await counted(ledger, cap), [0n, 45n, 55n])
    },
  ),

  ledgerCase('gives a key back what was set aside for a cost that never came', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 1000n)
    const cap = each(100n)
    reserved(await ledger.reserve(holdWith(cap, 'r1', 90n, { subject: traceable })))
    await settleWith(ledger, 'r1', expected(50n))
    clock.set(clock.now() + waitMs)
    await ledger.unresolved('alice')
    assert.deepEqual(await counted(ledger, cap), [0n, 0n, 100n])
  }),

  ledgerCase(
    'gives a key back what is refunded, in the period it was used in, also when its hold was forgotten',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 1000n)
      const refund = (opId: string, amount: bigint, seq: bigint | null = null) =>
        ledger.refund({
          ...deed(opId),
          requestId: 'r1',
          attemptId: 'attempt',
          amount: nano(amount),
          ...(seq !== null && { seq }),
        })
      const [a, b] = [each(100n), inAll(100n)]
      reserved(await ledger.reserve(holdWith(a, 'r1', 100n)))
      const { seq } = await settleAt(ledger, 'r1', 100n)
      refunded(await refund('o1', 30n))
      assert.deepEqual(await counted(ledger, a), [70n, 0n, 30n])
      clock.set(midnight)
      await spendWith(ledger, a, 'r2', 40n)
      refunded(await refund('o2', 30n))
      assert.deepEqual(await counted(ledger, a), [40n, 0n, 60n])
      clock.set(midnight + 60 * 24 * 60 * minute)
      refunded(await refund('o3', 5n, seq))

      reserved(await ledger.reserve(holdWith(b, 'long ago', 90n)))
      const { seq: longAgo } = await settleAt(ledger, 'long ago', 90n)
      clock.set(clock.now() + 300 * 24 * 60 * minute)
      const request = { ...deed('o4'), requestId: 'long ago', attemptId: 'attempt', amount: nano(50n) }
      refunded(await ledger.refund({ ...request, ...(longAgo !== null && { seq: longAgo }) }))
      assert.deepEqual(await counted(ledger, b), [40n, 0n, 60n])
    },
  ),

  ledgerCase(
    'tells the cap of the key in the journal, where the hold ends and where it goes back',
    async ({ ledger }) => {
      await give(ledger, 'g1', 1000n)
      await spendWith(ledger, inAll(100n), 'r1', 10n)
      refunded(await ledger.refund({ ...deed('o1'), requestId: 'r1', attemptId: 'attempt' }))
      const { subject } = holdOf('r2', 0n)
      reserved(await ledger.reserve(holdOf('r2', 10n, { subject: { ...subject, keyId: 'k1' } })))
      await settleAt(ledger, 'r2', 10n)
      const entries = (await ledger.journal('alice', 0n, 100)).filter(
        ({ requestId }) => requestId !== undefined,
      )
      assert.deepEqual(
        entries.map(({ kind, terms }) => [kind, terms?.['keyId'], terms?.['keyCap']]),
        [
          ['settled', 'k1', inAll(100n)],
          ['refunded', 'k1', inAll(100n)],
          ['settled', 'k1', undefined],
        ],
      )
    },
  ),
]
