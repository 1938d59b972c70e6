import assert from 'node:assert/strict'
import {
  createLedger,
  type FakeClock,
  fakeClock,
  type JournalArchive,
  type Ledger,
  type LedgerStore,
  nano,
  type StoredEntry,
  usd,
} from '@farebox/core'
import { checkInvariants } from './check-invariants.ts'
import { casePlans, caseStartMs, type LedgerCase } from './ledger-case.ts'
import { day, holdOf, served } from './requests.ts'

/** What was long ago may leave the journal, and everything can still be proved. */
export const trimCases: readonly LedgerCase[] = [
  trimCase(
    'takes entries out of the journal that are older than 400 days and that every consumer has',
    async ({ ledger, clock, store, exportTo }) => {
      await use(ledger, 'first')
      const last = await exportTo('archive')
      await exportTo('warehouse')
      const before = await ledger.balance('alice')
      clock.advance(401 * day)
      assert.deepEqual(await trim(ledger, ['archive', 'warehouse']), { outcome: 'trimmed', entries: last })

      const [first] = await store.journal('alice', 0n, 1)
      assert.equal(first?.seq, last + 1n)
      const { spendable, purchased } = await ledger.balance('alice')
      assert.deepEqual({ spendable, purchased }, { spendable: before.spendable, purchased: before.purchased })
      const { isSound, trimmed, attempts } = await ledger.audit('alice')
      assert.deepEqual(
        { isSound, trimmed, attempts },
        { isSound: true, trimmed: { throughSeq: last, isProved: false }, attempts: requestsOf },
      )
    },
  ),

  trimCase('takes nothing that a consumer has not acknowledged', async ({ ledger, clock, exportTo }) => {
    await use(ledger, 'first')
    await exportTo('archive')
    clock.advance(401 * day)
    assert.deepEqual(await trim(ledger, ['archive', 'warehouse']), {
      outcome: 'trimmed',
      entries: 0n,
      waitsFor: 'warehouse',
    })
    assert.equal((await ledger.audit('alice')).trimmed, null)
  }),

  trimCase('takes nothing that is younger than 400 days', async ({ ledger, clock, exportTo }) => {
    await use(ledger, 'first')
    await exportTo('archive')
    clock.advance(400 * day)
    assert.deepEqual(await trim(ledger), { outcome: 'trimmed', entries: 0n })
    clock.advance(1)
    const { entries } = await trimmed(ledger)
    assert.ok(entries > 100n)
  }),

  trimCase('leaves an account alone of which little could go', async ({ ledger, clock, exportTo }) => {
    await ledger.grant({ accountId: 'alice', grantId: 'bought', amount: usd('1.00') })
    await exportTo('archive')
    clock.advance(500 * day)
    assert.deepEqual(await trim(ledger), { outcome: 'trimmed', entries: 0n })
  }),

  trimCase('says what would go, and changes nothing, when it is only asked', async (context) => {
    const { ledger, clock, store, exportTo } = context
    await use(ledger, 'first')
    const last = await exportTo('archive')
    clock.advance(401 * day)
    const before = await store.journal('alice', 0n, 1000)
    assert.deepEqual(await trim(ledger, ['archive'], true), { outcome: 'trimmed', entries: last })
    assert.deepEqual(await store.journal('alice', 0n, 1000), before)
    assert.deepEqual(await trim(ledger), { outcome: 'trimmed', entries: last })
  }),

  trimCase('trims on from where it was trimmed before, and the archive proves all of it', async (context) => {
    const { ledger, clock, exportTo, archive } = context
    await use(ledger, 'first')
    await exportTo('archive')
    clock.advance(450 * day)
    await use(ledger, 'second')
    const first = await trimmed(ledger)
    await exportTo('archive')
    clock.advance(450 * day)
    await use(ledger, 'third')
    const second = await trimmed(ledger)
    assert.ok(first.entries > 0n && second.entries > 0n)

    const report = await ledger.audit('alice', { archive })
    assert.deepEqual(report.findings, [])
    assert.deepEqual(report.trimmed, { throughSeq: first.entries + second.entries, isProved: true })
    assert.equal(report.attempts, 3 * requestsOf)
    assert.deepEqual((await ledger.audit('alice')).totals, report.totals)
  }),

  trimCase('answers about what was trimmed as about what is long forgotten', async (context) => {
    const { ledger, clock, exportTo } = context
    await use(ledger, 'first')
    await exportTo('archive')
    const receipt = await ledger.receipt('alice', 'first-1')
    assert.equal(receipt?.charged, usd('0.01'))
    const refund = {
      accountId: 'alice',
      requestId: 'first-1',
      attemptId: 'first-1.1',
      actor: 'support',
      reason: 'test',
    }
    clock.advance(401 * day)
    await trim(ledger)

    assert.equal(await ledger.receipt('alice', 'first-1'), undefined)
    const late = await ledger.refund({ ...refund, opId: 'late', seq: receipt?.seq ?? 0n })
    assert.equal(late.outcome, 'too-old')
    const again = await ledger.settle({ accountId: 'alice', reservationId: 'first-1', attempts: [] })
    assert.equal(again.outcome, 'unknown-reservation')
    const twice = await ledger.grant({ accountId: 'alice', grantId: 'bought:first', amount: usd('10.00') })
    assert.equal(twice.outcome, 'granted')
    assert.equal((await ledger.balance('alice')).purchased, usd('9.60'))
  }),

  trimCase('can still refund what is younger than 400 days after older entries went', async (context) => {
    const { ledger, clock, exportTo } = context
    await use(ledger, 'first')
    await exportTo('archive')
    clock.advance(300 * day)
    await use(ledger, 'second')
    clock.advance(150 * day)
    await trimmed(ledger)
    const refund = await ledger.refund({
      accountId: 'alice',
      opId: 'refund',
      requestId: 'second-1',
      attemptId: 'second-1.1',
      actor: 'support',
      reason: 'test',
      seq: (await seqOf(context, 'second-1')) ?? 0n,
    })
    assert.equal(refund.outcome, 'refunded')
  }),

  trimCase('forgets with the next run what a run has left that broke off', async (context) => {
    const { ledger, store, clock, exportTo } = context
    await use(ledger, 'first')
    const last = await exportTo('archive')
    clock.advance(401 * day)
    // The step of the ledger is done, and the store has forgotten nothing.
    const broken = createLedger({
      store: { ...forwarded(store), trim: () => Promise.reject(new Error('gone')) },
      plans: casePlans,
      clock,
    })
    await assert.rejects(trim(broken), /gone/)
    assert.equal((await store.journal('alice', 0n, 1))[0]?.seq, 1n)
    assert.deepEqual((await ledger.audit('alice')).findings, [])

    assert.deepEqual(await trim(ledger), { outcome: 'trimmed', entries: 0n })
    assert.equal((await store.journal('alice', 0n, 1))[0]?.seq, last + 1n)
  }),

  trimCase('is trimmed once by several at the same time, while it is used and audited', async (context) => {
    const { ledger, clock, exportTo } = context
    await use(ledger, 'first')
    const last = await exportTo('archive')
    clock.advance(401 * day)
    const [a, b, c, report] = await Promise.all([
      trimmed(ledger),
      trimmed(ledger),
      trimmed(ledger),
      ledger.audit('alice'),
      use(ledger, 'second'),
    ])
    assert.equal(a.entries + b.entries + c.entries, last)
    assert.deepEqual(report.findings, [])
  }),
]

interface TrimContext {
  readonly ledger: Ledger
  readonly store: LedgerStore
  readonly clock: FakeClock
  /** What was exported so far. */
  readonly archive: JournalArchive
  /** Hands everything new to a consumer; what that of the name `archive` got is kept. Gives the last entry's number. */
  exportTo(consumer: string): Promise<bigint>
}

/** After the case the account is proved once more from what is left, and once with what was exported before it. */
function trimCase(name: string, check: (context: TrimContext) => Promise<void>): LedgerCase {
  return {
    name,
    async run(subject) {
      const clock = fakeClock(caseStartMs)
      const storage = await subject.createStore(clock)
      const store = storage.ledger
      // A store that keeps every journal as a whole has nothing to show here.
      if (store.trim === undefined) return subject.dispose?.(storage)
      const kept: StoredEntry[] = []
      const ledger = createLedger({ store, plans: casePlans, clock })
      const exportTo = async (consumer: string) => {
        for (;;) {
          const { exported } = await ledger.exportState('alice', consumer)
          const page = await ledger.storedJournal('alice', exported, 1000)
          const last = page.at(-1)
          if (last === undefined) return exported
          if (consumer === 'archive') kept.push(...page)
          await ledger.acknowledge('alice', consumer, last.seq)
        }
      }
      const archive: JournalArchive = {
        async *entries() {
          yield* kept
        },
      }
      try {
        await check({ ledger, store, clock, archive, exportTo })
        assert.deepEqual((await ledger.audit('alice')).findings, [])
        assert.deepEqual((await ledger.audit('alice', { archive })).findings, [])
        await checkInvariants({ ledger: wholeStore(store, kept) }, 'alice', casePlans)
      } finally {
        await store.close()
        await subject.dispose?.(storage)
      }
    },
  }
}

/** The store as if nothing had been trimmed. */
function wholeStore(store: LedgerStore, kept: readonly StoredEntry[]): LedgerStore {
  return {
    ...forwarded(store),
    async journal(accountId, afterSeq, limit) {
      const [first] = await store.journal(accountId, 0n, 1)
      const gone = kept.filter(({ seq }) => seq > afterSeq && seq < (first?.seq ?? 0n))
      const rest = await store.journal(accountId, afterSeq, limit)
      return [...gone, ...rest].slice(0, limit)
    },
  }
}

function forwarded(store: LedgerStore): LedgerStore {
  return {
    traits: store.traits,
    transact: (accountId, keys, reduce, options) => store.transact(accountId, keys, reduce, options),
    journal: (accountId, afterSeq, limit) => store.journal(accountId, afterSeq, limit),
    scan: (what, cursor, limit) => store.scan(what, cursor, limit),
    close: () => store.close(),
  }
}

const requestsOf = 40

/** A grant, forty requests and eighty changes of the seats: 121 entries. Much of it at once, so that few commits are waited for. */
async function use(ledger: Ledger, name: string): Promise<void> {
  const numbers = Array.from({ length: requestsOf }, (_, index) => index + 1)
  await ledger.grant({ accountId: 'alice', grantId: `bought:${name}`, amount: usd('10.00') })
  await Promise.all(numbers.map((number) => ledger.reserve(holdOf(`${name}-${number}`, usd('0.02')))))
  await Promise.all(
    numbers.map((number) => {
      const reservationId = `${name}-${number}`
      const attempts = [served(usd('0.01'), `${reservationId}.1`)]
      return ledger.settle({ accountId: 'alice', reservationId, attempts })
    }),
  )
  await Promise.all(
    [...numbers, ...numbers.map((number) => number + requestsOf)].map((seats) =>
      ledger.configure({ accountId: 'alice', planId: 'bare', seats: seats + 1 }),
    ),
  )
}

const olderThanMs = 400 * day

function trim(ledger: Ledger, consumers: readonly string[] = ['archive'], isDryRun = false) {
  return ledger.trim({ accountId: 'alice', consumers, olderThanMs, isDryRun })
}

async function trimmed(ledger: Ledger): Promise<{ readonly entries: bigint }> {
  const result = await trim(ledger)
  assert.equal(result.outcome, 'trimmed')
  return { entries: result.outcome === 'trimmed' ? result.entries : nano(0n) }
}

async function seqOf({ ledger }: TrimContext, requestId: string): Promise<bigint | undefined> {
  const entries = await ledger.journal('alice', 0n, 1000)
  return entries.find((entry) => entry.requestId === requestId)?.seq
}
