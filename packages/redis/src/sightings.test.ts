import { describe, expect, it } from 'vitest'
import type { Position } from './position.ts'
import { judge, sightings } from './sightings.ts'

function at(writes: number, mark: string = `m${writes}`, epoch = 0): Position {
  return { epoch, writes, mark, version: BigInt(writes) }
}

describe('what was read of an account that was seen at its fifth write', () => {
  const known = at(5)

  it.each([
    ['is whole at the same write', at(5), undefined, 'whole'],
    ['is whole further on, when the mark seen is among those kept', at(9), '5 m5', 'whole'],
    ['is whole further on, when the mark seen is no longer kept', at(300), '261 m261', 'whole'],
    ['is behind at an earlier write', at(4), undefined, 'behind'],
    ['is behind when nothing is there', at(0, ''), undefined, 'behind'],
    ['is forked when the fifth write has another mark', at(5, 'other'), undefined, 'forked'],
    ['is forked when another fifth write lies further back', at(9), '5 other', 'forked'],
    ['is whole when a loss was accepted since', at(3, 'new', 1), undefined, 'whole'],
  ] as const)('%s', (_name, position, markThen, verdict) => {
    expect(judge(known, { position, markThen })).toBe(verdict)
  })

  it('is behind when the acceptance of a loss was lost itself', () => {
    expect(judge(at(5, 'm5', 1), { position: at(9), markThen: undefined })).toBe('behind')
  })
})

it('an account that was never seen is whole as it is', () => {
  expect(judge(undefined, { position: at(3), markThen: undefined })).toBe('whole')
})

it('a sighting is not replaced by an older one that comes later', () => {
  const seen = sightings()
  seen.note('alice', at(5))
  seen.note('alice', at(4))
  expect(seen.get('alice')?.writes).toBe(5)
  seen.note('alice', at(2, 'accepted', 1))
  expect(seen.get('alice')?.mark).toBe('accepted')
})

it('of more than 100,000 accounts the last 100,000 are remembered', () => {
  const seen = sightings()
  for (let index = 0; index <= 100_000; index += 1) seen.note(`account-${index}`, at(1))
  expect(seen.get('account-0')).toBeUndefined()
  expect(seen.get('account-1')).toBeDefined()
})
