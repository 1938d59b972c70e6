import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { nano } from '../money.ts'
import { chainEntry, chainHash, type Entry, emptyChain, readEntry } from './entry.ts'

const entry: Entry = {
  kind: 'settled',
  opId: 'settle:r1',
  recordedAtMs: 2,
  effectiveAtMs: 1,
  requestId: 'r1',
  postings: [{ source: 'grant:g1', from: 'available', to: 'settled', amount: nano(5n) }],
}

describe('the journal’s chain', () => {
  it('hashes the previous hash, the number and the text, the way anyone can check', () => {
    const hash = createHash('sha256').update('abc\n2\n{"kind":"x"}').digest('hex')
    expect(chainHash('abc', 2n, '{"kind":"x"}')).toBe(hash)
  })

  it('gives another hash for another text, number or past', () => {
    const hashes = [
      chainHash('', 1n, 'text'),
      chainHash('a', 1n, 'text'),
      chainHash('', 2n, 'text'),
      chainHash('', 1n, 'texts'),
      chainHash('1', 1n, 'text'),
    ]
    expect(new Set(hashes).size).toBe(5)
  })

  it('writes an entry as the line after the last', () => {
    const stored = chainEntry(entry, { seq: 6n, chain: 'abc' })
    expect(stored.seq).toBe(7n)
    expect(stored.hash).toBe(chainHash('abc', 7n, stored.text))
    expect(readEntry(stored)).toEqual({ ...entry, seq: 7n, hash: stored.hash })
  })

  it('starts the chain with nothing', () => {
    const stored = chainEntry(entry, { seq: 0n, chain: emptyChain })
    expect(stored.hash).toBe(chainHash('', 1n, stored.text))
  })
})
