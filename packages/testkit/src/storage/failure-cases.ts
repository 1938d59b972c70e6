import assert from 'node:assert/strict'
import { isUnavailable } from '@farebox/core'
import { increment, readCut, write } from './reducers.ts'
import { type StorageCase, storageCase } from './storage-case.ts'

/** What fails fails alone, and says whether it happened. */
export const failureCases: readonly StorageCase[] = [
  storageCase('rejects with the very error a reducer throws and changes nothing', async ({ ledger }) => {
    await ledger.transact('alice', [], write('before'))
    const error = new RangeError('a broken rule')

    await assert.rejects(
      ledger.transact('alice', [], () => {
        throw error
      }),
      (caught) => caught === error,
    )

    const cut = await readCut(ledger, 'alice')
    assert.equal(cut.head, 'before')
    assert.equal(cut.version, 1n)
  }),

  storageCase('leaves the calls beside a throwing one alone', async ({ ledger }) => {
    const results = await Promise.allSettled(
      Array.from({ length: 30 }, (_, index) =>
        ledger.transact(index % 2 === 0 ? 'alice' : 'bob', [], (cut) => {
          if (index % 3 === 0) throw new Error('a broken rule')
          return increment(cut)
        }),
      ),
    )

    assert.deepEqual(
      results.map(({ status }) => status),
      results.map((_, index) => (index % 3 === 0 ? 'rejected' : 'fulfilled')),
    )
    assert.equal((await readCut(ledger, 'alice')).head, 10)
    assert.equal((await readCut(ledger, 'bob')).head, 10)
  }),

  storageCase('does not let a reducer that threw spoil what the next one sees', async ({ ledger }) => {
    await ledger.transact('alice', [], write(1, { put: [{ key: 'k', value: 1, mode: 'create' }] }))

    const failed = ledger.transact('alice', ['k'], () => {
      throw new Error('a broken rule')
    })
    const cut = readCut(ledger, 'alice', ['k'])

    await assert.rejects(failed, /a broken rule/)
    assert.equal((await cut).head, 1)
    assert.equal((await cut).records.get('k'), 1)
  }),

  storageCase('finishes what was under way when it is closed', async ({ ledger }) => {
    const calls = Array.from({ length: 50 }, () => ledger.transact('alice', [], increment))
    await ledger.close()

    assert.equal(new Set(await Promise.all(calls)).size, 50)
  }),

  storageCase('is unavailable after it is closed, and can be closed twice', async ({ ledger }) => {
    await ledger.transact('alice', [], increment)
    await ledger.close()
    await ledger.close()

    await assert.rejects(ledger.transact('alice', [], increment), isUnavailable)
    await assert.rejects(ledger.journal('alice', 0n, 1), isUnavailable)
    await assert.rejects(ledger.scan('all', null, 1), isUnavailable)
  }),
]
