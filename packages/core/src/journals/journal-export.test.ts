import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { readEntry } from '../ledger/entry.ts'
import type { JournalBatch } from '../ledger/export-cursor.ts'
import { createLedger, type Ledger } from '../ledger/ledger.ts'
import { memoryStorage } from '../ledger/memory-storage.ts'
import { planPreset } from '../ledger/plan-presets.ts'
import type { LedgerStore } from '../ledger/storage.ts'
import { nano } from '../money.ts'
import { createJournalExport, type JournalSink } from './journal-export.ts'

const plans = planPreset('hf-2026-02-04')
const dayMs = 24 * 3_600_000

/** So many accounts with so many entries each: the included credit, and grants. */
async function withAccounts(accounts: number, entries: number) {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const store = memoryStorage({ clock }).ledger
  const ledger = createLedger({ store, plans, clock })
  for (let account = 1; account <= accounts; account += 1)
    await give(ledger, `account-${account}`, 1, entries)
  return { clock, store, ledger, ...createJournalExport(ledger, clock) }
}

async function give(ledger: Ledger, accountId: string, from: number, to: number): Promise<void> {
  for (let number = from; number < to; number += 1) {
    await ledger.grant({ accountId, grantId: `g${number}`, amount: nano(1n) })
  }
}

/** A sink that remembers what it took, by account, and can be told to fail. */
function memorySink(fails: (batch: JournalBatch) => boolean = () => false) {
  const taken = new Map<string, bigint[]>()
  const sizes: number[] = []
  const sink: JournalSink = {
    async write(batch) {
      if (fails(batch)) throw new Error('The queue is down.')
      sizes.push(batch.entries.length)
      const seqs = taken.get(batch.accountId) ?? []
      taken.set(batch.accountId, [...seqs, ...batch.entries.map(({ seq }) => seq)])
    },
  }
  return { sink, taken, sizes }
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => BigInt(index + 1))

describe('exporting journals', () => {
  it('hands every entry over once, each account in order, and later only what is new', async () => {
    const { ledger, export: run } = await withAccounts(3, 4)
    const { sink, taken } = memorySink()
    expect(await run({ consumer: 'warehouse', sink })).toEqual({ accounts: 3, entries: 12, failed: 0 })
    expect([...taken]).toEqual([1, 2, 3].map((account) => [`account-${account}`, upTo(4)]))

    expect(await run({ consumer: 'warehouse', sink })).toEqual({ accounts: 3, entries: 0, failed: 0 })
    await give(ledger, 'account-2', 4, 6)
    expect(await run({ consumer: 'warehouse', sink })).toMatchObject({ entries: 2 })
    expect(taken.get('account-2')).toEqual(upTo(6))
  })

  it('refuses a new consumer an account that was trimmed, unless it begins with what is left', async () => {
    const { clock, store, ledger, export: run, trim } = await withAccounts(1, 1)
    for (let number = 2; number <= 150; number += 1)
      await ledger.configure({ accountId: 'account-1', planId: 'free', seats: number })
    await run({ consumer: 'archive', sink: memorySink().sink })
    clock.advance(401 * dayMs)
    await trim({ consumers: ['archive'] })
    await give(ledger, 'account-2', 1, 4)
    const [first] = await store.journal('account-1', 0n, 1)
    const { sink, taken } = memorySink()
    const failures: string[] = []
    const onFailure = (_: string | null, cause: unknown) => failures.push((cause as Error).message)
    expect(await run({ consumer: 'late', sink, onFailure })).toMatchObject({ accounts: 2, failed: 1 })
    expect(failures).toEqual([expect.stringContaining('Entries 1 to 150 were trimmed and consumer "late"')])
    expect([...taken.keys()]).toEqual(['account-2'])

    expect(await run({ consumer: 'late', sink, acceptsTrimmed: true })).toMatchObject({ failed: 0 })
    expect(taken.get('account-1')?.[0]).toBe(first?.seq)
    expect(await run({ consumer: 'archive', sink: memorySink().sink })).toMatchObject({ failed: 0 })
  })

  it('hands entries over as they were hashed', async () => {
    const { ledger, export: run } = await withAccounts(1, 3)
    const batches: JournalBatch[] = []
    await run({ consumer: 'warehouse', sink: { write: async (batch) => void batches.push(batch) } })
    expect(batches.flatMap(({ entries }) => entries.map(readEntry))).toEqual(
      await ledger.journal('account-1', 0n, 10),
    )
  })

  it('gives each consumer everything', async () => {
    const { export: run } = await withAccounts(1, 3)
    const first = memorySink()
    const second = memorySink()
    await run({ consumer: 'a', sink: first.sink })
    await run({ consumer: 'b', sink: second.sink })
    expect(second.taken).toEqual(first.taken)
  })

  it('hands over in batches, and more than one page of accounts', async () => {
    const { export: run } = await withAccounts(230, 6)
    const { sink, taken, sizes } = memorySink()
    expect(await run({ consumer: 'warehouse', sink, batchMax: 4 })).toMatchObject({ accounts: 230 })
    expect(new Set(sizes)).toEqual(new Set([4, 2]))
    expect([...taken.values()].every((seqs) => seqs.length === 6)).toBe(true)
  })

  it('gives a batch again that the sink did not take, and goes on with other accounts', async () => {
    const { export: run } = await withAccounts(3, 4)
    let isDown = true
    const { sink, taken } = memorySink(
      ({ accountId, entries }) => isDown && accountId === 'account-2' && entries[0]?.seq === 3n,
    )
    const failures: string[] = []
    const request = {
      consumer: 'warehouse',
      sink,
      batchMax: 2,
      onFailure: (accountId: string | null, cause: unknown) =>
        failures.push(`${accountId}: ${String(cause)}`),
    }
    expect(await run(request)).toEqual({ accounts: 3, entries: 10, failed: 1 })
    expect(failures).toEqual(['account-2: Error: The queue is down.'])
    isDown = false
    expect(await run(request)).toMatchObject({ entries: 2, failed: 0 })
    expect(taken.get('account-2')).toEqual(upTo(4))
  })

  it('gives a batch twice when it could not be acknowledged, never out of order', async () => {
    const { store, clock } = await withAccounts(1, 4)
    let isDown = true
    const flaky: LedgerStore = {
      ...store,
      transact: async (accountId, keys, reduce, options) =>
        store.transact(
          accountId,
          keys,
          (cut) => {
            const decision = reduce(cut)
            if (isDown && decision.write !== undefined) throw new Error('The store is down.')
            return decision
          },
          options,
        ),
    }
    const { export: run } = createJournalExport(createLedger({ store: flaky, plans, clock }), clock)
    const { sink, taken } = memorySink()
    expect(await run({ consumer: 'warehouse', sink, batchMax: 3 })).toMatchObject({ failed: 1 })
    isDown = false
    expect(await run({ consumer: 'warehouse', sink, batchMax: 3 })).toMatchObject({ failed: 0 })
    expect(taken.get('account-1')).toEqual([1n, 2n, 3n, ...upTo(4)])
  })

  it('never lets a cursor go back when two exporters run side by side', async () => {
    const { ledger, export: run } = await withAccounts(1, 40)
    const { sink, taken } = memorySink()
    await Promise.all([2, 3, 5].map((batchMax) => run({ consumer: 'warehouse', sink, batchMax })))
    const firsts = [...new Set(taken.get('account-1'))]
    expect(firsts).toEqual(upTo(40))
    await ledger.acknowledge('account-1', 'warehouse', 7n)
    expect(await ledger.exportState('account-1', 'warehouse')).toEqual({ seq: 40n, exported: 40n })
  })

  it('stops when the sink fails for twenty accounts in a row', async () => {
    const { export: run } = await withAccounts(60, 2)
    const { sink } = memorySink(() => true)
    const report = await run({ consumer: 'warehouse', sink, accountsAtOnce: 1 })
    expect(report).toEqual({ accounts: 20, entries: 0, failed: 20 })
  })

  it('stops after the batch under way when it is told to', async () => {
    const { export: run } = await withAccounts(5, 6)
    const stopping = new AbortController()
    const { sink, sizes } = memorySink()
    const write: JournalSink['write'] = async (batch) => {
      await sink.write(batch)
      stopping.abort()
    }
    const { signal } = stopping
    await run({ consumer: 'warehouse', sink: { write }, batchMax: 2, accountsAtOnce: 1, signal })
    expect(sizes).toEqual([2])
    expect(await run({ consumer: 'warehouse', sink })).toMatchObject({ entries: 28 })
  })

  it('rejects when the store is out of reach', async () => {
    const { store, export: run } = await withAccounts(1, 2)
    await store.close()
    await expect(run({ consumer: 'warehouse', sink: memorySink().sink })).rejects.toMatchObject({
      code: 'store_unavailable',
    })
  })

  it('refuses names and numbers that are out of bounds', async () => {
    const { export: run, follow } = await withAccounts(1, 2)
    const { sink } = memorySink()
    for (const consumer of ['', 'a b', 'a/b', 'ä', 'x'.repeat(65)]) {
      await expect(run({ consumer, sink })).rejects.toThrow(RangeError)
    }
    for (const wrong of [
      { batchMax: 0 },
      { batchMax: 1001 },
      { accountsAtOnce: 0 },
      { accountsAtOnce: 65 },
    ]) {
      await expect(run({ consumer: 'a', sink, ...wrong })).rejects.toThrow(RangeError)
    }
    expect(() => follow({ consumer: 'a', sink, everyMs: 0 })).toThrow(RangeError)
  })
})

describe('following journals', () => {
  it('exports after each pause what has come meanwhile, and tells of it', async () => {
    const { clock, ledger, follow } = await withAccounts(1, 2)
    const { sink, taken } = memorySink()
    const reports: number[] = []
    let told = () => {}
    const follower = follow({
      consumer: 'warehouse',
      sink,
      everyMs: 5_000,
      onRun({ entries }) {
        reports.push(entries)
        told()
      },
    })
    const run = async () => {
      const next = new Promise<void>((resolve) => {
        told = resolve
      })
      clock.advance(5_000)
      await next
      // The next pause begins when the run is over.
      await new Promise(setImmediate)
    }
    await run()
    await give(ledger, 'account-1', 2, 5)
    await run()
    expect(reports).toEqual([2, 3])
    expect(taken.get('account-1')).toEqual(upTo(5))
    await follower.stop()
    await give(ledger, 'account-1', 5, 6)
    clock.advance(50_000)
    await new Promise(setImmediate)
    expect(reports).toEqual([2, 3])
  })

  it('ends with the signal of whoever follows', async () => {
    const { clock, follow } = await withAccounts(1, 3)
    const { sink, taken } = memorySink()
    const leaving = new AbortController()
    const { signal } = leaving
    follow({ consumer: 'warehouse', sink, everyMs: 1000, signal })
    leaving.abort()
    follow({ consumer: 'other', sink, everyMs: 1000, signal })
    clock.advance(5000)
    await new Promise(setImmediate)
    expect(taken.size).toBe(0)
  })

  it('goes on after a run in which the store was out of reach', async () => {
    const { clock, store, follow } = await withAccounts(1, 2)
    const causes: unknown[] = []
    const failed = new Promise<void>((resolve) => {
      follow({
        consumer: 'warehouse',
        sink: memorySink().sink,
        everyMs: 1000,
        onFailure(accountId, cause) {
          causes.push([accountId, (cause as { code?: string }).code])
          resolve()
        },
      })
    })
    await store.close()
    clock.advance(1000)
    await failed
    expect(causes).toEqual([[null, 'store_unavailable']])
  })
})
