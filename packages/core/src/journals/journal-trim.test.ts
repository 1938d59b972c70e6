import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { createLedger } from '../ledger/ledger.ts'
import { memoryStorage } from '../ledger/memory-storage.ts'
import { planPreset } from '../ledger/plan-presets.ts'
import type { LedgerStore } from '../ledger/storage.ts'
import { createJournalExport } from './journal-export.ts'
import type { TrimmedAccount } from './journal-trim.ts'

const plans = planPreset('hf-2026-02-04')
const dayMs = 24 * 3_600_000

/** Accounts of 401 days ago with so many entries each: the included credit, and configurations. Everything is exported. */
async function withOldAccounts(...entries: readonly number[]) {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const store = memoryStorage({ clock }).ledger
  const ledger = createLedger({ store, plans, clock })
  for (const [index, count] of entries.entries()) {
    // The included credit is the first one, and a configuration that changes nothing is none.
    for (let number = 1; number < count; number += 1)
      await ledger.configure({
        accountId: `account-${index + 1}`,
        planId: 'free',
        seats: 1 + (number % 2),
      })
  }
  const journals = createJournalExport(ledger, clock)
  await journals.export({ consumer: 'archive', sink: { write: async () => undefined } })
  clock.advance(401 * dayMs)
  return { clock, store, ledger, ...journals }
}

describe('trimming all journals', () => {
  it('tells what went from which account, and what waits for whom', async () => {
    const { store, ledger, trim } = await withOldAccounts(64, 120, 3, 150)
    await ledger.acknowledge('account-4', 'warehouse', 50n)
    const told: TrimmedAccount[] = []
    const onAccount = (account: TrimmedAccount) => told.push(account)
    const progress: number[] = []
    const onProgress = ({ read }: { read: number }) => progress.push(read)
    expect(
      await trim({ consumers: ['archive', 'warehouse'], isDryRun: true, onAccount, accountsAtOnce: 1 }),
    ).toEqual({ accounts: 4, trimmed: 0, entries: 0, waiting: 4, failed: 0 })
    expect(told.map(({ waitsFor }) => waitsFor)).toEqual(Array(4).fill('warehouse'))

    told.length = 0
    const report = { accounts: 4, trimmed: 2, entries: 270, waiting: 0, failed: 0 }
    const request = { consumers: ['archive'], accountsAtOnce: 1, onAccount, onProgress }
    expect(await trim({ ...request, isDryRun: true })).toEqual(report)
    expect(await store.journal('account-2', 0n, 1)).toMatchObject([{ seq: 1n }])
    expect(await trim(request)).toEqual(report)
    expect(told.slice(2)).toEqual([
      { accountId: 'account-2', entries: 120 },
      { accountId: 'account-4', entries: 150 },
    ])
    expect(progress.at(-1)).toBe(64 + 120 + 3 + 150)
    expect(await store.journal('account-2', 0n, 1)).toMatchObject([{ seq: 121n }])
    expect(await trim(request)).toEqual({ accounts: 4, trimmed: 0, entries: 0, waiting: 0, failed: 0 })
  })

  it('goes on with other accounts where the journal of one is not sound, and tells why', async () => {
    const { clock, store } = await withOldAccounts(120, 120)
    const tampered: LedgerStore = {
      ...store,
      journal: async (accountId, afterSeq, limit) =>
        (await store.journal(accountId, afterSeq, limit)).map((entry) =>
          accountId === 'account-1' && entry.seq === 7n ? { ...entry, hash: 'f'.repeat(64) } : entry,
        ),
    }
    const ledger = createLedger({ store: tampered, plans, clock })
    const failures: string[] = []
    const onFailure = (accountId: string, cause: unknown) =>
      failures.push(`${accountId}: ${(cause as Error).message}`)
    expect(
      await createJournalExport(ledger, clock).trim({ consumers: ['archive'], onFailure }),
    ).toMatchObject({ trimmed: 1, failed: 1 })
    expect(failures).toEqual([expect.stringMatching(/^account-1: Its journal is not sound.*entry 7/)])
  })

  it('stops when its signal aborts', async () => {
    const { trim } = await withOldAccounts(120, 120)
    const controller = new AbortController()
    const request = { consumers: ['archive'], accountsAtOnce: 1, signal: controller.signal }
    const report = await trim({ ...request, onAccount: () => controller.abort() })
    expect(report).toMatchObject({ trimmed: 1 })
  })

  it.each([
    [{ consumers: [] }, 'at least one'],
    [{ consumers: ['a b'] }, "A consumer's name"],
    [{ consumers: ['a'], olderThanMs: 400 * dayMs - 1 }, 'at least 34560000000, which is 400 days'],
    [{ consumers: ['a'], olderThanMs: Number.NaN }, 'olderThanMs'],
    [{ consumers: ['a'], accountsAtOnce: 65 }, 'accountsAtOnce'],
  ])('refuses %j', async (request, message) => {
    const { trim } = await withOldAccounts()
    await expect(trim(request)).rejects.toThrow(new RegExp(message))
    await expect(trim(request)).rejects.toBeInstanceOf(RangeError)
  })

  it('says so where the store keeps every journal as a whole', async () => {
    const { clock, store } = await withOldAccounts()
    const { trim: _trim, ...whole } = store
    const { trim } = createJournalExport(createLedger({ store: whole, plans, clock }), clock)
    await expect(trim({ consumers: ['archive'] })).rejects.toThrow('keeps every journal as a whole')
  })
})
