import assert from 'node:assert/strict'
import type { LedgerStore } from '@farebox/core'
import { readCut, write } from './reducers.ts'
import { type StorageCase, storageCase } from './storage-case.ts'

async function scanPages(
  ledger: LedgerStore,
  what: Parameters<LedgerStore['scan']>[0],
  limit: number,
): Promise<readonly (readonly string[])[]> {
  const pages: (readonly string[])[] = []
  let cursor: string | null = null
  do {
    const page = await ledger.scan(what, cursor, limit)
    pages.push(page.accountIds)
    cursor = page.cursor
    assert.ok(pages.length < 100, 'the scan does not end')
  } while (cursor !== null)
  return pages
}

const someIds = ['eve', 'bob', 'alice', 'dave', 'carol'] as const
const sortedIds = [...someIds].sort()

/** Accounts can be gone through, page by page. */
export const scanCases: readonly StorageCase[] = [
  storageCase('scans nothing in an empty store', async ({ ledger }) => {
    assert.deepEqual(await ledger.scan('all', null, 10), { accountIds: [], cursor: null })
    assert.deepEqual(await ledger.scan({ dueBy: 2_000_000 }, null, 10), { accountIds: [], cursor: null })
  }),

  storageCase('scans every account once, by id, at most `limit` a page', async ({ ledger }) => {
    for (const id of someIds) await ledger.transact(id, [], write(id))

    for (const limit of [1, 2, 5, 100]) {
      const pages = await scanPages(ledger, 'all', limit)
      assert.deepEqual(pages.flat(), sortedIds)
      assert.ok(pages.every((page) => page.length <= limit))
    }
  }),

  storageCase('does not scan an account that was only looked at', async ({ ledger }) => {
    await readCut(ledger, 'visitor', ['k'])

    assert.deepEqual((await ledger.scan('all', null, 10)).accountIds, [])
  }),

  storageCase('scans the accounts that have a record due by a time', async ({ ledger }) => {
    for (const [index, id] of sortedIds.entries()) {
      const dueAt = 1_000_000 + index
      await ledger.transact(
        id,
        [],
        write(0, {
          put: [
            { key: 'first', value: 0, mode: 'create', dueAt },
            { key: 'second', value: 0, mode: 'create', dueAt: dueAt + 1000 },
            { key: 'third', value: 0, mode: 'create' },
          ],
        }),
      )
    }

    for (const limit of [1, 2, 100]) {
      for (let dueBy = 999_999; dueBy < 1_000_006; dueBy += 1) {
        const pages = await scanPages(ledger, { dueBy }, limit)
        assert.deepEqual(pages.flat(), sortedIds.slice(0, dueBy - 999_999))
        assert.ok(pages.every((page) => page.length <= limit))
      }
    }
  }),

  storageCase('no longer scans an account whose due records were all resolved', async ({ ledger }) => {
    await ledger.transact(
      'alice',
      [],
      write(0, { put: [{ key: 'hold', value: 0, mode: 'create', dueAt: 5 }] }),
    )
    await ledger.transact('alice', [], write(0, { put: [{ key: 'hold', value: 1, mode: 'replace' }] }))

    assert.deepEqual((await scanPages(ledger, { dueBy: 2_000_000 }, 10)).flat(), [])
  }),
]
