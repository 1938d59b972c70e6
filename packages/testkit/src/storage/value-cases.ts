import assert from 'node:assert/strict'
import type { Value } from '@farebox/core'
import { readCut, write } from './reducers.ts'
import { type StorageCase, storageCase } from './storage-case.ts'

/** Each with something a store could get wrong. */
export const trickyValues: Readonly<Record<string, Value>> = {
  'an empty object': {},
  'an empty list': [],
  'an empty text': '',
  'true and false': [true, false],
  null: [null, { member: null }],
  'a bigint beyond 64 bits': [2n ** 63n, -(2n ** 63n) - 1n, 10n ** 40n],
  'the bigints around zero': [0n, 1n, -1n],
  'a number beside the same bigint and text': [5, 5n, '5', '5n'],
  'texts that look like bigints': ['5n', '-5n', '0n', 'n', '-n', '5 n', '5N'],
  'texts that start with a tilde': ['~', '~~', '~5n', '~~5n'],
  'texts that look like other values': ['null', 'true', '{}', '[]', '"', '\\', '1e3'],
  'unicode in texts and names': { é: '😀', '': 'empty name', 'a\u0301': '\u2028\u0000\u001f', 中文: '中文' },
  'half a surrogate pair': '\ud83d',
  'large and small numbers': [Number.MAX_SAFE_INTEGER, -1.5, 1e-7, 1e21, Number.MIN_VALUE],
  'members named like those of every object': JSON.parse(
    '{"constructor":1,"toString":2,"length":3}',
  ) as Value,
  'a deep value': { a: [{ b: [{ c: [{ d: 1n }] }] }] },
}

/** Comes back as it was put in. */
export const valueCases: readonly StorageCase[] = [
  ...Object.entries(trickyValues).map(([what, value]) =>
    storageCase(`gives back ${what}`, async ({ ledger }) => {
      await ledger.transact('alice', [], write(value, { put: [{ key: 'k', value, mode: 'create' }] }))
      await ledger.transact(
        'alice',
        [],
        write(value, { put: [{ key: 'due', value, mode: 'create', dueAt: 1 }] }),
      )

      const cut = await readCut(ledger, 'alice', ['k'])
      assert.deepEqual(cut.head, value)
      assert.deepEqual(cut.records.get('k'), value)
      assert.deepEqual(
        cut.due.map((record) => record.value),
        [value],
      )
    }),
  ),

  storageCase('reads a member that is undefined as absent or undefined', async ({ ledger }) => {
    await ledger.transact('alice', [], write({ present: 1, absent: undefined }))

    const { present, absent } = (await readCut(ledger, 'alice')).head as { present: number; absent?: number }
    assert.equal(present, 1)
    assert.equal(absent, undefined)
  }),

  storageCase('keeps a head of 64 KiB', async ({ ledger }) => {
    const head = {
      text: 'é'.repeat(32 * 1024),
      amounts: Array.from({ length: 64 }, (_, index) => 10n ** BigInt(index)),
    }
    await ledger.transact('alice', [], write(head))

    assert.deepEqual((await readCut(ledger, 'alice')).head, head)
  }),

  storageCase('keeps a record under a key of 512 characters', async ({ ledger }) => {
    const keys = ['k'.repeat(512), `${'k'.repeat(511)}l`]
    await ledger.transact(
      'alice',
      [],
      write(0, { put: keys.map((key) => ({ key, value: key.slice(-1), mode: 'create' as const })) }),
    )

    const { records } = await readCut(ledger, 'alice', keys)
    assert.deepEqual(
      keys.map((key) => records.get(key)),
      ['k', 'l'],
    )
  }),

  storageCase('keeps records under keys with quotes, wildcards and other letters', async ({ ledger }) => {
    const keys = ["'", '"', '\\', '%', '_', 'ä', '😀', 'a\nb', '[1]', '{}', '5', '5n', 'null', '']
    await ledger.transact(
      'alice',
      [],
      write(0, { put: keys.map((key) => ({ key, value: key, mode: 'create' as const })) }),
    )

    const { records } = await readCut(ledger, 'alice', keys)
    assert.deepEqual(
      keys.map((key) => records.get(key)),
      keys,
    )
  }),

  storageCase('reads hundreds of records at once', async ({ ledger }) => {
    const keys = Array.from({ length: 700 }, (_, index) => `key:${index}`)
    await ledger.transact(
      'alice',
      [],
      write(0, { put: keys.map((key, index) => ({ key, value: BigInt(index), mode: 'create' as const })) }),
    )

    const { records } = await readCut(ledger, 'alice', [...keys, 'absent'])
    assert.equal(records.size, 700)
    assert.equal(records.get('key:699'), 699n)
  }),
]
