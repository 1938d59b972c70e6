import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../clock.ts'
import { accessTo } from './access.ts'
import { append, decide } from './draft.ts'
import { usageCursorKey } from './fold-usage.ts'
import { type JournalBase, journalBaseKey } from './journal-base.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { memoryStorage } from './memory-storage.ts'
import { openAccount } from './open-account.ts'
import { planPreset } from './plan-presets.ts'
import type { Key, LedgerStore, Put, StoredEntry, Value } from './storage.ts'
import { type TrimAccountRequest, trimJournal } from './trim-journal.ts'

const plans = planPreset('hf-2026-02-04')
const dayMs = 24 * 3_600_000

interface Trimming {
  readonly clock: FakeClock
  readonly store: LedgerStore
  readonly ledger: Ledger
  /** Every page that was read of the journal: behind which entry, and how many at most. */
  readonly pages: (readonly [afterSeq: bigint, limit: number])[]
  /** Books so many entries, all at the same time. */
  write(count: number): Promise<void>
  trim(change?: Partial<TrimAccountRequest>): ReturnType<Ledger['trim']>
}

/** An account with so many entries of 401 days ago, of which the consumer `archive` has all unless it is said otherwise. */
async function withOld(count: number, { archived = count } = {}): Promise<Trimming> {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const inner = memoryStorage({ clock }).ledger
  const pages: Trimming['pages'] = []
  const store: LedgerStore = {
    ...inner,
    journal(accountId, afterSeq, limit) {
      pages.push([afterSeq, limit])
      return inner.journal(accountId, afterSeq, limit)
    },
  }
  const ledger = createLedger({ store, plans, clock })
  const trimming: Trimming = {
    clock,
    store,
    ledger,
    pages,
    write: (more) => book(inner, more),
    trim: (change) =>
      ledger.trim({
        accountId: 'alice',
        consumers: ['archive'],
        olderThanMs: 400 * dayMs,
        isDryRun: false,
        ...change,
      }),
  }
  if (count > 0) await trimming.write(count)
  await ledger.acknowledge('alice', 'archive', BigInt(archived))
  clock.advance(401 * dayMs)
  return trimming
}

/** The first entry of an account is the credit its plan includes. */
async function book(store: LedgerStore, count: number): Promise<void> {
  await store.transact('alice', [], (cut) => {
    const draft = openAccount(cut, 'alice', plans)
    while (draft.entries.length < count) {
      append(draft, {
        kind: 'configured',
        opId: `configure:${draft.account.seq}`,
        recordedAtMs: draft.now,
        effectiveAtMs: draft.now,
        postings: [],
        terms: { planId: 'free', seats: 1 },
      })
    }
    return decide(draft, undefined)
  })
}

async function read(store: LedgerStore, key: Key): Promise<Value | undefined> {
  return store.transact('alice', [key], ({ records }) => ({ result: records.get(key) }))
}

async function put(store: LedgerStore, ...puts: readonly Put[]): Promise<void> {
  await store.transact('alice', [], ({ head }) => ({ result: undefined, write: { head, put: puts } }))
}

const firstOf = async ({ store }: Trimming) => (await store.journal('alice', 0n, 1))[0]?.seq
const trimmed = (entries: bigint) => ({ outcome: 'trimmed', entries }) as const

describe('trimming the journal of an account', () => {
  it('finds nothing to do where nothing was ever written', async () => {
    const { trim } = await withOld(0)
    expect(await trim()).toEqual(trimmed(0n))
  })

  it('takes a hundred entries, and leaves ninety-nine', async () => {
    const [few, enough] = [await withOld(99), await withOld(100)]
    expect(await few.trim()).toEqual(trimmed(0n))
    expect(await firstOf(few)).toBe(1n)
    expect(await enough.trim()).toEqual(trimmed(100n))
    expect(await firstOf(enough)).toBe(101n)
  })

  it('takes what is older than it is asked to, and not what is just as old', async () => {
    const { clock, trim } = await withOld(120)
    const olderThanMs = 500 * dayMs
    clock.advance(99 * dayMs)
    expect(await trim({ olderThanMs, isDryRun: true })).toEqual(trimmed(0n))
    expect(await trim({ olderThanMs })).toEqual(trimmed(0n))
    clock.advance(1)
    expect(await trim({ olderThanMs, isDryRun: true })).toEqual(trimmed(120n))
    expect(await trim({ olderThanMs })).toEqual(trimmed(120n))
  })

  it('leaves young entries behind old ones, though everybody has them', async () => {
    const trimming = await withOld(120)
    await trimming.write(30)
    await trimming.ledger.acknowledge('alice', 'archive', 150n)
    expect(await trimming.trim()).toEqual(trimmed(120n))
    expect(await firstOf(trimming)).toBe(121n)
    expect((await trimming.ledger.audit('alice')).findings).toEqual([])
  })

  it('reads no more than the first entry where that is too young', async () => {
    const { pages, store, ledger, write, trim } = await withOld(0)
    await write(120)
    await ledger.acknowledge('alice', 'archive', 120n)
    expect(await trim()).toEqual(trimmed(0n))
    expect(pages).toEqual([[0n, 1]])
    expect(await read(store, usageCursorKey)).toBeUndefined()
  })

  it('adds usage up first, but not when it is only asked', async () => {
    const { store, trim } = await withOld(120)
    expect(await trim({ isDryRun: true })).toEqual(trimmed(120n))
    expect(await read(store, usageCursorKey)).toBeUndefined()
    expect(await trim()).toEqual(trimmed(120n))
    expect(await read(store, usageCursorKey)).toMatchObject({ seq: 120n })
  })

  it('reads 500 entries at a time, tells how many, and takes exactly what the consumer has that it waits for', async () => {
    const trimming = await withOld(1200, { archived: 700 })
    const { ledger, pages, trim } = trimming
    const told: number[] = []
    const onRead = (entries: number) => told.push(entries)
    expect(await trim({ onRead })).toEqual({ ...trimmed(700n), waitsFor: 'archive' })
    expect(told).toEqual([500, 200])
    expect(await firstOf(trimming)).toBe(701n)
    await ledger.acknowledge('alice', 'archive', 1200n)
    expect(await trim()).toEqual(trimmed(500n))
    expect(pages.filter(([, limit]) => limit < 1 || limit > 500)).toEqual([])
    expect((await ledger.audit('alice')).findings).toEqual([])
  })

  it('waits for nobody where what is left is too young, or nothing is left', async () => {
    const all = await withOld(120)
    expect(await all.trim({ isDryRun: true })).toEqual(trimmed(120n))
    const young = await withOld(120)
    await young.write(1)
    expect(await young.trim({ isDryRun: true })).toEqual(trimmed(120n))
  })

  it('waits for nobody where there is nobody to wait for', async () => {
    const { trim } = await withOld(120, { archived: 0 })
    expect(await trim({ consumers: [] })).toEqual(trimmed(120n))
  })

  it('says who it waits for also where too little could go', async () => {
    const { trim } = await withOld(120, { archived: 99 })
    expect(await trim()).toEqual({ ...trimmed(0n), waitsFor: 'archive' })
  })

  it('does not name a consumer where a hold needs the entries', async () => {
    const { store, trim } = await withOld(300)
    const value = { reservationId: 'r', state: 'provisional', settledBy: 201n, late: { untilMs: 0 } }
    await put(store, { key: 'hold:r', value, mode: 'create', dueAt: 0 })
    expect(await trim({ isDryRun: true })).toEqual(trimmed(200n))
  })

  it('waits for a consumer that has nothing, of which entries were trimmed before', async () => {
    const trimming = await withOld(120)
    await trimming.trim()
    await trimming.write(50)
    await trimming.ledger.acknowledge('alice', 'archive', 171n)
    const consumers = ['archive', 'new']
    expect(await trimming.trim({ consumers })).toEqual(trimmed(0n))
    trimming.clock.advance(401 * dayMs)
    expect(await trimming.trim({ consumers })).toEqual({ ...trimmed(0n), waitsFor: 'new' })
    expect(trimming.pages.filter(([, limit]) => limit < 1)).toEqual([])
    expect(await firstOf(trimming)).toBe(121n)
  })

  it('goes step by step, each with an entry of its own, and counts the same when it is only asked', async () => {
    const trimming = await withOld(2150)
    const { clock, store, ledger } = trimming
    const context = { access: accessTo(store, clock), statements: ledger.statements, plans, stepMax: 1000 }
    const request = { accountId: 'alice', consumers: ['archive'], olderThanMs: 400 * dayMs }
    expect(await trimJournal(context, { ...request, isDryRun: true })).toEqual(trimmed(2150n))
    expect(await firstOf(trimming)).toBe(1n)
    expect(await trimJournal(context, { ...request, isDryRun: false })).toEqual(trimmed(2150n))
    const told = (await ledger.journal('alice', 0n, 1000)).filter(({ kind }) => kind === 'trimmed')
    expect(told.map(({ kind, terms }) => [kind, terms?.['throughSeq']])).toEqual([
      ['trimmed', 1000n],
      ['trimmed', 2000n],
      ['trimmed', 2150n],
    ])
    expect(await read(store, journalBaseKey)).toMatchObject({ seq: 2150n })
    expect((await ledger.audit('alice')).findings).toEqual([])
  })

  it('deletes the last entry too that a run has left which broke off', async () => {
    const { store, clock, ...trimming } = await withOld(120)
    const breaking: LedgerStore = {
      ...store,
      async trim(accountId, throughSeq) {
        await store.trim?.(accountId, throughSeq - 1n)
        throw new Error('gone')
      },
    }
    const request = { accountId: 'alice', consumers: ['archive'], olderThanMs: 400 * dayMs, isDryRun: false }
    await expect(createLedger({ store: breaking, plans, clock }).trim(request)).rejects.toThrow('gone')
    expect(await store.journal('alice', 0n, 1)).toMatchObject([{ seq: 120n }])
    expect(await trimming.trim()).toEqual(trimmed(0n))
    expect(await store.journal('alice', 0n, 1)).toMatchObject([{ seq: 121n }])
  })
})

describe('trimming a journal that is not sound', () => {
  /** The account with one of its entries as `change` makes it, whose hash fits, read through `store`. */
  async function withChanged(seq: bigint, change: (text: string) => string) {
    const trimming = await withOld(700)
    const changed = ({ text, ...entry }: StoredEntry) =>
      entry.seq === seq ? { ...entry, text: change(text) } : { ...entry, text }
    const store: LedgerStore = {
      ...trimming.store,
      journal: async (...page) => (await trimming.store.journal(...page)).map(changed),
    }
    const ledger = createLedger({ store, plans, clock: trimming.clock })
    const told: number[] = []
    const result = await ledger.trim({
      accountId: 'alice',
      consumers: ['archive'],
      olderThanMs: 400 * dayMs,
      isDryRun: false,
      onRead: (entries) => told.push(entries),
    })
    expect(await firstOf(trimming)).toBe(1n)
    return { result, told }
  }

  it('stops after the page on which something is wrong', async () => {
    const { result, told } = await withChanged(40n, (text) => text.replace('"seats":1', '"seats":9'))
    expect(result).toEqual({
      outcome: 'unsound',
      message: expect.stringMatching(/text of entry 40 was changed/),
    })
    expect(told).toEqual([500])
  })

  it.each([
    ['that is cut off', (text: string) => text.slice(0, -9)],
    ['that is another thing', () => '{"kind":"configured","recordedAtMs":0}'],
    ['whose time is none', (text: string) => text.replace(/"recordedAtMs":\d+/, '"recordedAtMs":"2020"')],
  ])('takes nothing where it comes to an entry %s', async (_, change) => {
    const message = 'can not be read as an entry.'
    expect((await withChanged(1n, change)).result).toEqual({
      outcome: 'unsound',
      message: `Entry 1 ${message}`,
    })
    expect((await withChanged(7n, change)).result).toEqual({
      outcome: 'unsound',
      message: `Entry 7 ${message}`,
    })
  })

  it('goes on from no base that no entry tells of', async () => {
    const { store, clock, trim } = await withOld(120)
    await trim()
    clock.advance(401 * dayMs)
    const base = (await read(store, journalBaseKey)) as JournalBase
    for (const toldBy of [0n, 120n, 999n]) {
      await put(store, { key: journalBaseKey, value: { ...base, toldBy } as Value, mode: 'replace' })
      expect(await trim()).toMatchObject({ outcome: 'unsound' })
    }
  })
})
