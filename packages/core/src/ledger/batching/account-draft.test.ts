import { describe, expect, it } from 'vitest'
import type { Put, Value, Write } from '../storage.ts'
import { type CachedAccount, openRecords } from './account-cache.ts'
import { accountOf, draftAccount } from './account-draft.ts'
import type { AccountReading, StoredRecord } from './account-reading.ts'
import { prepareWrite } from './prepared-write.ts'

type Account = CachedAccount<string>
type Reading = AccountReading<string>

const never = Number.POSITIVE_INFINITY

/** An account as it is remembered: of nothing is known when it is due. */
function remembered(change: Partial<Account> = {}): Account {
  const place = { head: 'before', headChars: 8, version: 7n, position: 'p7', lastSeq: 4n }
  return { ...place, quietUntil: 0, open: openRecords(), unpurged: 30, ...change }
}

/** What was read of it: nothing but where it is. */
function read(change: Partial<Reading> = {}): Reading {
  const place = { head: 'before', headChars: 8, version: 7n, position: 'p7', lastSeq: 4n }
  return { ...place, records: new Map(), due: [], isDueCut: false, nextDueAt: never, ...change }
}

const record = (key: string, dueAt: number, value: Value = key): StoredRecord => ({ key, value, dueAt })
const put = (key: string, change: Partial<Put> = {}): Put => ({ key, value: key, mode: 'replace', ...change })
const write = (change: Partial<Write> = {}) => prepareWrite({ head: 'after', ...change })
const entry = (seq: bigint) => ({ seq, text: `entry ${seq}`, hash: `hash ${seq}` })

describe('the records of a draft', () => {
  it('are those that were read, then those that are remembered, and those it has written itself', () => {
    const open = openRecords()
    open.set('read', 'remembered', 1)
    open.set('open', 'remembered', 1)
    open.set('gone', 'remembered', 1)
    const records = new Map([
      ['read', 'as read'],
      ['gone', undefined],
    ])
    const draft = draftAccount(remembered({ open }), read({ records }))
    expect(['read', 'open', 'gone', 'nobody'].map(draft.record)).toEqual([
      'as read',
      'remembered',
      undefined,
      undefined,
    ])
    draft.apply(write({ put: [put('read', { value: 1 }), put('nobody', { value: 2 })] }))
    expect(['read', 'nobody'].map(draft.record)).toEqual([1, 2])
  })

  it('that nobody knows of are taken to be absent, which is to be proved; what was read to be absent is not', () => {
    const open = openRecords()
    open.set('open', 'remembered', 1)
    const draft = draftAccount(remembered({ open }), read({ records: new Map([['gone', undefined]]) }))
    expect(draft.assumed()).toEqual([])
    for (const key of ['gone', 'open', 'nobody', 'nobody']) draft.record(key)
    draft.apply(write({ put: [put('new', { mode: 'create' }), put('any')] }))
    expect(draft.assumed()).toEqual(['nobody', 'new'])
  })
})

describe('what is due in a draft', () => {
  it('on what is remembered is nothing before the account is quiet no more, and then has to be read', () => {
    const draft = draftAccount(remembered({ quietUntil: 100 }), undefined)
    expect(draft.due(99, 5)).toEqual([])
    expect(draft.due(100, 5)).toBeUndefined()
    draft.apply(write({ put: [put('a', { dueAt: 50 })] }))
    expect(draft.due(99, 5)).toEqual([record('a', 50)])
    expect(draft.due(100, 5)).toBeUndefined()
  })

  it('on what was read is what comes up by then, until something that was not read comes up', () => {
    const due = [record('a', 10), record('b', 20)]
    const draft = draftAccount(remembered(), read({ due, nextDueAt: 50 }))
    expect(draft.due(9, 5)).toEqual([])
    expect(draft.due(19, 5)).toEqual([record('a', 10)])
    expect(draft.due(20, 5)).toEqual(due)
    expect(draft.due(49, 5)).toEqual(due)
    expect(draft.due(49, 1)).toEqual([record('a', 10)])
    expect(draft.due(50, 5)).toBeUndefined()
  })

  it('has to be read where what was read ends too early', () => {
    const due = [record('a', 10), record('b', 20)]
    const draft = draftAccount(remembered(), read({ due, isDueCut: true }))
    expect(draft.due(20, 2)).toEqual(due)
    expect(draft.due(20, 3)).toBeUndefined()
    draft.apply(write({ put: [put('a')] }))
    expect(draft.due(20, 1)).toEqual([record('b', 20)])
    expect(draft.due(20, 2)).toBeUndefined()
  })

  it('is with what it has written, at the time it was given last', () => {
    const due = [record('ended', 10), record('later', 11), record('stays', 20)]
    const draft = draftAccount(remembered(), read({ due, nextDueAt: 50 }))
    draft.apply(
      write({ put: [put('ended'), put('later', { dueAt: 30, value: 'new' }), put('new', { dueAt: 15 })] }),
    )
    const [sooner, stays, later] = [record('new', 15), record('stays', 20), record('later', 30, 'new')]
    expect(draft.due(14, 5)).toEqual([])
    expect(draft.due(15, 5)).toEqual([sooner])
    expect(draft.due(29, 5)).toEqual([sooner, stays])
    expect(draft.due(30, 5)).toEqual([sooner, stays, later])
    expect(draft.due(30, 2)).toEqual([sooner, stays])
  })

  it('comes by key where the time is the same', () => {
    const due = [record('b', 10), record('d', 10)]
    const draft = draftAccount(remembered(), read({ due }))
    draft.apply(write({ put: ['e', 'a', 'c'].map((key) => put(key, { dueAt: 10 })) }))
    expect(draft.due(10, 5)?.map(({ key }) => key)).toEqual(['a', 'b', 'c', 'd', 'e'])
  })
})

describe('a write to a draft', () => {
  it('moves the account on by one version, and its journal by the entries', () => {
    const draft = draftAccount(remembered(), undefined)
    expect(draft.isWritten).toBe(false)
    draft.apply(write({ append: [entry(5n), entry(6n)] }))
    draft.apply(write({ head: 'last', append: [entry(7n)] }))
    expect(draft).toMatchObject({ head: 'last', version: 9n, isWritten: true })
    expect(draft.changes()).toMatchObject({
      from: 7n,
      to: 9n,
      headText: '"last"',
      lastSeq: 7n,
      entries: [entry(5n), entry(6n), entry(7n)],
    })
  })

  it('that is refused takes nothing', () => {
    const draft = draftAccount(remembered(), read({ records: new Map([['there', 1]]) }))
    const created = put('there', { mode: 'create' })
    expect(() => draft.apply(write({ put: [put('a'), created], append: [entry(5n)] }))).toThrow('exists')
    expect(() => draft.apply(write({ put: [put('a')], append: [entry(6n)] }))).toThrow('must follow')
    expect(draft).toMatchObject({ head: 'before', version: 7n, isWritten: false })
    expect(draft.changes()).toMatchObject({ lastSeq: 4n, puts: [], entries: [] })
  })

  it('leaves the last value of each record to be written, counted with those since expired ones were deleted', () => {
    const draft = draftAccount(remembered(), undefined)
    draft.apply(write({ put: [put('a', { value: 1 }), put('b', { value: 2 })] }))
    draft.apply(write({ put: [put('a', { value: 3 })] }))
    const { puts, unpurged } = draft.changes()
    expect(puts.map(({ put: { key }, text }) => [key, text])).toEqual([
      ['a', '3'],
      ['b', '2'],
    ])
    expect(unpurged).toBe(32)
  })
})

describe('a draft that is committed', () => {
  it('is the account at its new place', () => {
    const draft = draftAccount(remembered(), undefined)
    draft.apply(write({ head: 'a longer head', append: [entry(5n)], put: [put('a')] }))
    draft.changes()
    expect(draft.committed('p8', false)).toMatchObject({
      head: 'a longer head',
      headChars: 15,
      version: 8n,
      position: 'p8',
      lastSeq: 5n,
      unpurged: 31,
    })
    expect(draft.committed('p8', true).unpurged).toBe(0)
  })

  it('remembers records that wait for something and are kept for good, and no others', () => {
    const open = openRecords()
    for (const key of ['ended', 'expires', 'other']) open.set(key, 'before', 1)
    const draft = draftAccount(remembered({ open }), undefined)
    draft.apply(
      write({
        put: [put('waits', { dueAt: 9 }), put('ended'), put('expires', { dueAt: 9, keepUntil: 10 })],
      }),
    )
    const known = draft.committed('p8', false).open
    expect(['waits', 'ended', 'expires', 'other'].map(known.get)).toEqual([
      'waits',
      undefined,
      undefined,
      'before',
    ])
    expect(known.chars()).toBe('"waits"'.length + 1)
  })

  const quietUntil = (stored: Account, reading: Reading | undefined, ...puts: Put[]) => {
    const draft = draftAccount(stored, reading)
    if (puts.length > 0) draft.apply(write({ put: puts }))
    return draft.committed('p8', false).quietUntil
  }

  it('is quiet as long as it was, or until the first thing that was written comes up', () => {
    const stored = remembered({ quietUntil: 100 })
    expect(quietUntil(stored, undefined)).toBe(100)
    expect(quietUntil(stored, undefined, put('a'), put('b', { dueAt: 200 }))).toBe(100)
    expect(quietUntil(stored, undefined, put('a', { dueAt: 90 }), put('b', { dueAt: 80 }))).toBe(80)
    expect(quietUntil(stored, undefined, put('a', { dueAt: 80 }), put('b', { dueAt: 90 }))).toBe(80)
  })

  it('is quiet until the first thing that was read comes up and that it did not write anew', () => {
    const stored = remembered({ quietUntil: 1 })
    const due = [record('a', 10), record('b', 20)]
    expect(quietUntil(stored, read({ due, nextDueAt: 50 }))).toBe(10)
    expect(quietUntil(stored, read({ due, nextDueAt: 50 }), put('a'))).toBe(20)
    expect(quietUntil(stored, read({ due, nextDueAt: 50 }), put('a'), put('b'))).toBe(50)
    expect(quietUntil(stored, read({ due, nextDueAt: 50 }), put('a'), put('b', { dueAt: 40 }))).toBe(40)
    expect(quietUntil(stored, read())).toBe(never)
  })

  it('is quiet no longer than it was read for, where what was due was not read to its end', () => {
    const due = [record('a', 10), record('b', 20), record('c', 30)]
    const reading = read({ due, isDueCut: true, nextDueAt: 50 })
    expect(quietUntil(remembered(), reading, put('a'), put('b'), put('c'))).toBe(30)
    expect(quietUntil(remembered(), read({ isDueCut: true, nextDueAt: 50 }))).toBe(0)
  })
})

describe('an account that was read', () => {
  const isSame = (a: string, b: string) => a === b

  it('is as it was read, and what is due then is to be seen from the reading', () => {
    const reading = read({ head: 'read', headChars: 4, version: 9n, position: 'p9', lastSeq: 6n })
    expect(accountOf(reading, undefined, isSame)).toMatchObject({
      head: 'read',
      headChars: 4,
      version: 9n,
      position: 'p9',
      lastSeq: 6n,
      quietUntil: 0,
      unpurged: 0,
    })
    expect(accountOf(reading, remembered(), isSame)).toMatchObject({ version: 9n, unpurged: 30 })
  })

  it('keeps what is remembered of its records when nobody else has written since, and only then', () => {
    const cached = remembered()
    cached.open.set('a', 1, 1)
    expect(accountOf(read(), cached, isSame).open).toBe(cached.open)
    expect(accountOf(read({ position: 'p8' }), cached, isSame).open.get('a')).toBeUndefined()
    expect(accountOf(read(), undefined, isSame).open.chars()).toBe(0)
  })
})
