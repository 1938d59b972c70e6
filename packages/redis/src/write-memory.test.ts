import { expect, it } from 'vitest'
import type { Position } from './position.ts'
import { type RememberedWrite, type WriteMemory, writeMemory } from './write-memory.ts'

function at(writes: number, mark: string): Position {
  return { epoch: 0, writes, mark, version: BigInt(writes) }
}

function write(from: string, to: string, accountId = 'alice'): RememberedWrite {
  return { accountId, from: at(0, from), to: at(1, to), headText: '1', lastSeq: 0n, puts: [], entries: [] }
}

function marks(memory: WriteMemory, from: string): readonly string[] {
  return memory.after('alice', from).map(({ to }) => to.mark)
}

it('gives the writes that lead on from a mark, in their order', () => {
  const memory = writeMemory(1_000_000)
  for (const [from, to] of [
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'd'],
  ] as const) {
    memory.add(write(from, to))
    memory.confirm('alice', to)
  }

  expect(marks(memory, 'a')).toEqual(['b', 'c', 'd'])
  expect(marks(memory, 'c')).toEqual(['d'])
  expect(marks(memory, 'd')).toEqual([])
  expect(marks(memory, 'elsewhere')).toEqual([])
  expect(memory.after('bob', 'a')).toEqual([])
})

it('leaves out a write of which nobody knows whether it was applied', () => {
  const memory = writeMemory(1_000_000)
  memory.add(write('a', 'b'))

  expect(marks(memory, 'a')).toEqual([])
})

it('takes a write for applied when one that was answered stands on it', () => {
  const memory = writeMemory(1_000_000)
  memory.add(write('a', 'unknown'))
  memory.add(write('a', 'tried in vain'))
  memory.add(write('unknown', 'c'))
  memory.confirm('alice', 'c')

  expect(marks(memory, 'a')).toEqual(['unknown', 'c'])
})

it('forgets a write that was surely not applied', () => {
  const memory = writeMemory(1_000_000)
  memory.add(write('a', 'b'))
  memory.confirm('alice', 'b')
  memory.forget('alice', 'b')

  expect(memory.of('alice')).toEqual([])
})

it('forgets the oldest when it is full, and takes the same write twice for one', () => {
  const memory = writeMemory(3 * 257)
  for (const [from, to] of [
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'd'],
    ['d', 'e'],
  ] as const) {
    for (const _time of [1, 2]) memory.add(write(from, to))
    memory.confirm('alice', to)
  }

  expect(memory.of('alice').map(({ to }) => to.mark)).toEqual(['c', 'd', 'e'])
})

it('gives a write as it was, with the values of its records', () => {
  const memory = writeMemory(1_000_000)
  const value = { amount: 5n, parts: ['a'] }
  const text = '{"amount":"5n","parts":["a"]}'
  const puts = [
    { put: { key: 'hold:a', value, mode: 'create', dueAt: 7 }, text },
    { put: { key: 'hold:b', value, mode: 'replace', keepUntil: 9 }, text },
  ] as const
  const whole = { ...write('a', 'b'), puts, entries: [{ seq: 1n, text: '{}', hash: 'h' }] }
  memory.add(whole)
  memory.confirm('alice', 'b')

  expect(memory.of('alice')).toStrictEqual([whole])
})

it('has the others still after thousands were forgotten', () => {
  const memory = writeMemory(1_000_000)
  memory.add(write('a', 'b'))
  for (let index = 0; index < 5000; index += 1) {
    memory.add(write('b', `lost${index}`))
    memory.forget('alice', `lost${index}`)
  }
  memory.add(write('b', 'c'))
  memory.confirm('alice', 'c')

  expect(marks(memory, 'a')).toEqual(['b', 'c'])
})
