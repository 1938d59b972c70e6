import { expect, it } from 'vitest'
import { checkDocumentKey, documentsMost, documentText } from './key-store.ts'
import { memoryKeys } from './memory-keys.ts'
import type { Value } from './storage.ts'

it('a document has a key of 1 to 512 characters', () => {
  for (const key of ['k', 'k'.repeat(512)]) expect(() => checkDocumentKey(key)).not.toThrow()
  for (const key of ['', 'k'.repeat(513)]) {
    expect(() => checkDocumentKey(key)).toThrow(
      `A document's key has 1 to 512 characters, not ${key.length}.`,
    )
  }
})

it('a document has a value, of at most 65,536 characters as text', () => {
  expect(documentText('k', 'x'.repeat(65_534))).toHaveLength(65_536)
  expect(() => documentText('k', 'x'.repeat(65_535))).toThrow('has 65537 characters of text')
  expect(() => documentText('k', undefined as unknown as Value)).toThrow('has no value')
  expect(() => documentText('', 1)).toThrow(RangeError)
})

it.each([
  [-1, 1],
  [0, 1],
  [1, 1],
  [2.9, 2],
  [999, 999],
  [1000, 1000],
  [1001, 1000],
  [Number.POSITIVE_INFINITY, 1000],
])('a page for %s documents has at most %s', (limit, most) => {
  expect(documentsMost(limit)).toBe(most)
})

it('a list begins at its cursor, and ends with a page that is just full', async () => {
  const keys = memoryKeys()
  for (const key of ['a', 'b', 'c', 'd']) await keys.put(key, key, null)
  const first = await keys.list('', null, 2)
  expect(first).toMatchObject({ documents: [{ key: 'a' }, { key: 'b' }], cursor: 'c' })
  const second = await keys.list('', first.cursor, 2)
  expect(second).toMatchObject({ documents: [{ key: 'c' }, { key: 'd' }], cursor: null })
})
