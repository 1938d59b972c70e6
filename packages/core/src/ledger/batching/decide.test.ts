import { describe, expect, it } from 'vitest'
import type { Cut, Reduce } from '../storage.ts'
import { openRecords } from './account-cache.ts'
import { draftAccount } from './account-draft.ts'
import type { StoredRecord } from './account-reading.ts'
import { type Call, cutOf, decideAll } from './decide.ts'

const call = (reduce: Reduce<unknown>, change: Partial<Call> = {}): Call => ({
  accountId: 'alice',
  keys: [],
  reduce,
  dueBy: 0,
  dueMax: 16,
  ...change,
})

/** A draft of an account whose head is 0, and of which nothing is due before 100. */
function draft() {
  const stored = { headChars: 1, position: 1, lastSeq: 0n, quietUntil: 100, open: openRecords(), unpurged: 0 }
  return draftAccount({ ...stored, head: 0, version: 3n }, undefined)
}

const increment: Reduce<unknown> = ({ head }) => ({
  result: head,
  write: { head: (head as number) + 1 },
})
const look: Reduce<unknown> = ({ head }) => ({ result: head })

describe('calls of one account', () => {
  it('are decided one after another, each on what the earlier ones wrote', () => {
    const account = draft()
    expect(decideAll([call(increment), call(look), call(increment)], account, 50)).toEqual([
      { kind: 'decided', result: 0, isWrite: true },
      { kind: 'decided', result: 1, isWrite: false },
      { kind: 'decided', result: 1, isWrite: true },
    ])
    expect(account.head).toBe(2)
    expect(account.version).toBe(5n)
  })

  it('are not touched by one that throws or whose write is refused, which applies nothing', () => {
    const account = draft()
    const bug = new TypeError('a bug')
    const throwing = call(() => {
      throw bug
    })
    const gap = call(() => ({ result: 1, write: { head: 9, append: [{ seq: 2n, text: '', hash: '' }] } }))
    const outcomes = decideAll([throwing, gap, call(increment)], account, 50)
    expect(outcomes).toMatchObject([
      { kind: 'failed', error: bug },
      { kind: 'failed', error: expect.any(Error) },
      { kind: 'decided', result: 0 },
    ])
    expect(account.head).toBe(1)
  })

  it('end before the first one whose due records have to be read, by the time it is or the time it asks for', () => {
    const calls = [call(look, { dueBy: 99 }), call(look, { dueBy: 100 }), call(look)]
    expect(decideAll(calls, draft(), 50)).toHaveLength(1)
    expect(decideAll([call(look, { dueBy: 99 })], draft(), 100)).toEqual([])
    expect(decideAll([call(look)], draft(), 99)).toHaveLength(1)
  })

  it('are shown one due record less than was looked for, to know whether there are more', () => {
    const account = {
      ...draft(),
      due: (until: number, limit: number) =>
        Array.from({ length: limit }, (_, index) => ({ key: `k${index}`, value: until, dueAt: 0 })),
    }
    const seen: Cut[] = []
    const see: Reduce<unknown> = (cut) => {
      seen.push(cut)
      return { result: undefined }
    }
    decideAll([call(see, { dueMax: 2, dueBy: 70 })], account, 50)
    expect(seen).toMatchObject([
      {
        due: [
          { key: 'k0', value: 70 },
          { key: 'k1', value: 70 },
        ],
        moreDue: true,
        now: 50,
      },
    ])
    expect(seen[0]?.due).toHaveLength(2)
  })
})

describe('what a call is shown', () => {
  const values = new Map<string, null | number>([
    ['a', 1],
    ['nothing', null],
  ])
  const account = { head: 7, version: 3n, record: (key: string) => values.get(key) }
  const due = (count: number): StoredRecord[] =>
    Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: index, dueAt: index }))

  it('are the records that it asked for and that exist, whatever their value', () => {
    const { records, head, version, now } = cutOf(
      { keys: ['a', 'absent', 'nothing'], dueMax: 2 },
      account,
      [],
      50,
    )
    expect([...records]).toEqual([
      ['a', 1],
      ['nothing', null],
    ])
    expect({ head, version, now }).toEqual({ head: 7, version: 3n, now: 50 })
  })

  it('are at most as many due records as it asked for', () => {
    const shown = (count: number) => cutOf({ keys: [], dueMax: 2 }, account, due(count), 50)
    expect(shown(1)).toMatchObject({ due: due(1), moreDue: false })
    expect(shown(2)).toMatchObject({ due: due(2), moreDue: false })
    expect(shown(3)).toMatchObject({ due: due(2), moreDue: true })
  })
})
