import assert from 'node:assert/strict'
import { nano } from '@farebox/core'
import { caseStartMs, type LedgerCase } from './ledger-case.ts'
import { charges, leaseCase, leasesOf, lessee, request, warm } from './lessees.ts'
import {
  counters,
  deed,
  extended,
  give,
  graceMs,
  holdOf,
  onOwnKey,
  readHead,
  refunded,
  reserved,
  served,
  settled,
  traceable,
} from './requests.ts'

/** What a process sets aside to pay requests without asking, and that nobody loses or gains anything by it. */
export const leaseCases: readonly LedgerCase[] = [
  leaseCase('pays most requests of a busy account without asking the store', async (context) => {
    const { ledger, told, calls } = lessee(context, 'a')
    await give(context.ledger, 'g1', 1_000_000n)
    const first = await warm(ledger, 'w')
    const before = calls()
    for (let index = 0; index < 500; index += 1) {
      assert.equal((await request(ledger, `r${index}`)).isUnwritten, true)
    }

    assert.ok(calls() - before < 50, `500 requests asked the store ${calls() - before} times`)
    const charged = 30n * BigInt(500 + first)
    assert.equal((await ledger.balance('alice')).charged, charged)
    await ledger.close()
    assert.equal((await context.ledger.balance('alice')).spendable, 1_000_000n - charged)
    const found = await charges(context)
    assert.equal(found.size, 500 + first)
    assert.ok([...found.values()].every((each) => each === 30n))
    assert.equal(new Set(told.map(({ requestId }) => requestId)).size, 501)
  }),

  leaseCase('leaves an account as it would be without leases once they are given back', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    const sent = await warm(ledger, 'w')
    assert.equal(await leasesOf(context.store), 1)
    await ledger.close()

    assert.ok(!('leases' in (await readHead(context.store))))
    const settledBefore = { settled: 30n * BigInt(sent), held: 0n, expired: 0n }
    const available = 100_000n - settledBefore.settled
    assert.deepEqual(await counters(context.store, 'g1'), { available, ...settledBefore })
  }),

  leaseCase('shows whoever asks the same process what it has answered', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    const { receipt, isUnwritten } = await request(ledger, 'r1', { cost: 77n })
    const written = await ledger.receipt('alice', 'r1')

    assert.equal(isUnwritten, true)
    assert.deepEqual({ ...written, seq: null, paidFrom: [], spendableAfter: receipt.spendableAfter }, receipt)
    assert.deepEqual(written?.paidFrom, [{ source: 'grant:g1', amount: 77n }])
    await request(ledger, 'r2')
    assert.equal(await ledger.isCharged('alice', 'r2'), true)
    await request(ledger, 'r3')
    assert.equal((await ledger.journal('alice', 0n, 1000)).at(-1)?.requestId, 'r3')
    await request(ledger, 'r4')
    assert.deepEqual((await ledger.audit('alice')).findings, [])
    await request(ledger, 'r5')
    assert.match((await ledger.storedJournal('alice', 0n, 1000)).at(-1)?.text ?? '', /"r5"/)
    await request(ledger, 'r6')
    const { seq, isComplete } = await ledger.statements.fold('alice', 1000)
    const [last] = await context.ledger.journal('alice', seq - 1n, 10)
    assert.deepEqual([last?.requestId, last?.seq, isComplete], ['r6', seq, true])
  }),

  leaseCase('knows at once what it has answered when its cost is told again or refunded', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    await request(ledger, 'r1')
    const told = { accountId: 'alice', attemptId: 'attempt' }
    const again = await ledger.reconcile({ ...told, reservationId: 'r1', cost: nano(31n) })
    assert.equal(again.outcome === 'already-final' && again.attempt.cost, 30n)
    await request(ledger, 'r2')
    const { amount } = refunded(await ledger.refund({ ...deed('o1'), ...told, requestId: 'r2' }))
    assert.equal(amount, 30n)
  }),

  leaseCase(
    'finds a request that nobody settled, also when only its process knows of it',
    async (context) => {
      const { ledger } = lessee(context, 'a')
      const { clock } = context
      await give(context.ledger, 'g1', 100_000n)
      await warm(ledger, 'w')
      const hold = reserved(await ledger.reserve(holdOf('r1', 100n, { subject: traceable })))
      clock.set(hold.expiresAtMs + graceMs)
      const { reservations } = await ledger.unresolved('alice')
      assert.deepEqual(
        reservations.map(({ reservationId }) => reservationId),
        ['r1'],
      )
    },
  ),

  leaseCase('makes a request under way a hold like any other with the next checkpoint', async (context) => {
    const { ledger } = lessee(context, 'a')
    const { clock } = context
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    const hold = reserved(await ledger.reserve(holdOf('r1', 100n, { subject: traceable })))
    await ledger.balance('alice')
    // The process dies here.
    clock.advance(hold.expiresAtMs - caseStartMs + graceMs)
    const { reservations } = await context.ledger.unresolved('alice')

    assert.deepEqual(
      reservations.map(({ reservationId, parts }) => [reservationId, parts]),
      [['r1', [{ source: 'grant:g1', amount: 100n }]]],
    )
    const attempts = [served(40n)]
    const receipt = settled(
      await context.ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts }),
    )
    assert.equal(receipt.charged, 40n)
  }),

  leaseCase('settles what was under way at a checkpoint with a later one', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    const sent = await warm(ledger, 'w')
    reserved(await ledger.reserve(holdOf('r1', 100n)))
    const { held } = await ledger.balance('alice')
    assert.ok(held >= 100n)
    const attempts = [served(45n)]
    const result = await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts })

    assert.equal(result.outcome === 'settled' && result.isUnwritten, true)
    assert.equal((await ledger.receipt('alice', 'r1'))?.charged, 45n)
    await ledger.close()
    assert.equal((await context.ledger.balance('alice')).spendable, 100_000n - 45n - 30n * BigInt(sent))
  }),

  leaseCase('gives a request without a cost back whole', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    const sent = await warm(ledger, 'w')
    reserved(await ledger.reserve(holdOf('r1', 100n)))
    const receipt = settled(await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts: [] }))

    assert.deepEqual([receipt.charged, receipt.seq], [0n, null])
    await ledger.close()
    assert.equal((await context.ledger.balance('alice')).spendable, 100_000n - 30n * BigInt(sent))
    assert.equal((await context.ledger.receipt('alice', 'r1'))?.charged, 0n)
  }),

  leaseCase('asks the store about whatever is not a final cost within the hold', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    const endings = [
      { attempts: [served(170n)], charged: 170n },
      { attempts: [served(null)], charged: 0n },
      { attempts: [onOwnKey(9n)], charged: 0n },
      { attempts: [{ ...served(50n), state: 'provisional' as const }], charged: 0n },
    ]
    for (const [index, { attempts, charged }] of endings.entries()) {
      const reservationId = `r${index}`
      reserved(await ledger.reserve(holdOf(reservationId, 100n)))
      const result = await ledger.settle({ accountId: 'alice', reservationId, attempts })
      assert.equal(result.outcome === 'settled' && result.isUnwritten, undefined)
      assert.equal(settled(result).charged, charged)
      assert.deepEqual(await context.ledger.receipt('alice', reservationId), settled(result))
    }
    assert.equal((await context.ledger.balance('alice')).provisional, 50n)
  }),

  leaseCase('extends a request that a lease pays', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    reserved(await ledger.reserve(holdOf('r1', 100n)))
    const more = { accountId: 'alice', reservationId: 'r1', ordinal: 1, amount: nano(50n), timeToLiveMs: 0 }
    assert.equal(extended(await ledger.extend(more)).amount, 150n)
    assert.equal((await ledger.settle({ ...more, attempts: [served(140n)] })).outcome, 'settled')
    assert.equal((await context.ledger.receipt('alice', 'r1'))?.charged, 140n)
  }),

  leaseCase('knows a repeat of what a lease has decided', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    const hold = reserved(await ledger.reserve(holdOf('r1', 100n)))
    const again = reserved(await ledger.reserve(holdOf('r1', 100n)))
    assert.deepEqual([again.reservationId, again.amount], [hold.reservationId, hold.amount])
    await request(ledger, 'r2', { cost: 60n })
    const attempts = [served(1n)]
    const repeated = settled(await ledger.settle({ accountId: 'alice', reservationId: 'r2', attempts }))
    assert.equal(repeated.charged, 60n)
  }),
]
