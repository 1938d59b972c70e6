import { describe, expect, it } from 'vitest'
import { fakeClock } from '../../clock.ts'
import { nano } from '../../money.ts'
import { journalBaseKey } from '../journal-base.ts'
import { createLedger, type Ledger } from '../ledger.ts'
import { memoryStorage } from '../memory-storage.ts'
import { planPreset } from '../plan-presets.ts'
import type { LedgerStore, StoredEntry, Value } from '../storage.ts'
import type { JournalArchive } from './archive.ts'
import { type AuditOptions, type AuditSource, audit } from './audit.ts'

const plans = planPreset('hf-2026-02-04')
const dayMs = 24 * 3_600_000

/** An account with 150 entries of long ago, which are exported and then trimmed unless it is said otherwise, and some new. */
async function open({ isTrimmed = true } = {}) {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const store = memoryStorage({ clock }).ledger
  const ledger = createLedger({ store, plans, clock })
  await configure(ledger, 150)
  await ledger.grant({ accountId: 'alice', grantId: 'bought', amount: nano(5n) })
  const exported = await store.journal('alice', 0n, 1000)
  const throughSeq = BigInt(exported.length)
  await ledger.acknowledge('alice', 'archive', throughSeq)
  clock.advance(401 * dayMs)
  if (isTrimmed) await trim(ledger)
  await configure(ledger, 5)
  return { clock, store, ledger, exported, throughSeq }
}

async function configure(ledger: Ledger, times: number): Promise<void> {
  for (let index = 0; index < times; index += 1)
    await ledger.configure({ accountId: 'alice', planId: 'free', seats: 1 + (index % 2) })
}

function trim(ledger: Ledger) {
  return ledger.trim({
    accountId: 'alice',
    consumers: ['archive'],
    olderThanMs: 400 * dayMs,
    isDryRun: false,
  })
}

function archiveOf(entries: readonly StoredEntry[]): JournalArchive {
  return {
    async *entries() {
      yield* entries
    },
  }
}

async function readBase(store: LedgerStore): Promise<{ readonly [name: string]: Value }> {
  const base = await store.transact('alice', [journalBaseKey], ({ records }) => ({
    result: records.get(journalBaseKey),
  }))
  return base as { readonly [name: string]: Value }
}

async function writeBase(store: LedgerStore, value: Value): Promise<void> {
  await store.transact('alice', [], ({ head }) => ({
    result: undefined,
    write: { head, put: [{ key: journalBaseKey, value, mode: 'replace' }] },
  }))
}

async function kindsOf(ledger: Ledger, options: AuditOptions = {}) {
  return (await ledger.audit('alice', options)).findings.map(({ kind }) => kind)
}

describe('an audit of a journal that was trimmed', () => {
  it('goes on from the base, and says how far it was trimmed', async () => {
    const { ledger, throughSeq } = await open()
    const report = await ledger.audit('alice')
    expect(report).toMatchObject({ isSound: true, trimmed: { throughSeq, isProved: false } })
    expect(report.entries).toMatchObject({ configured: 154, trimmed: 1 })
  })

  it('finds a base that was changed: money that nobody had', async () => {
    const { ledger, store } = await open()
    const base = await readBase(store)
    const fold = base['fold'] as { readonly [name: string]: Value }
    await writeBase(store, { ...base, fold: { ...fold, absorbed: 1n } })
    expect(await kindsOf(ledger)).toEqual(['wrong-base', 'wrong-head'])
  })

  it('finds a base that is gone, cannot be read, or was put where none belongs', async () => {
    const { ledger, store, throughSeq } = await open()
    const base = await readBase(store)
    await writeBase(store, { seq: throughSeq })
    expect(await kindsOf(ledger)).toContain('wrong-base')
    const whole = await open({ isTrimmed: false })
    await writeBase(whole.store, base)
    expect(await kindsOf(whole.ledger)).toContain('wrong-base')
  })

  it('finds a base that was set back to an earlier one', async () => {
    const { ledger, store, clock } = await open()
    const earlier = await readBase(store)
    await configure(ledger, 120)
    const { seq } = await ledger.exportState('alice', 'archive')
    await ledger.acknowledge('alice', 'archive', seq)
    clock.advance(401 * dayMs)
    expect(await trim(ledger)).toMatchObject({
      outcome: 'trimmed',
      entries: seq - (earlier['seq'] as bigint),
    })
    await writeBase(store, earlier)
    expect(await kindsOf(ledger)).toEqual(expect.arrayContaining(['wrong-base', 'missing-entry']))
  })

  it('proves what an earlier audit saw behind the base or at it, and says where only the archive can', async () => {
    const { ledger, store, exported, throughSeq } = await open()
    const archive = archiveOf(exported)
    const at = { seq: throughSeq, chain: exported.at(-1)?.hash ?? '' }
    const [behind] = await store.journal('alice', throughSeq + 1n, 1)
    const before = { seq: 7n, chain: exported[6]?.hash ?? '' }
    expect(await kindsOf(ledger, { since: at })).toEqual([])
    expect(await kindsOf(ledger, { since: { seq: at.seq, chain: 'other' } })).toEqual(['rewritten-journal'])
    expect(await kindsOf(ledger, { since: { seq: throughSeq + 2n, chain: behind?.hash ?? '' } })).toEqual([])
    expect(await kindsOf(ledger, { since: before })).toEqual(['unproved-mark'])
    expect(await kindsOf(ledger, { since: before, archive })).toEqual([])
    expect(await kindsOf(ledger, { since: { ...before, chain: 'other' }, archive })).toContain(
      'rewritten-journal',
    )
  })

  it('is proved from the first entry on with an archive, where entries may come twice', async () => {
    const { ledger, exported, throughSeq } = await open()
    const twice = [...exported.slice(0, 20), ...exported.slice(10)]
    expect(await ledger.audit('alice', { archive: archiveOf(twice) })).toMatchObject({
      findings: [],
      trimmed: { throughSeq, isProved: true },
    })
  })

  it('finds what an archive lacks, and what was changed in it', async () => {
    const { ledger, exported } = await open()
    const isProved = async (entries: readonly StoredEntry[]) => {
      const report = await ledger.audit('alice', { archive: archiveOf(entries) })
      expect(report.isSound).toBe(false)
      return report.findings.map(({ kind }) => kind)
    }
    expect(await isProved([])).toEqual(['missing-entry'])
    expect(await isProved(exported.slice(0, -1))).toEqual(['missing-entry'])
    expect(await isProved(exported.filter(({ seq }) => seq !== 40n))).toContain('missing-entry')
    const changed = exported.map((entry) =>
      entry.seq === 40n ? { ...entry, text: entry.text.replace('"seats":2', '"seats":3') } : entry,
    )
    expect(changed).not.toEqual(exported)
    expect(await isProved(changed)).toContain('broken-chain')
  })

  it('starts over when the journal is trimmed while it is read', async () => {
    const { clock, store, throughSeq } = await open({ isTrimmed: false })
    let isFirst = true
    const meanwhile: LedgerStore = {
      traits: store.traits,
      transact: (accountId, keys, reduce, options) => store.transact(accountId, keys, reduce, options),
      async journal(accountId, afterSeq, limit) {
        if (isFirst) {
          isFirst = false
          await trim(createLedger({ store, plans, clock }))
        }
        return store.journal(accountId, afterSeq, limit)
      },
      scan: (what, cursor, limit) => store.scan(what, cursor, limit),
      close: () => store.close(),
    }
    const report = await createLedger({ store: meanwhile, plans, clock }).audit('alice')
    expect(report).toMatchObject({ findings: [], trimmed: { throughSeq } })
  })

  it('starts over only where the base has moved and something was found, and five times at most', async () => {
    const { store, throughSeq } = await open()
    const [next] = await store.journal('alice', throughSeq, 1)
    const base = await readBase(store)
    /** Readings of the head, when each of them sees another base, which `isMoving`, and where an entry is forged. */
    const readings = async ({ isMoving = false, isForged = false }) => {
      let count = 0n
      const source: AuditSource = {
        readHead: async () => {
          const cut = await store.transact('alice', [], (one) => ({ result: one }))
          count += 1n
          const value = isMoving ? { ...base, seq: throughSeq - (count % 2n) } : base
          return { ...cut, records: new Map([[journalBaseKey, value]]) }
        },
        readJournal: async (accountId, afterSeq, limit) => {
          const page = await store.journal(accountId, afterSeq, limit)
          return page.map((entry) => (isForged && entry.seq === next?.seq ? { ...entry, text: '{}' } : entry))
        },
        rate: () => undefined,
        plans,
      }
      const { isSound } = await audit(source, 'alice')
      return { isSound, count }
    }
    expect(await readings({})).toEqual({ isSound: true, count: 1n })
    expect(await readings({ isForged: true })).toEqual({ isSound: false, count: 2n })
    expect(await readings({ isMoving: true, isForged: true })).toEqual({ isSound: false, count: 9n })
  })
})

describe('trimming a journal', () => {
  it('takes nothing out of a journal, and folds no base, that somebody has changed', async () => {
    const { store, clock } = await open({ isTrimmed: false })
    const tampered: LedgerStore = {
      traits: store.traits,
      transact: (accountId, keys, reduce, options) => store.transact(accountId, keys, reduce, options),
      journal: async (accountId, afterSeq, limit) =>
        (await store.journal(accountId, afterSeq, limit)).map((entry) =>
          entry.seq === 40n ? { ...entry, text: entry.text.replace('"seats":2', '"seats":3') } : entry,
        ),
      trim: () => Promise.reject(new Error('nothing may go')),
      scan: (what, cursor, limit) => store.scan(what, cursor, limit),
      close: () => store.close(),
    }
    const result = await trim(createLedger({ store: tampered, plans, clock }))
    expect(result).toMatchObject({ outcome: 'unsound', message: expect.stringContaining('entry 40') })
    expect(await store.journal('alice', 0n, 1)).toMatchObject([{ seq: 1n }])

    const later = await open()
    const base = await readBase(later.store)
    await writeBase(later.store, { ...base, fold: { ...(base['fold'] as object), absorbed: 1n } })
    later.clock.advance(401 * dayMs)
    const { seq } = await later.ledger.exportState('alice', 'archive')
    await later.ledger.acknowledge('alice', 'archive', seq)
    expect(await trim(later.ledger)).toMatchObject({ outcome: 'unsound' })
  })
})
