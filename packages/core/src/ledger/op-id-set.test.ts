import { expect, it } from 'vitest'
import { createOpIdSet } from './op-id-set.ts'

it('knows every id it has seen, also after it grew several times', () => {
  const seen = createOpIdSet()
  const ids = Array.from({ length: 20_000 }, (_, index) => `settle:request-${index}`)
  expect(ids.filter((id) => seen.add(id))).toEqual([])
  expect(ids.filter((id) => !seen.add(id))).toEqual([])
  expect(seen.add('settle:another')).toBe(false)
})

it('begins anew after as many different ids as it may keep, and not one earlier', () => {
  const ids = Array.from({ length: 100 }, (_, index) => `settle:request-${index}`)
  const [full, roomy] = [createOpIdSet(100), createOpIdSet(101)]
  for (const id of ids) full.add(id)
  for (const id of [...ids, ...ids]) roomy.add(id)

  expect([full, roomy].map((seen) => seen.add('settle:request-0'))).toEqual([false, true])
})
