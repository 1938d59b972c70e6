import assert from 'node:assert/strict'
import { increment, look, readCut, write } from './reducers.ts'
import { type StorageCase, storageCase } from './storage-case.ts'

/** Writes of one account have one order, and it agrees with real time. */
export const orderCases: readonly StorageCase[] = [
  storageCase('counts the writes of an account in its version, one by one', async ({ ledger }) => {
    for (let written = 0n; written < 5n; written += 1n) {
      assert.equal(await ledger.transact('alice', [], write('head')), written)
    }
    assert.equal((await readCut(ledger, 'alice')).version, 5n)
    assert.equal((await readCut(ledger, 'bob')).version, 0n)
  }),

  storageCase('gives 500 concurrent increments 500 different results and loses none', async ({ ledger }) => {
    const results = await Promise.all(
      Array.from({ length: 500 }, () => ledger.transact('alice', [], increment)),
    )

    assert.equal(new Set(results).size, 500)
    const cut = await readCut(ledger, 'alice')
    assert.equal(cut.head, 500)
    assert.equal(cut.version, 500n)
  }),

  storageCase('decides every concurrent write on a version of its own', async ({ ledger }) => {
    const versions = await Promise.all(
      Array.from({ length: 100 }, (_, index) => ledger.transact('alice', [], write(index))),
    )

    const inOrder = versions.toSorted((a, b) => (a < b ? -1 : 1))
    assert.deepEqual(
      inOrder,
      Array.from({ length: 100 }, (_, index) => BigInt(index)),
    )
  }),

  storageCase('shows a finished write to every call that starts after it', async ({ ledger }) => {
    for (let round = 1; round <= 20; round += 1) {
      await ledger.transact('alice', [], increment)
      const cuts = await Promise.all([readCut(ledger, 'alice'), readCut(ledger, 'alice')])
      for (const cut of cuts) assert.equal(cut.head, round)
    }
  }),

  storageCase('never shows a reader an older version after a newer one', async ({ ledger }) => {
    const seen: bigint[] = []
    const writing = (async () => {
      for (let round = 0; round < 50; round += 1) await ledger.transact('alice', [], increment)
    })()
    const reading = (async () => {
      for (let round = 0; round < 50; round += 1) seen.push((await readCut(ledger, 'alice')).version)
    })()
    await Promise.all([writing, reading])

    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
    )
  }),

  storageCase('shows a reader head and records of one and the same version', async ({ ledger }) => {
    const copy = (count: number) => write(count, { put: [{ key: 'copy', value: count, mode: 'replace' }] })
    await ledger.transact('alice', [], copy(0))
    const cuts = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        index % 2 === 0
          ? ledger.transact('alice', [], copy(index)).then(() => readCut(ledger, 'alice', ['copy']))
          : ledger.transact('alice', ['copy'], look),
      ),
    )

    for (const cut of cuts) assert.equal(cut.records.get('copy'), cut.head)
  }),

  storageCase('keeps interleaved writes of many accounts apart', async ({ ledger }) => {
    const ids = Array.from({ length: 20 }, (_, index) => `account-${index}`)
    await Promise.all(
      ids.flatMap((id) => Array.from({ length: 10 }, () => ledger.transact(id, [], increment))),
    )
    await Promise.all(ids.map((id) => ledger.transact(id, [], increment)))

    for (const id of ids) assert.equal((await readCut(ledger, id)).head, 11)
  }),

  storageCase('gives the last unit to only one of many who want it', async ({ ledger }) => {
    await ledger.transact('alice', [], write(1))

    const results = await Promise.all(
      Array.from({ length: 30 }, () =>
        ledger.transact('alice', [], ({ head }) =>
          Number(head) > 0 ? { result: 'taken', write: { head: Number(head) - 1 } } : { result: 'refused' },
        ),
      ),
    )

    assert.equal(results.filter((result) => result === 'taken').length, 1)
    assert.equal((await readCut(ledger, 'alice')).head, 0)
  }),

  storageCase(
    'answers with the decision that was applied, however often the reducer ran',
    async ({ ledger }) => {
      const results = await Promise.all(
        Array.from({ length: 40 }, () => {
          let runs = 0
          return ledger.transact('alice', [], (cut) => {
            runs += 1
            const count = Number(cut.head ?? 0) + 1
            return { result: { count, run: runs, version: cut.version }, write: { head: count } }
          })
        }),
      )

      for (const { count, run, version } of results) {
        assert.ok(run >= 1)
        assert.equal(BigInt(count), version + 1n)
      }
      assert.equal(new Set(results.map(({ count }) => count)).size, 40)
    },
  ),
]
