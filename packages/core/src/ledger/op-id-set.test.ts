import { expect, it } from 'vitest'
import { createOpIdSet } from './op-id-set.ts'

it('knows every id it has seen, also after it grew several times', () => {
  const seen = createOpIdSet()
  const ids = Array.from({ length: 20_000 }, (_, index) => `settle:request-${index}`)
  expect(ids.filter((id) => seen.add(id))).toEqual([])
  expect(ids.filter((id) => !seen.add(id))).toEqual([])
  expect(seen.add('settle:another')).toBe(false)
})
