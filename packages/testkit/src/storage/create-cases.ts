import assert from 'node:assert/strict'
import type { Reduce } from '@farebox/core'
import { entry, increment, readCut, write } from './reducers.ts'
import { type StorageCase, storageCase } from './storage-case.ts'

const isConflict = (error: unknown): boolean => error instanceof Error && error.name === 'Conflict'

/** Books once per id: the way every operation of the ledger is made safe to repeat. */
function once(id: string): Reduce<string> {
  return (cut) => {
    if (cut.records.has(id)) return { result: 'repeated' }
    const head = Number(cut.head ?? 0) + 1
    return { result: 'booked', write: { head, put: [{ key: id, value: head, mode: 'create' }] } }
  }
}

/** What exists is not created again. */
export const createCases: readonly StorageCase[] = [
  storageCase('refuses the whole write when a record to be created exists', async ({ ledger }) => {
    await ledger.transact('alice', [], write('first', { put: [{ key: 'k', value: 1, mode: 'create' }] }))

    const second = ledger.transact(
      'alice',
      [],
      write('second', {
        put: [
          { key: 'other', value: 2, mode: 'create' },
          { key: 'k', value: 2, mode: 'create' },
          { key: 'third', value: 2, mode: 'replace' },
        ],
        append: [entry(1)],
      }),
    )

    await assert.rejects(second, isConflict)
    const cut = await readCut(ledger, 'alice', ['k', 'other', 'third'])
    assert.equal(cut.head, 'first')
    assert.equal(cut.version, 1n)
    assert.deepEqual([...cut.records], [['k', 1]])
    assert.deepEqual(await ledger.journal('alice', 0n, 10), [])
  }),

  storageCase('names the key in the conflict', async ({ ledger }) => {
    await ledger.transact('alice', [], write(1, { put: [{ key: 'grant:7', value: 1, mode: 'create' }] }))

    await assert.rejects(
      ledger.transact('alice', [], write(2, { put: [{ key: 'grant:7', value: 1, mode: 'create' }] })),
      /grant:7/,
    )
  }),

  storageCase('creates a record of the same key in another account', async ({ ledger }) => {
    await ledger.transact('alice', [], write(1, { put: [{ key: 'k', value: 1, mode: 'create' }] }))
    await ledger.transact('bob', [], write(1, { put: [{ key: 'k', value: 2, mode: 'create' }] }))

    assert.equal((await readCut(ledger, 'bob', ['k'])).records.get('k'), 2)
  }),

  storageCase(
    'lets one of many concurrent calls create a record and refuses the others',
    async ({ ledger }) => {
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) =>
          ledger.transact('alice', [], write(index, { put: [{ key: 'k', value: index, mode: 'create' }] })),
        ),
      )

      const won = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
      assert.equal(won.length, 1)
      assert.ok(results.every((result) => result.status === 'fulfilled' || isConflict(result.reason)))
      const cut = await readCut(ledger, 'alice', ['k'])
      assert.equal(cut.version, 1n)
      assert.equal(cut.head, won[0])
      assert.equal(cut.records.get('k'), won[0])
    },
  ),

  storageCase('books once when the same id comes twice, one after the other', async ({ ledger }) => {
    assert.equal(await ledger.transact('alice', ['op:1'], once('op:1')), 'booked')
    assert.equal(await ledger.transact('alice', ['op:1'], once('op:1')), 'repeated')
    assert.equal((await readCut(ledger, 'alice')).head, 1)
  }),

  storageCase('books once when the same id comes many times at once', async ({ ledger }) => {
    const results = await Promise.all(
      Array.from({ length: 50 }, () => ledger.transact('alice', ['op:1'], once('op:1'))),
    )

    assert.equal(results.filter((result) => result === 'booked').length, 1)
    assert.equal((await readCut(ledger, 'alice')).head, 1)
  }),

  storageCase('leaves the calls beside a refused one alone', async ({ ledger }) => {
    await ledger.transact('alice', [], write(0, { put: [{ key: 'k', value: 1, mode: 'create' }] }))

    const results = await Promise.allSettled([
      ledger.transact('alice', [], increment),
      ledger.transact('alice', [], write(99, { put: [{ key: 'k', value: 2, mode: 'create' }] })),
      ledger.transact('alice', [], increment),
      ledger.transact('bob', [], increment),
    ])

    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    )
    assert.equal((await readCut(ledger, 'alice')).head, 2)
    assert.equal((await readCut(ledger, 'bob')).head, 1)
  }),
]
