import assert from 'node:assert/strict'
import type { LedgerStore } from '@farebox/core'
import { entries, entry, increment, readCut, write } from './reducers.ts'
import { type CaseContext, type StorageCase, storageCase } from './storage-case.ts'

/** For stores that have `trim`: the first entries of a journal are forgotten, and nothing else. */
export const trimCases: readonly StorageCase[] = [
  trimCase('forgets the entries up to a number and keeps those behind it', async ({ ledger, trim }) => {
    await ledger.transact('alice', [], write(1, { append: entries(1, 10) }))
    await trim('alice', 4n)

    assert.deepEqual(await ledger.journal('alice', 0n, 100), entries(5, 10))
    assert.deepEqual(await ledger.journal('alice', 3n, 2), entries(5, 6))
    assert.deepEqual(await ledger.journal('alice', 4n, 2), entries(5, 6))
    assert.deepEqual(await ledger.journal('alice', 5n, 2), entries(6, 7))
    assert.deepEqual(await ledger.journal('alice', 10n, 2), [])
  }),

  trimCase('forgets again what is gone, and more after that', async ({ ledger, trim }) => {
    await ledger.transact('alice', [], write(1, { append: entries(1, 10) }))
    await trim('alice', 4n)
    await trim('alice', 4n)
    await trim('alice', 2n)
    assert.deepEqual(await ledger.journal('alice', 0n, 100), entries(5, 10))
    await trim('alice', 9n)

    assert.deepEqual(await ledger.journal('alice', 0n, 100), [entry(10)])
  }),

  trimCase('goes on behind the last entry, however many were forgotten', async ({ ledger, trim }) => {
    await ledger.transact('alice', [], write(1, { append: entries(1, 10) }))
    await trim('alice', 9n)
    await ledger.transact('alice', [], write(2, { append: entries(11, 12) }))
    await assert.rejects(ledger.transact('alice', [], write(3, { append: [entry(2)] })))

    assert.deepEqual(await ledger.journal('alice', 0n, 100), entries(10, 12))
  }),

  trimCase('changes neither head nor records nor version', async ({ ledger, trim }) => {
    const put = [{ key: 'hold', value: 7n, mode: 'create', dueAt: 5 }] as const
    await ledger.transact('alice', [], write({ credit: 5n }, { put, append: entries(1, 3) }))
    const before = await readCut(ledger, 'alice', ['hold'])
    await trim('alice', 2n)

    assert.deepEqual(await readCut(ledger, 'alice', ['hold']), before)
  }),

  trimCase('leaves the journals of other accounts alone', async ({ ledger, trim }) => {
    for (const id of ['alic', 'alice', 'alice2', 'bob'])
      await ledger.transact(id, [], write(1, { append: entries(1, 3) }))
    await trim('alice', 2n)

    for (const id of ['alic', 'alice2', 'bob'])
      assert.deepEqual(await ledger.journal(id, 0n, 10), entries(1, 3))
    assert.deepEqual(await ledger.journal('alice', 0n, 10), [entry(3)])
  }),

  trimCase('does nothing for an account that has no journal', async ({ ledger, trim }) => {
    await trim('nobody', 5n)
    await ledger.transact('alice', [], write(1))
    await trim('alice', 5n)
    assert.deepEqual(await ledger.journal('alice', 0n, 10), [])
    assert.equal((await readCut(ledger, 'nobody')).head, null)
  }),

  trimCase('forgets thousands of entries while the account is in use', async ({ ledger, trim }) => {
    for (let from = 1; from < 6000; from += 1000)
      await ledger.transact('alice', [], write(1, { append: entries(from, from + 999) }))
    const others = Promise.all(Array.from({ length: 50 }, () => ledger.transact('bob', [], increment)))
    const trimming = trim('alice', 5500n)
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        ledger.transact('alice', [], write(index, { append: index === 0 ? [entry(6001)] : [] })),
      ),
    )
    await Promise.all([trimming, others])

    assert.equal(new Set(results).size, 50)
    assert.deepEqual(await ledger.journal('alice', 0n, 1000), entries(5501, 6001))
  }),
]

interface TrimContext extends CaseContext {
  readonly trim: NonNullable<LedgerStore['trim']>
}

function trimCase(name: string, check: (context: TrimContext) => Promise<void>): StorageCase {
  return storageCase(name, async (context) => {
    const { ledger } = context
    assert.ok(ledger.trim, 'the ledger store has no `trim`: leave these cases out')
    await check({ ...context, trim: (accountId, seq) => ledger.trim?.(accountId, seq) ?? Promise.reject() })
  })
}
