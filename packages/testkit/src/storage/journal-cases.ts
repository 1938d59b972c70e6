import assert from 'node:assert/strict'
import { entries, entry, readCut, write } from './reducers.ts'
import { type StorageCase, storageCase } from './storage-case.ts'

/** The journal gives back what was appended. */
export const journalCases: readonly StorageCase[] = [
  storageCase('has no entries for an account that appended none', async ({ ledger }) => {
    await ledger.transact('alice', [], write(0))

    assert.deepEqual(await ledger.journal('alice', 0n, 10), [])
    assert.deepEqual(await ledger.journal('nobody', 0n, 10), [])
  }),

  storageCase('gives entries back in order, those of one write and of many', async ({ ledger }) => {
    await ledger.transact('alice', [], write(1, { append: entries(1, 3) }))
    await ledger.transact('alice', [], write(2, { append: [entry(4)] }))
    await ledger.transact('alice', [], write(3, { append: entries(5, 12) }))

    assert.deepEqual(await ledger.journal('alice', 0n, 100), entries(1, 12))
  }),

  storageCase('gives entries above a number, at most as many as asked for', async ({ ledger }) => {
    await ledger.transact('alice', [], write(1, { append: entries(1, 10) }))

    assert.deepEqual(await ledger.journal('alice', 0n, 3), entries(1, 3))
    assert.deepEqual(await ledger.journal('alice', 3n, 3), entries(4, 6))
    assert.deepEqual(await ledger.journal('alice', 9n, 3), [entry(10)])
    assert.deepEqual(await ledger.journal('alice', 10n, 3), [])
    assert.deepEqual(await ledger.journal('alice', 0n, 0), [])
  }),

  storageCase('keeps the journals of accounts apart', async ({ ledger }) => {
    await ledger.transact('alice', [], write(1, { append: entries(1, 2) }))
    await ledger.transact('bob', [], write(1, { append: [entry(1)] }))

    assert.deepEqual(await ledger.journal('bob', 0n, 10), [entry(1)])
  }),

  storageCase('gives the text of an entry back to the letter', async ({ ledger }) => {
    const text = '{"note":"é 😀 \u2028 \\u0000 ~n 5n","amount":"12345678901234567890"}\n'
    await ledger.transact('alice', [], write(1, { append: [{ seq: 1n, text, hash: 'f'.repeat(64) }] }))

    assert.deepEqual(await ledger.journal('alice', 0n, 1), [{ seq: 1n, text, hash: 'f'.repeat(64) }])
  }),

  storageCase('refuses the whole write when an entry does not follow the last one', async ({ ledger }) => {
    await ledger.transact('alice', [], write('first', { append: entries(1, 2) }))

    for (const append of [[entry(2)], [entry(4)], [entry(3), entry(3)], [entry(3), entry(5)]]) {
      const put = [{ key: 'k', value: 1, mode: 'replace' as const }]
      await assert.rejects(ledger.transact('alice', [], write('second', { put, append })))
    }
    const { head, version, records } = await readCut(ledger, 'alice', ['k'])
    assert.deepEqual([head, version, records.size], ['first', 1n, 0])
    assert.deepEqual(await ledger.journal('alice', 0n, 10), entries(1, 2))
  }),

  storageCase('gives many concurrent appends one order without gaps', async ({ ledger }) => {
    await Promise.all(
      Array.from({ length: 200 }, () =>
        ledger.transact('alice', [], ({ head }) => {
          const seq = Number(head ?? 0) + 1
          return { result: seq, write: { head: seq, append: [entry(seq)] } }
        }),
      ),
    )

    assert.deepEqual(await ledger.journal('alice', 0n, 1000), entries(1, 200))
  }),
]
