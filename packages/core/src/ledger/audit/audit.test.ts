import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../../clock.ts'
import { type Nano, nano, usd } from '../../money.ts'
import { chainEntry, type Entry, emptyChain } from '../entry.ts'
import { createLedger, type Ledger } from '../ledger.ts'
import { memoryStorage } from '../memory-storage.ts'
import { planPreset } from '../plan-presets.ts'
import type { ReceiptAttempt } from '../receipt.ts'
import type { SettledAttempt } from '../share.ts'
import { type Cut, type LedgerStore, type StoredEntry, Unavailable, type Value } from '../storage.ts'
import { audit } from './audit.ts'
import type { RateAttempt } from './prices.ts'

const plans = planPreset('hf-2026-02-04')

function open(): { store: LedgerStore; ledger: Ledger; clock: FakeClock } {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const { ledger: store } = memoryStorage({ clock })
  return { store, clock, ledger: createLedger({ store, plans, clock }) }
}

const hold = (reservationId: string, amount = 1000n) => ({
  accountId: 'alice',
  reservationId,
  amount: nano(amount),
  timeToLiveMs: 60_000,
  subject: { model: 'model', costProviderIds: [], attemptsMax: 1 },
})

const attempt = (requestId: string, change: Partial<SettledAttempt> = {}): SettledAttempt => ({
  attemptId: `${requestId}.1`,
  providerId: 'provider',
  providerModel: 'model',
  outcome: 'served',
  costSource: 'price-book',
  priceVersion: 'v1',
  usage: { quantities: { output_token: 100n }, certainty: 'exact' },
  cost: nano(1000n),
  payer: 'customer',
  ...change,
})

async function spend(ledger: Ledger, requestId: string, change: Partial<SettledAttempt> = {}): Promise<void> {
  await ledger.reserve(hold(requestId))
  await ledger.settle({
    accountId: 'alice',
    reservationId: requestId,
    attempts: [attempt(requestId, change)],
  })
}

/** Ten nano-USD a token, at the version `v1` only. */
const rate: RateAttempt = ({ priceVersion, usage }: ReceiptAttempt) =>
  priceVersion === 'v1' ? (((usage?.quantities.output_token as bigint) * 10n) as Nano) : undefined

describe('an audit', () => {
  it('of an account that was never written finds nothing and proves nothing', async () => {
    const { ledger } = open()
    expect(await ledger.audit('nobody')).toMatchObject({
      isSound: true,
      seq: 0n,
      chain: '',
      attempts: 0,
      grants: 0,
    })
  })

  it('reads a long journal page by page, tells how far it is, and lets others run in between', async () => {
    const { ledger } = open()
    for (let index = 0; index < 1200; index += 1) await spend(ledger, `r${index}`)
    const told: [bigint, bigint][] = []
    let turns = 0
    const turning = setInterval(() => {
      turns += 1
    }, 0)

    const report = await ledger.audit('alice', { onProgress: (done, all) => told.push([done, all]) })
    clearInterval(turning)

    expect(report).toMatchObject({ isSound: true, seq: 1201n, attempts: 1200 })
    expect(told).toEqual([
      [500n, 1201n],
      [1000n, 1201n],
      [1201n, 1201n],
    ])
    expect(turns).toBeGreaterThan(0)
  })

  it('ends before its next page when its signal aborts', async () => {
    const { ledger } = open()
    for (let index = 0; index < 600; index += 1) await spend(ledger, `r${index}`)
    const controller = new AbortController()
    const auditing = ledger.audit('alice', {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    })
    await expect(auditing).rejects.toThrow('enough')
  })

  it('proves an account as it was when it began, while the account goes on being used', async () => {
    const { ledger } = open()
    for (let index = 0; index < 600; index += 1) await spend(ledger, `r${index}`)
    let spending = Promise.resolve()
    const report = await ledger.audit('alice', {
      onProgress: (done) => {
        spending = spend(ledger, `meanwhile ${done}`)
      },
    })
    await spending
    expect(report).toMatchObject({ isSound: true, seq: 601n })
    expect((await ledger.audit('alice')).seq).toBeGreaterThan(601n)
  })

  it('compares no more holds than one reading gives, and says so', async () => {
    const { ledger } = open()
    for (let index = 0; index < 1001; index += 1) await ledger.reserve(hold(`r${index}`, 1n))
    expect(await ledger.audit('alice')).toMatchObject({
      isSound: true,
      holds: { compared: 1000, isComplete: false },
    })
  })

  it('lists so many findings and counts all of them', async () => {
    const { ledger } = open()
    for (let index = 0; index < 12; index += 1) await spend(ledger, `r${index}`, { cost: nano(999n) })
    const report = await ledger.audit('alice', { rate, findingsMax: 5 })
    expect(report.findings).toHaveLength(5)
    expect(report.findingsCount).toBe(12)
  })

  it('rejects when the store is out of reach, because not looking is not proving', async () => {
    const { store, clock } = open()
    const down: LedgerStore = {
      ...store,
      async journal() {
        throw new Unavailable('The store is down.')
      },
    }
    const ledger = createLedger({ store: down, plans, clock })
    await spend(ledger, 'r1')
    await expect(ledger.audit('alice')).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})

describe('the proof of zero markup', () => {
  it('failure 26: rates recorded usage again and accepts the very same cost only', async () => {
    const { ledger } = open()
    await spend(ledger, 'right')
    await spend(ledger, 'dearer', { cost: nano(1001n) })
    await spend(ledger, 'cheaper', { cost: nano(999n) })
    await spend(ledger, 'free', { cost: nano(0n) })

    const { prices, findings } = await ledger.audit('alice', { rate })

    expect(prices).toMatchObject({ verified: 1, mispriced: 3, unverifiable: 0, reported: 0 })
    expect(findings.map(({ kind, requestId }) => [kind, requestId])).toEqual([
      ['mispriced-attempt', 'dearer'],
      ['mispriced-attempt', 'cheaper'],
      ['mispriced-attempt', 'free'],
    ])
    expect(findings[0]?.message).toBe(
      'Attempt dearer.1 cost $0.000001001; price version v1 says $0.000001 for its usage.',
    )
  })

  it('counts estimates among what it verified', async () => {
    const { ledger } = open()
    const usage = { quantities: { output_token: 100n }, certainty: 'estimate' } as const
    await spend(ledger, 'r1', { usage, costSource: 'estimate' })
    expect((await ledger.audit('alice', { rate })).prices).toMatchObject({ verified: 1, estimated: 1 })
  })

  it('counts what it cannot verify, and never takes it for verified', async () => {
    const { ledger } = open()
    await spend(ledger, 'old', { priceVersion: 'v0' })
    const { usage: _usage, ...unmeasured } = attempt('unmeasured')
    await ledger.reserve(hold('unmeasured'))
    await ledger.settle({ accountId: 'alice', reservationId: 'unmeasured', attempts: [unmeasured] })
    await spend(ledger, 'unknown', { cost: null, costSource: 'unknown' })

    const { prices, isSound } = await ledger.audit('alice', { rate })

    expect(isSound).toBe(true)
    expect(prices).toMatchObject({ verified: 0, unverifiable: 2, mispriced: 0 })
  })

  it('takes a cost that the provider told as it is, and tells where it drifts from the price book', async () => {
    const { ledger } = open()
    const told = { costSource: 'provider' } as const
    await spend(ledger, 'same', told)
    await spend(ledger, 'rounded', { ...told, cost: nano(999n) })
    await spend(ledger, 'dearer', { ...told, cost: nano(1500n) })
    await spend(ledger, 'old', { ...told, priceVersion: 'v0' })

    const { prices, isSound } = await ledger.audit('alice', { rate })

    expect(isSound).toBe(true)
    expect(prices).toMatchObject({ reported: 4, compared: 3, drifted: 1, verified: 0 })
    expect(prices.drifts).toEqual([
      {
        seq: 4n,
        requestId: 'dearer',
        attemptId: 'dearer.1',
        providerId: 'provider',
        providerModel: 'model',
        reported: 1500n,
        rated: 1000n,
      },
    ])
  })

  it('compares a cost that came after its request was settled with the usage of the request', async () => {
    const { ledger } = open()
    await spend(ledger, 'same', { state: 'provisional' })
    await spend(ledger, 'dearer', { state: 'provisional' })
    for (const [reservationId, cost] of [
      ['same', 1000n],
      ['dearer', 1200n],
    ] as const) {
      const attemptId = `${reservationId}.1`
      const told = { accountId: 'alice', reservationId, attemptId, cost: nano(cost) }
      expect((await ledger.reconcile(told)).outcome).toBe('reconciled')
    }

    const { prices, isSound, entries } = await ledger.audit('alice', { rate })

    expect(isSound).toBe(true)
    expect(entries).toMatchObject({ provisional: 2, reconciled: 2 })
    expect(prices).toMatchObject({ reported: 2, compared: 2, drifted: 1, verified: 0, unverifiable: 0 })
    expect(prices.drifts).toMatchObject([{ requestId: 'dearer', reported: 1200n, rated: 1000n }])
  })

  it('rates an estimate again that was charged because no cost came in time', async () => {
    const clock = fakeClock(Date.UTC(2026, 10, 10))
    const { ledger: store } = memoryStorage({ clock })
    const late = { withinMs: 60_000, policy: 'charge-estimate' } as const
    const ledger = createLedger({ store, plans, clock, late })
    await spend(ledger, 'r1', { state: 'provisional' })
    clock.advance(600_000)
    await spend(ledger, 'r2')

    const { prices, isSound, entries } = await ledger.audit('alice', { rate })

    expect(isSound).toBe(true)
    expect(entries).toMatchObject({ provisional: 1, reconciled: 1, settled: 1 })
    expect(prices).toMatchObject({ verified: 2, unverifiable: 0, mispriced: 0 })
  })

  it('without any price counts every cost as unverifiable', async () => {
    const { ledger } = open()
    await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: usd('1.00') })
    await spend(ledger, 'r1')
    expect((await ledger.audit('alice')).prices).toMatchObject({ verified: 0, unverifiable: 1 })
  })
})

const cutOf = (head: Value | null): Cut => ({
  head,
  records: new Map(),
  due: [],
  moreDue: false,
  version: 1n,
  now: 0,
})

/** Audits this journal, with a head that is read as it is now, and as it is when it is read again. */
async function auditOf(
  journal: readonly StoredEntry[],
  ...heads: readonly [Value | null, ...(Value | null)[]]
) {
  const reads: [bigint, number][] = []
  const told: [bigint, bigint][] = []
  let headReads = 0
  const source = {
    readHead: async () => cutOf(heads[headReads++] ?? null),
    readJournal: async (_accountId: string, afterSeq: bigint, limit: number) => {
      reads.push([afterSeq, limit])
      return journal.filter(({ seq }) => seq > afterSeq).slice(0, limit)
    },
    rate: () => undefined,
    plans,
  }
  const report = await audit(source, 'alice', { onProgress: (done, all) => told.push([done, all]) })
  return { report, found: report.findings.map(({ kind, seq }) => [kind, seq]), reads, told }
}

/** A journal of as many entries that do nothing, each an operation of its own unless it is named. */
function journalOf(entries: number, opIdOf = (index: number) => `o${index}`): readonly StoredEntry[] {
  const journal: StoredEntry[] = []
  let previous = { seq: 0n, chain: emptyChain }
  for (let index = 1; index <= entries; index += 1) {
    const opId = opIdOf(index)
    const entry: Entry = { kind: 'configured', opId, recordedAtMs: 0, effectiveAtMs: 0, postings: [] }
    const stored = chainEntry({ ...entry, terms: { planId: 'pro' } }, previous)
    journal.push(stored)
    previous = { seq: stored.seq, chain: stored.hash }
  }
  return journal
}

/** A head that goes with the first entries of a journal. */
function headOf(journal: readonly StoredEntry[], seq = journal.length): Value {
  const totals = { charged: 0n, absorbed: 0n, includedIssued: 0n }
  const period = { key: '1970-01', startMs: 0, endMs: 1 }
  const terms = { planId: 'pro', seats: 1, spendingLimit: null, asOfMs: 0 }
  const chain = journal[seq - 1]?.hash ?? ''
  return { seq: BigInt(seq), chain, ...totals, ...terms, period, grants: [], overage: [] }
}

describe('an audit of a journal and its head', () => {
  it('reads the journal once, in pages of 500 up to the head, and looks for one entry behind it', async () => {
    const journal = journalOf(1003)
    const { found, reads, told } = await auditOf(journal, headOf(journal))
    expect(found).toEqual([])
    expect(reads).toEqual([
      [0n, 500],
      [500n, 500],
      [1000n, 3],
      [1003n, 1],
    ])
    expect(told).toEqual([
      [500n, 1003n],
      [1000n, 1003n],
      [1003n, 1003n],
    ])
    const whole = journalOf(500)
    expect((await auditOf(whole, headOf(whole))).reads).toEqual([
      [0n, 500],
      [500n, 1],
    ])
  })

  it('finds a journal without a head, tells how far it is in it, and compares no holds', async () => {
    const journal = journalOf(3)
    const { report, found, told } = await auditOf(journal, null)
    expect(found).toEqual([['wrong-head', null]])
    expect(report).toMatchObject({ seq: 3n, holds: { compared: 0, isComplete: true } })
    expect(told).toEqual([[3n, 3n]])
    expect((await auditOf([], null)).found).toEqual([])
  })

  it('finds a head that can not be read, and nothing else wrong with it', async () => {
    const { report } = await auditOf(journalOf(3), { seq: 3n })
    expect(report.findings.map(({ message }) => message)).toEqual(['The head can not be read as an account.'])
    expect(report).toMatchObject({ isSound: false, seq: 3n })
  })

  it('leaves entries out that were written after it began, also where it finds others missing', async () => {
    const journal = journalOf(4)
    const now = headOf(journal)
    expect((await auditOf(journal, headOf(journal, 3), now)).found).toEqual([])
    const withoutOne = journal.filter(({ seq }) => seq !== 2n)
    const { found, report } = await auditOf(withoutOne, headOf(journal, 3), now)
    expect(found).toEqual([['missing-entry', 2n]])
    expect(report.seq).toBe(3n)
  })

  it('finds an entry behind a head that does not count it when it is read again, or is gone then', async () => {
    const journal = journalOf(4)
    const before = headOf(journal, 3)
    for (const again of [before, null, { seq: 4n }]) {
      expect((await auditOf(journal, before, again)).found).toEqual([['misplaced-entry', 4n]])
    }
    expect((await auditOf(journal, before, headOf(journal, 4))).found).toEqual([])
  })

  it('leaves out an entry that can not be read, and goes on', async () => {
    const [first, second, third] = journalOf(3) as [StoredEntry, StoredEntry, StoredEntry]
    const { report } = await auditOf([first, { ...second, text: '{"kind":' }, third], headOf(journalOf(3)))
    expect(report.findings.map(({ kind, seq }) => [kind, seq])).toContainEqual(['unreadable-entry', 2n])
    expect(report.entries).toEqual({ configured: 2 })
  })

  it('finds each operation that was booked twice, and looks at no more than 1,000 of them again', async () => {
    const twice = journalOf(6, (index) => (index === 5 ? 'o2' : `o${index}`))
    expect((await auditOf(twice, headOf(twice))).found).toEqual([['repeated-operation', 5n]])
    const pairs = journalOf(2002, (index) => `o${index % 1001}`)
    const { report } = await auditOf(pairs, headOf(pairs))
    expect(report.findingsCount).toBe(1000)
  })

  it('counts grants apart from pay-as-you-go', async () => {
    const { ledger } = open()
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(5n) })
    await ledger.reserve(hold('r1', usd('3.00')))
    const attempts = [attempt('r1', { cost: usd('3.00') })]
    await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts })
    const balance = await ledger.balance('alice')
    expect(balance.overage.used).toBeGreaterThan(0n)
    const grants = (await ledger.journal('alice', 0n, 100)).filter(({ kind }) => kind === 'granted')
    expect(await ledger.audit('alice')).toMatchObject({ isSound: true, grants: grants.length })
  })
})
