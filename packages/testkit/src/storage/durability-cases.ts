import assert from 'node:assert/strict'
import { entries, increment, readCut, write } from './reducers.ts'
import { type DurableStorageCase, durableStorageCase } from './storage-case.ts'
import { trickyValues } from './value-cases.ts'

/** For stores whose state outlives them: what was answered is still there. */
export const durableStorageCases: readonly DurableStorageCase[] = [
  durableStorageCase(
    'shows head, version, records and journal after it is opened anew',
    async ({ ledger, reopen }) => {
      const put = [
        { key: 'a', value: 1, mode: 'create' as const },
        { key: 'b', value: 2, mode: 'create' as const, dueAt: 1_000_050, keepUntil: 9_000_000 },
      ]
      await ledger.transact('alice', [], write('old'))
      await ledger.transact('alice', [], write('new', { put, append: entries(1, 3) }))

      const reopened = await reopen()

      const cut = await readCut(reopened, 'alice', ['a', 'b'], { dueBy: 1_000_050 })
      assert.equal(cut.head, 'new')
      assert.equal(cut.version, 2n)
      assert.deepEqual([...cut.records].toSorted(), [
        ['a', 1],
        ['b', 2],
      ])
      assert.deepEqual(
        cut.due.map(({ key, value }) => [key, value]),
        [['b', 2]],
      )
      assert.deepEqual(await reopened.journal('alice', 0n, 10), entries(1, 3))
      assert.deepEqual((await reopened.scan('all', null, 10)).accountIds, ['alice'])
      assert.deepEqual((await reopened.scan({ dueBy: 1_000_050 }, null, 10)).accountIds, ['alice'])
    },
  ),

  durableStorageCase('goes on counting where it stopped', async ({ ledger, reopen }) => {
    await Promise.all(Array.from({ length: 20 }, () => ledger.transact('alice', [], increment)))
    const reopened = await reopen()

    assert.equal(await reopened.transact('alice', [], increment), 21)
  }),

  durableStorageCase('gives every kind of value back after it is opened anew', async ({ ledger, reopen }) => {
    for (const [what, value] of Object.entries(trickyValues)) {
      await ledger.transact(what, [], write(value, { put: [{ key: 'k', value, mode: 'create' }] }))
    }
    const reopened = await reopen()

    for (const [what, value] of Object.entries(trickyValues)) {
      const cut = await readCut(reopened, what, ['k'])
      assert.deepEqual(cut.head, value, what)
      assert.deepEqual(cut.records.get('k'), value, what)
    }
  }),

  durableStorageCase(
    'still refuses to create what existed before it was opened anew',
    async ({ ledger, reopen }) => {
      await ledger.transact('alice', [], write(0, { put: [{ key: 'op', value: 0, mode: 'create' }] }))
      const reopened = await reopen()

      await assert.rejects(
        reopened.transact('alice', [], write(1, { put: [{ key: 'op', value: 1, mode: 'create' }] })),
        /op/,
      )
    },
  ),
]
