import assert from 'node:assert/strict'
import { createLedger, type LedgerStore, nano, OutcomeUnknown, Unavailable } from '@farebox/core'
import { caseStartMs, type LedgerCase, type LedgerContext, ledgerCase } from './ledger-case.ts'
import { leaseGraceMs, leaseMs, leasePlans, leasesOf, lessee, request, until, warm } from './lessees.ts'
import {
  counters,
  day,
  deed,
  extended,
  give,
  graceMs,
  holdOf,
  onOwnKey,
  readHead,
  refunded,
  refused,
  reserved,
  second,
  served,
  settled,
  traceable,
} from './requests.ts'

function leaseCase(name: string, check: (context: LedgerContext) => Promise<void>): LedgerCase {
  return ledgerCase(name, check, leasePlans)
}

/** The charge of every request that the journal has. */
async function charges({ ledger }: LedgerContext): Promise<ReadonlyMap<string, bigint>> {
  const found = new Map<string, bigint>()
  for (let afterSeq = 0n; ; ) {
    const page = await ledger.journal('alice', afterSeq, 500)
    for (const { requestId, attempts } of page) {
      if (requestId === undefined || attempts === undefined) continue
      assert.ok(!found.has(requestId), `${requestId} was settled twice`)
      found.set(
        requestId,
        attempts.reduce((sum, { charged }) => sum + charged, 0n),
      )
    }
    const last = page.at(-1)
    if (last === undefined) return found
    afterSeq = last.seq
  }
}

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

  leaseCase('failure 4: writes a checkpoint once whose replies were lost', async (context) => {
    let losses = 0
    const lossy = (inner: LedgerStore): LedgerStore => ({
      ...inner,
      async transact(...call) {
        const result = await inner.transact(...call)
        if (losses === 0) return result
        losses -= 1
        throw new OutcomeUnknown('The connection broke.')
      },
    })
    const { ledger, told } = lessee(context, 'a', lossy)
    await give(context.ledger, 'g1', 100_000n)
    const sent = await warm(ledger, 'w')
    for (let index = 0; index < 10; index += 1) await request(ledger, `r${index}`)
    reserved(await ledger.reserve(holdOf('open', 100n)))
    losses = 2
    let charged: bigint | undefined
    const reading = ledger.balance('alice').then((balance) => {
      charged = balance.charged
    })
    await until(() => {
      context.clock.advance(10)
      return charged !== undefined
    }, 'the store answers')
    await reading

    assert.deepEqual([charged, losses], [30n * BigInt(10 + sent), 0])
    assert.equal((await charges(context)).size, 10 + sent)
    const ids = told.map(({ requestId }) => requestId)
    assert.equal(new Set(ids).size, 11)
    assert.ok(told.every(({ seq }) => seq !== null))
  }),

  leaseCase('failure 4: goes on while the store is down, until the lease is too old', async (context) => {
    const { clock } = context
    let isDown = false
    const { ledger, failures } = lessee(context, 'a', (inner) => ({
      ...inner,
      async transact(...call) {
        if (isDown) throw new Unavailable('The store is down.')
        return inner.transact(...call)
      },
    }))
    await give(context.ledger, 'g1', 100_000n)
    const sent = await warm(ledger, 'w')
    await ledger.balance('alice')
    isDown = true
    for (let index = 0; index < 5; index += 1) {
      clock.advance(second)
      assert.equal((await request(ledger, `r${index}`)).isUnwritten, true)
    }
    await assert.rejects(ledger.balance('alice'), { code: 'store_unavailable' })
    clock.advance(leaseMs)
    await assert.rejects(ledger.reserve(holdOf('too-late', 1n)), { code: 'store_unavailable' })
    isDown = false
    const { charged, absorbed } = await ledger.balance('alice')

    assert.deepEqual([charged, absorbed], [30n * BigInt(sent + 5), 0n])
    assert.ok(failures.length > 0)
  }),

  leaseCase('gives what a dead process had leased back when nobody can use it any more', async (context) => {
    const { clock, store } = context
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    const written = (await ledger.balance('alice')).charged
    // What happens from here on is lost with the process: at most what its lease pays.
    await request(ledger, 'lost')
    const [mark] = (await readHead(store)).leases ?? []
    assert.ok(mark !== undefined)
    assert.equal(mark.expiresAtMs, caseStartMs + leaseMs + leaseGraceMs)
    clock.set(mark.expiresAtMs - 1)
    assert.equal(await leasesOf(store), 1)
    const other = createLedger({ store, plans: leasePlans, clock })
    assert.ok((await other.balance('alice')).held > 0n)
    clock.set(mark.expiresAtMs)
    reserved(await other.reserve(holdOf('next', 100_000n - written)))
    assert.equal(await leasesOf(store), 0)
    assert.equal(await other.receipt('alice', 'lost'), undefined)
  }),

  leaseCase(
    'charges what a process tells of that was silent for too long, as far as credit goes',
    async (context) => {
      const { clock, store } = context
      const { ledger, told } = lessee(context, 'a')
      await give(context.ledger, 'g1', 10_000n)
      const sent = await warm(ledger, 'w')
      const before = (await ledger.balance('alice')).charged
      for (let index = 0; index < 3; index += 1) await request(ledger, `r${index}`)
      // The store's clock runs away while the process is stopped, and somebody else takes all but 50.
      clock.set(caseStartMs + leaseMs + leaseGraceMs)
      const other = createLedger({ store, plans: leasePlans, clock })
      reserved(await other.reserve(holdOf('rest', 10_000n - before - 50n)))
      const balance = await ledger.balance('alice')

      assert.deepEqual([balance.charged - before, balance.absorbed, balance.spendable], [50n, 40n, 0n])
      const late = told.slice(-3).map(({ charged, absorbed }) => [charged, absorbed])
      assert.deepEqual(late, [
        [30n, 0n],
        [20n, 10n],
        [0n, 30n],
      ])
      assert.equal((await charges(context)).size, sent + 3)
      await ledger.close()
    },
  ),

  leaseCase('pays nothing from a lease that is too old on the process’ own clock', async (context) => {
    const { clock } = context
    const { ledger } = lessee(context, 'a', (inner) => inner)
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    let isDown = false
    const down = lessee(context, 'b', (inner) => ({
      ...inner,
      transact: (...call) => (isDown ? new Promise(() => {}) : inner.transact(...call)),
    }))
    await warm(down.ledger, 'v')
    isDown = true
    clock.advance(leaseMs - second)
    const last = reserved(await down.ledger.reserve(holdOf('in-time', 10n)))
    assert.equal(last.amount, 10n)
    clock.advance(second)
    const asked = await Promise.race([
      down.ledger.reserve(holdOf('too-late', 10n)),
      new Promise((resolve) => setTimeout(resolve, 20, 'asked the store')),
    ])
    assert.equal(asked, 'asked the store')
  }),

  leaseCase('leases neither for members nor from a balance of a few requests', async (context) => {
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 1_100n)
    for (let index = 0; index < 30; index += 1) await request(ledger, `r${index}`)
    assert.equal(await leasesOf(context.store), 0)
    await give(context.ledger, 'g2', 1_000_000n)
    const subject = { ...holdOf('', 1n).subject, memberId: 'bob' }
    for (let index = 0; index < 30; index += 1) {
      reserved(await ledger.reserve(holdOf(`m${index}`, 100n, { subject })))
    }
    assert.equal(await leasesOf(context.store), 0)
  }),

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

  leaseCase(
    'failure 1: serves exactly as many as the credit pays for, from three processes',
    async (context) => {
      const { clock } = context
      const processes = ['a', 'b', 'c'].map((name) => lessee(context, name))
      const [a, b] = processes as [ReturnType<typeof lessee>, ReturnType<typeof lessee>]
      await give(context.ledger, 'g1', 30n * 2000n)
      await warm(a.ledger, 'a')
      await warm(b.ledger, 'b')
      assert.equal(await leasesOf(context.store), 2)
      const sent = (await charges(context)).size
      const stop = keepTicking(clock)
      let refusals = 0
      await Promise.all(
        processes.map(async ({ ledger }, index) => {
          for (let turn = 0; turn < 1000; turn += 1) {
            const id = `p${index}-${turn}`
            const result = await ledger.reserve(holdOf(id, 30n))
            if (result.outcome !== 'reserved') {
              assert.equal(refused(result).missing > 0n, true)
              refusals += 1
              if (refusals > 30) return
              continue
            }
            settled(await ledger.settle({ accountId: 'alice', reservationId: id, attempts: [served(30n)] }))
          }
        }),
      )
      await Promise.all(processes.map(({ ledger }) => ledger.close()))
      stop()

      assert.ok(sent > 0)
      assert.equal((await charges(context)).size, 2000)
      const balance = await context.ledger.balance('alice')
      assert.deepEqual([balance.spendable, balance.held, balance.absorbed], [0n, 0n, 0n])
    },
  ),

  leaseCase('leases nothing again soon after credit had to be asked back', async (context) => {
    const { clock, store } = context
    const a = lessee(context, 'a')
    const b = lessee(context, 'b')
    await give(context.ledger, 'g1', 10_000n)
    await warm(a.ledger, 'w')
    const { spendable } = await context.ledger.balance('alice')
    const stop = keepTicking(clock)
    reserved(await b.ledger.reserve(holdOf('large', spendable + 10n)))
    stop()
    assert.equal(await leasesOf(store), 0)
    const recalledAtMs = clock.now()
    await give(context.ledger, 'g2', 1_000_000n)
    for (let index = 0; index < 30; index += 1) await request(b.ledger, `r${index}`)
    assert.equal(await leasesOf(store), 0)
    clock.advance(30 * second - (clock.now() - recalledAtMs))
    await warm(b.ledger, 'v')
    assert.equal(await leasesOf(store), 1)
  }),

  leaseCase('gives a lease back that nobody uses', async (context) => {
    const { clock, store } = context
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    const stop = keepTicking(clock)
    await until(async () => (await leasesOf(store)) === 0, 'the lease is given back')
    stop()
    assert.equal((await context.ledger.balance('alice')).held, 0n)
    assert.ok(clock.now() < caseStartMs + day)
  }),

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

/** Lets time go by, also for timers that begin meanwhile, until it is told to stop. */
function keepTicking(clock: LedgerContext['clock']): () => void {
  const timer = setInterval(() => clock.advance(second / 4), 4)
  return () => clearInterval(timer)
}
