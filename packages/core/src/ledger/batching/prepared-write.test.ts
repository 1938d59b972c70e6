import { describe, expect, it } from 'vitest'
import type { Put, Value } from '../storage.ts'
import { prepareWrite, refuseExisting, refuseGaps } from './prepared-write.ts'

const put = (key: string, change: Partial<Put> = {}): Put => ({ key, value: 1n, mode: 'create', ...change })
const entry = (seq: bigint) => ({ seq, text: '{}', hash: '' })
const missing = undefined as unknown as Value

describe('a write', () => {
  it('has its records as text, and nothing where it names none', () => {
    const one = put('a', { value: { amount: 5n } })
    expect(prepareWrite({ head: 'h', put: [one], append: [entry(1n)] })).toEqual({
      head: 'h',
      puts: [{ put: one, text: '{"amount":"5n"}' }],
      entries: [entry(1n)],
    })
    expect(prepareWrite({ head: null })).toEqual({ head: null, puts: [], entries: [] })
  })

  it('is refused before anything is written when a part of it can not be stored', () => {
    expect(() => prepareWrite({ head: missing })).toThrow('no head')
    expect(() => prepareWrite({ head: 1, put: [put('a', { value: missing })] })).toThrow('"a" has no value')
    expect(() => prepareWrite({ head: 1, put: [put('a\0')] })).toThrow(RangeError)
    expect(() => prepareWrite({ head: 1, put: [put('a', { value: Number.NaN })] })).toThrow(RangeError)
  })

  it('creates what is not there, replaces whatever is there, and is refused where it creates what is there', () => {
    const recordOf = (key: string) => (key === 'there' ? 0 : undefined)
    const refuse = (...puts: Put[]) => refuseExisting(prepareWrite({ head: 1, put: puts }), recordOf)
    expect(() => refuse(put('new'), put('there', { mode: 'replace' }))).not.toThrow()
    expect(() => refuse(put('new'), put('there'))).toThrow(
      expect.objectContaining({ name: 'Conflict', message: 'The record "there" exists already.' }),
    )
  })

  it('appends entries that follow the last one without a gap', () => {
    const refuse = (...seqs: bigint[]) =>
      refuseGaps(prepareWrite({ head: 1, append: seqs.map((seq) => entry(seq)) }), 6n)
    expect(() => refuse()).not.toThrow()
    expect(() => refuse(7n, 8n)).not.toThrow()
    for (const seqs of [[6n], [8n], [7n, 7n], [7n, 9n]]) {
      expect(() => refuse(...seqs)).toThrow(`entry ${seqs.at(-1)} stands where`)
    }
  })
})
