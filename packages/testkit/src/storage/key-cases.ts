import assert from 'node:assert/strict'
import type { KeyStore, Value } from '@farebox/core'
import { keyCase, type StorageCase } from './storage-case.ts'
import { trickyValues } from './value-cases.ts'

async function create(keys: KeyStore, key: string, value: Value): Promise<bigint> {
  assert.equal(await keys.put(key, value, null), true)
  return versionOf(keys, key)
}

async function versionOf(keys: KeyStore, key: string): Promise<bigint> {
  const found = await keys.get(key)
  assert.ok(found, `there is no "${key}"`)
  return found.version
}

async function listAll(keys: KeyStore, prefix: string, limit: number): Promise<readonly string[]> {
  const listed: string[] = []
  let cursor: string | null = null
  let pages = 0
  do {
    const page: Awaited<ReturnType<KeyStore['list']>> = await keys.list(prefix, cursor, limit)
    assert.ok(page.documents.length <= limit, 'a page is longer than its limit')
    listed.push(...page.documents.map(({ key }) => key))
    cursor = page.cursor
    pages += 1
    assert.ok(pages < 100, 'the list does not end')
  } while (cursor !== null)
  return listed
}

/** What the documents of a store keep to, if it has any. */
export const keyCases: readonly StorageCase[] = [
  keyCase('has no document that was never put', async ({ keys }) => {
    assert.equal(await keys.get('a'), undefined)
    assert.deepEqual(await keys.list('', null, 10), { documents: [], cursor: null })
    assert.equal(await keys.delete('a', 1n), false)
  }),

  keyCase('gives back a document with its key and a version', async ({ keys }) => {
    const version = await create(keys, 'a', { name: 'first', amount: 5n })

    assert.deepEqual(await keys.get('a'), { key: 'a', value: { name: 'first', amount: 5n }, version })
  }),

  keyCase('creates a document only where there is none', async ({ keys }) => {
    const version = await create(keys, 'a', 'first')

    assert.equal(await keys.put('a', 'second', null), false)
    assert.deepEqual(await keys.get('a'), { key: 'a', value: 'first', version })
  }),

  keyCase('replaces a document only at the version it has', async ({ keys }) => {
    const first = await create(keys, 'a', 'first')

    assert.equal(await keys.put('a', 'wrong', first + 1n), false)
    assert.equal(await keys.put('b', 'wrong', first), false)
    assert.equal(await keys.put('a', 'second', first), true)
    const second = await versionOf(keys, 'a')
    assert.notEqual(second, first)
    assert.equal(await keys.put('a', 'third', first), false)
    assert.equal((await keys.get('a'))?.value, 'second')
    assert.equal(await keys.get('b'), undefined)
  }),

  keyCase('changes the version also when the value stays the same', async ({ keys }) => {
    const first = await create(keys, 'a', 'same')

    assert.equal(await keys.put('a', 'same', first), true)
    assert.equal(await keys.put('a', 'same', first), false)
  }),

  keyCase('deletes a document only at the version it has', async ({ keys }) => {
    const first = await create(keys, 'a', 'first')
    assert.equal(await keys.put('a', 'second', first), true)
    const second = await versionOf(keys, 'a')

    assert.equal(await keys.delete('a', first), false)
    assert.equal((await keys.get('a'))?.value, 'second')
    assert.equal(await keys.delete('a', second), true)
    assert.equal(await keys.get('a'), undefined)
    assert.equal(await keys.delete('a', second), false)
  }),

  keyCase('never gives a version to a key twice, not even after it was deleted', async ({ keys }) => {
    const seen = new Set<bigint>()
    for (let round = 0; round < 5; round += 1) {
      const created = await create(keys, 'a', round)
      assert.equal(await keys.put('a', `${round} again`, created), true)
      const replaced = await versionOf(keys, 'a')
      assert.equal(await keys.delete('a', replaced), true)
      seen.add(created).add(replaced)
    }

    assert.equal(seen.size, 10)
    await create(keys, 'a', 'last')
    for (const version of seen) assert.equal(await keys.put('a', 'stale', version), false)
  }),

  keyCase('lets exactly one of many writers at one version win', async ({ keys }) => {
    const version = await create(keys, 'a', 'start')

    const won = await Promise.all(Array.from({ length: 50 }, (_, index) => keys.put('a', index, version)))

    assert.equal(won.filter(Boolean).length, 1)
    assert.equal((await keys.get('a'))?.value, won.indexOf(true))
  }),

  keyCase('lets exactly one of many writers create a document', async ({ keys }) => {
    const won = await Promise.all(Array.from({ length: 50 }, (_, index) => keys.put('a', index, null)))

    assert.equal(won.filter(Boolean).length, 1)
    assert.equal((await keys.get('a'))?.value, won.indexOf(true))
  }),

  keyCase('loses nothing when many add to one document and try again', async ({ keys }) => {
    await create(keys, 'count', 0)
    const add = async (): Promise<void> => {
      for (;;) {
        const found = await keys.get('count')
        if (found === undefined) throw new Error('the document has gone')
        if (await keys.put('count', Number(found.value) + 1, found.version)) return
      }
    }
    await Promise.all(Array.from({ length: 20 }, add))

    assert.equal((await keys.get('count'))?.value, 20)
  }),

  keyCase('lists every document with a prefix once, at most `limit` a page', async ({ keys }) => {
    const mine = ['a:', 'a:1', 'a:10', 'a:2', 'a:😀', 'a:\uffff', 'a:%', 'a:_', 'a:a:1']
    const others = ['a', 'A:1', 'aa:1', 'b:1', 'a;1', ' a:1']
    for (const key of [...mine, ...others]) await create(keys, key, key)

    for (const limit of [1, 2, 4, mine.length, 100]) {
      assert.deepEqual((await listAll(keys, 'a:', limit)).toSorted(), mine.toSorted())
    }
    assert.deepEqual((await listAll(keys, '', 3)).toSorted(), [...mine, ...others].toSorted())
    assert.deepEqual(await listAll(keys, 'c', 3), [])
  }),

  keyCase('lists documents with their values and versions', async ({ keys }) => {
    const version = await create(keys, 'a:1', { amount: 5n })

    assert.deepEqual((await keys.list('a:', null, 10)).documents, [
      { key: 'a:1', value: { amount: 5n }, version },
    ])
  }),

  keyCase('lists what stays also while others come and go', async ({ keys }) => {
    const staying = ['p:b', 'p:d', 'p:f', 'p:h']
    for (const key of staying) await create(keys, key, 0)
    const leaving = await create(keys, 'p:e', 0)
    const first = await keys.list('p:', null, 2)
    await keys.delete('p:e', leaving)
    await create(keys, 'p:a', 0)
    await create(keys, 'p:g', 0)

    const listed = first.documents.map(({ key }) => key)
    for (let { cursor } = first; cursor !== null; ) {
      const page = await keys.list('p:', cursor, 2)
      listed.push(...page.documents.map(({ key }) => key))
      cursor = page.cursor
    }
    for (const key of staying) assert.equal(listed.filter((one) => one === key).length, 1, key)
    assert.equal(new Set(listed).size, listed.length)
  }),

  keyCase('gives at most 1,000 documents a page, whatever is asked for', async ({ keys }) => {
    for (let index = 0; index < 1_001; index += 1) await keys.put(`k${index}`, index, null)

    const page = await keys.list('k', null, 1_000_000)
    assert.equal(page.documents.length, 1_000)
    assert.notEqual(page.cursor, null)
    assert.equal((await keys.list('k', page.cursor, 1_000_000)).documents.length, 1)
  }),

  ...Object.entries(trickyValues).map(([what, value]) =>
    keyCase(`gives back ${what} as a document`, async ({ keys }) => {
      await create(keys, 'k', value)

      assert.deepEqual((await keys.get('k'))?.value, value)
      assert.deepEqual((await keys.list('k', null, 1)).documents[0]?.value, value)
    }),
  ),

  keyCase('does not see what is done to a value after it was put', async ({ keys }) => {
    const value = { names: ['ada'] }
    await create(keys, 'a', value)
    value.names.push('bob')
    const found = (await keys.get('a'))?.value as { names: string[] }
    found.names.push('eve')

    assert.deepEqual((await keys.get('a'))?.value, { names: ['ada'] })
  }),

  keyCase('keeps keys of 512 characters, and with quotes and wildcards, apart', async ({ keys }) => {
    const names = ['k'.repeat(512), `${'k'.repeat(511)}l`, "'", '"', '%', '_', 'a', 'A', 'ä', 'a\u0308', '5n']
    for (const name of names) await create(keys, name, name)

    for (const name of names) assert.equal((await keys.get(name))?.value, name)
  }),

  keyCase('refuses a key that is empty, too long, or cannot be stored', async ({ keys }) => {
    for (const key of ['', 'k'.repeat(513), 'a\0b', '\ud83d']) {
      await assert.rejects(keys.get(key), RangeError, JSON.stringify(key))
      await assert.rejects(keys.put(key, 1, null), RangeError, JSON.stringify(key))
      await assert.rejects(keys.delete(key, 1n), RangeError, JSON.stringify(key))
    }
    assert.deepEqual(await keys.list('', null, 10), { documents: [], cursor: null })
  }),

  keyCase('keeps a value of 65,536 characters and refuses one more', async ({ keys }) => {
    const version = await create(keys, 'a', 'x'.repeat(65_534))

    await assert.rejects(keys.put('a', 'x'.repeat(65_535), version), RangeError)
    await assert.rejects(keys.put('b', 'x'.repeat(65_535), null), RangeError)
    assert.equal(String((await keys.get('a'))?.value).length, 65_534)
    assert.equal(await keys.get('b'), undefined)
  }),

  keyCase('does not mix documents with accounts', async ({ keys, ledger }) => {
    await create(keys, 'alice', 'a document')
    await ledger.transact('alice', [], () => ({ result: 0, write: { head: 'an account' } }))

    assert.equal((await keys.get('alice'))?.value, 'a document')
    assert.equal(await ledger.transact('alice', [], ({ head }) => ({ result: head })), 'an account')
    assert.deepEqual((await ledger.scan('all', null, 10)).accountIds, ['alice'])
  }),

  keyCase('writes documents and accounts side by side, none at the cost of the other', async (context) => {
    const { keys, ledger } = context
    const increments = Array.from({ length: 50 }, (_, index) =>
      Promise.all([
        keys.put(`k${index}`, index, null),
        ledger.transact('alice', [], ({ head }) => {
          const count = Number(head ?? 0) + 1
          return { result: count, write: { head: count } }
        }),
      ]),
    )
    const results = await Promise.all(increments)

    assert.ok(results.every(([isWritten]) => isWritten))
    assert.equal(new Set(results.map(([, count]) => count)).size, 50)
    assert.equal((await listAll(keys, 'k', 20)).length, 50)
  }),
]
