import { describe, expect, it } from 'vitest'
import { acknowledge, checkConsumer, exportKey, exportState } from './export-cursor.ts'
import type { Cut, Value } from './storage.ts'

function cut(head: Value | null, cursor?: bigint): Cut {
  const records = new Map<string, Value>(
    cursor === undefined ? [] : [[exportKey('warehouse'), { seq: cursor }]],
  )
  return { head, records, due: [], moreDue: false, version: 1n, now: 0 }
}

const written = (seq: bigint, before?: bigint, head: Value | null = { seq: 9n }) =>
  acknowledge('warehouse', seq)(cut(head, before)).write

describe('the cursor of a consumer', () => {
  it('tells how far the journal is, and how far the consumer has it', () => {
    const state = exportState('warehouse')
    expect(state(cut(null)).result).toEqual({ seq: 0n, exported: 0n })
    expect(state(cut({ seq: 9n })).result).toEqual({ seq: 9n, exported: 0n })
    expect(state(cut({ seq: 9n }, 4n)).result).toEqual({ seq: 9n, exported: 4n })
  })

  it('goes on to what is acknowledged, never back, and writes nothing where it stays', () => {
    const moved = (seq: bigint) => ({
      head: { seq: 9n },
      put: [{ key: 'export:warehouse', value: { seq }, mode: 'replace' }],
    })
    expect(written(1n)).toEqual(moved(1n))
    expect(written(5n, 4n)).toEqual(moved(5n))
    expect(written(4n, 4n)).toBeUndefined()
    expect(written(3n, 4n)).toBeUndefined()
    expect(written(0n)).toBeUndefined()
  })

  it('does not make an account that was never written', () => {
    expect(written(1n, undefined, null)).toBeUndefined()
  })
})

it('a consumer has a name of 1 to 64 letters, digits, dots, dashes and underscores', () => {
  for (const name of ['w', 'a.B-9_', 'x'.repeat(64)]) expect(() => checkConsumer(name)).not.toThrow()
  for (const name of ['', 'x'.repeat(65), 'a b', 'a:b', 'ü'])
    expect(() => checkConsumer(name)).toThrow(RangeError)
})
