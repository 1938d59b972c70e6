import assert from 'node:assert/strict'
import { entry, readCut, write } from './reducers.ts'
import { type StorageCase, storageCase } from './storage-case.ts'

/** A write happens as a whole or not at all. */
export const atomicityCases: readonly StorageCase[] = [
  storageCase(
    'shows an account that was never written as no head at version 0',
    async ({ ledger, clock }) => {
      const cut = await readCut(ledger, 'nobody', ['hold:1'])

      assert.equal(cut.head, null)
      assert.equal(cut.version, 0n)
      assert.equal(cut.records.size, 0)
      assert.deepEqual(cut.due, [])
      assert.equal(cut.moreDue, false)
      assert.equal(cut.now, clock.now())
    },
  ),

  storageCase('applies head, records and journal of one write together', async ({ ledger }) => {
    await ledger.transact(
      'alice',
      [],
      write('head', {
        put: [
          { key: 'a', value: 1, mode: 'create' },
          { key: 'b', value: 2, mode: 'replace' },
        ],
        append: [entry(1)],
      }),
    )

    const cut = await readCut(ledger, 'alice', ['a', 'b', 'c'])
    assert.equal(cut.head, 'head')
    assert.deepEqual([...cut.records].toSorted(), [
      ['a', 1],
      ['b', 2],
    ])
    assert.deepEqual(await ledger.journal('alice', 0n, 10), [entry(1)])
  }),

  storageCase('hands a reducer only the records it asked for', async ({ ledger }) => {
    await ledger.transact(
      'alice',
      [],
      write('head', {
        put: [
          { key: 'a', value: 1, mode: 'create' },
          { key: 'b', value: 2, mode: 'create' },
        ],
      }),
    )

    assert.deepEqual([...(await readCut(ledger, 'alice', ['b'])).records.keys()], ['b'])
    assert.equal((await readCut(ledger, 'alice')).records.size, 0)
  }),

  storageCase('changes nothing when the decision has no write', async ({ ledger }) => {
    await ledger.transact('alice', [], write('before'))

    const result = await ledger.transact('alice', [], () => ({ result: 'refused' }))

    assert.equal(result, 'refused')
    const cut = await readCut(ledger, 'alice')
    assert.equal(cut.head, 'before')
    assert.equal(cut.version, 1n)
  }),

  storageCase('keeps the accounts apart, also those whose ids look alike', async ({ ledger }) => {
    const ids = [
      'alice',
      'Alice',
      'alice ',
      'alic',
      'alice:hold',
      'alice%',
      "alice'--",
      'ålice',
      'a\u030alice',
      '😀',
    ]
    await Promise.all(
      ids.map((id) =>
        ledger.transact(
          id,
          [],
          write({ id }, { put: [{ key: 'k', value: id, mode: 'create' }], append: [entry(1)] }),
        ),
      ),
    )

    for (const id of ids) {
      const cut = await readCut(ledger, id, ['k'])
      assert.deepEqual(cut.head, { id })
      assert.equal(cut.records.get('k'), id)
      assert.equal(cut.version, 1n)
      assert.deepEqual(await ledger.journal(id, 0n, 10), [entry(1)])
    }
  }),

  storageCase('replaces a record as a whole', async ({ ledger }) => {
    await ledger.transact(
      'alice',
      [],
      write(1, { put: [{ key: 'k', value: { a: 1, b: 2 }, mode: 'create' }] }),
    )
    await ledger.transact('alice', [], write(2, { put: [{ key: 'k', value: { c: 3 }, mode: 'replace' }] }))

    assert.deepEqual({ ...((await readCut(ledger, 'alice', ['k'])).records.get('k') as object) }, { c: 3 })
  }),

  storageCase('keeps records and journal when a later write brings only a head', async ({ ledger }) => {
    await ledger.transact(
      'alice',
      [],
      write(1, { put: [{ key: 'k', value: 'kept', mode: 'create' }], append: [entry(1)] }),
    )
    await ledger.transact('alice', [], write(2))

    const cut = await readCut(ledger, 'alice', ['k'])
    assert.equal(cut.head, 2)
    assert.equal(cut.records.get('k'), 'kept')
    assert.deepEqual(await ledger.journal('alice', 0n, 10), [entry(1)])
  }),
]
