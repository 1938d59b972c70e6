import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../clock.ts'
import { accessTo } from './access.ts'
import { emptyFold } from './audit/fold.ts'
import { valueOfFold } from './audit/fold-value.ts'
import { chainEntry } from './entry.ts'
import { journalBaseKey } from './journal-base.ts'
import { memoryStorage } from './memory-storage.ts'
import { RecordsNeeded } from './records-needed.ts'
import type { Cut, Key, LedgerStore, Value } from './storage.ts'
import { OutcomeUnknown } from './storage.ts'

/** Pauses are over at once. */
const hasty: Clock = {
  ...systemClock,
  after(_delayMs, task) {
    queueMicrotask(task)
    return () => {}
  },
}

/** A store in memory that tells what it was asked for, and loses so many answers. */
function open(lost = 0) {
  const { ledger: memory } = memoryStorage()
  const asked: (readonly Key[])[] = []
  const read: bigint[] = []
  let losses = lost
  const store: LedgerStore = {
    ...memory,
    async transact(accountId, keys, reduce, options) {
      asked.push(keys)
      const result = await memory.transact(accountId, keys, reduce, options)
      losses -= 1
      if (losses >= 0) throw new OutcomeUnknown('The connection broke.')
      return result
    },
    async journal(accountId, afterSeq, limit) {
      read.push(afterSeq)
      return memory.journal(accountId, afterSeq, limit)
    },
  }
  return { memory, asked, read, access: accessTo(store, hasty) }
}

const look = (cut: Cut) => ({ result: cut.version })

describe('a decision that has to be made again because nobody knows whether it arrived', () => {
  it('moves an account on that it does not change, so that what was sent before can not be applied any more', async () => {
    const { memory, access } = open(1)
    await memory.transact('alice', [], () => ({ result: 0, write: { head: 'as it was' } }))
    expect(await access.run('alice', [], look)).toBe(1n)
    const after = await memory.transact('alice', [], (cut) => ({ result: cut }))
    expect(after).toMatchObject({ head: 'as it was', version: 2n })
  })

  it('does not make an account that nobody has written', async () => {
    const { memory, access } = open(1)
    expect(await access.run('nobody', [], look)).toBe(0n)
    expect((await memory.scan('all', null, 10)).accountIds).toEqual([])
  })
})

describe('a decision that finds out that it needs further records', () => {
  it('is made again on a cut that has them, and all that were asked for before', async () => {
    const { memory, access, asked } = open()
    const put = (key: Key) => ({ key, value: `the ${key}`, mode: 'create' as const })
    await memory.transact('alice', [], () => ({
      result: 0,
      write: { head: 1, put: [put('first'), put('second'), put('third')] },
    }))
    const result = await access.run('alice', ['first'], ({ records }) => {
      for (const key of ['second', 'third']) if (!records.has(key)) throw new RecordsNeeded([key])
      return { result: [...records.values()] }
    })
    expect(result).toEqual(['the first', 'the second', 'the third'])
    expect(asked).toEqual([['first'], ['first', 'second'], ['first', 'second', 'third']])
  })

  it('is shown that a record does not exist which it has asked for', async () => {
    const { access, asked } = open()
    const result = await access.run('alice', ['first'], ({ records }) => {
      if (!records.has('second')) throw new RecordsNeeded(['second'])
      return { result: [...records] }
    })
    expect(result).toEqual([['second', null]])
    expect(asked).toHaveLength(2)
  })

  it('is made again in the same way when nobody knows whether it arrived', async () => {
    const { access, asked } = open(1)
    const result = await access.run('alice', [], ({ records }) => {
      if (!records.has('second')) throw new RecordsNeeded(['second'])
      return { result: 'decided' }
    })
    expect(result).toBe('decided')
    expect(asked).toEqual([[], [], ['second']])
  })

  it('fails with what it throws besides', async () => {
    const { access } = open()
    const failing = access.run('alice', [], () => {
      throw new TypeError('a bug')
    })
    await expect(failing).rejects.toThrow('a bug')
  })
})

describe('one entry of a journal', () => {
  const entry = { kind: 'released', opId: 'o', recordedAtMs: 0, effectiveAtMs: 0, postings: [] } as const

  it('is read alone, and is absent when there is none of its number', async () => {
    const { memory, access } = open()
    const first = chainEntry(entry, { seq: 0n, chain: '' })
    const second = chainEntry(entry, { seq: 1n, chain: first.hash })
    await memory.transact('alice', [], () => ({ result: 0, write: { head: 1, append: [first, second] } }))
    expect(await access.entry('alice', 1n)).toEqual({ ...entry, seq: 1n, hash: first.hash })
    expect(await access.entry('alice', 2n)).toMatchObject({ seq: 2n })
    expect(await access.entry('alice', 3n)).toBeUndefined()
  })

  it('is not the next one that is there, when a store has lost it', async () => {
    const { memory } = open()
    const second = chainEntry(entry, { seq: 1n, chain: 'abc' })
    const access = accessTo({ ...memory, journal: async () => [second] }, hasty)
    expect(await access.entry('alice', 1n)).toBeUndefined()
    expect(await access.entry('alice', 2n)).toMatchObject({ seq: 2n })
  })

  it('is not looked for before the first', async () => {
    const { access, read } = open()
    expect(await access.entry('alice', 0n)).toBeUndefined()
    expect(await access.entry('alice', -1n)).toBeUndefined()
    expect(read).toEqual([])
  })
})

describe('an entry that is not there', () => {
  const base = { seq: 7n, chain: 'c', toldBy: 9n, fold: valueOfFold(emptyFold()) }

  it('was trimmed when the base of the journal goes as far, and was not where there is none', async () => {
    const { memory, access } = open()
    expect(await access.isTrimmed('alice', 1n)).toBe(false)
    const value = base as Value
    await memory.transact('alice', [], () => ({
      result: 0,
      write: { head: 1, put: [{ key: journalBaseKey, value, mode: 'create' }] },
    }))
    for (const seq of [1n, 7n]) expect(await access.isTrimmed('alice', seq)).toBe(true)
    expect(await access.isTrimmed('alice', 8n)).toBe(false)
  })

  it('can not be made so where the store keeps every journal as a whole', async () => {
    const { trim: _trim, ...whole } = open().memory
    await expect(accessTo(whole, hasty).forget('alice', 1n)).rejects.toThrow(RangeError)
  })
})
