import { describe, expect, it } from 'vitest'
import { chainHash, emptyChain } from '../entry.ts'
import type { StoredEntry } from '../storage.ts'
import { type ChainMark, createChainCheck } from './chain.ts'
import { createFindings } from './report.ts'

/** Six entries as they were written. */
const written = chainOf(['a', 'b', 'c', 'd', 'e', 'f'])
const end: ChainMark = { seq: 6n, chain: written[5]?.hash ?? '' }

function chainOf(texts: readonly string[]): readonly StoredEntry[] {
  let previous = emptyChain
  return texts.map((text, index) => {
    const seq = BigInt(index + 1)
    previous = chainHash(previous, seq, text)
    return { seq, text, hash: previous }
  })
}

function follow(
  entries: readonly StoredEntry[],
  { head = end, since }: { head?: ChainMark; since?: ChainMark } = {},
) {
  const findings = createFindings('alice', 100)
  const chain = createChainCheck(findings, since)
  for (const entry of entries) chain.follow(entry)
  chain.end(head)
  return findings.list.map(({ kind, seq, message }) => ({ kind, seq, message }))
}

const at = (seq: number, change: Partial<StoredEntry>) =>
  written.map((entry) => (entry.seq === BigInt(seq) ? { ...entry, ...change } : entry))

const without = (...seqs: readonly number[]) => written.filter(({ seq }) => !seqs.includes(Number(seq)))

describe('the check of a chain', () => {
  it('finds nothing in a chain as it was written, nor in an empty one', () => {
    expect(follow(written)).toEqual([])
    expect(follow([], { head: { seq: 0n, chain: emptyChain } })).toEqual([])
  })

  it.each([1, 3, 6])('names a text that was changed, in entry %s', (seq) => {
    expect(follow(at(seq, { text: 'forged' }))).toMatchObject([
      {
        kind: 'broken-chain',
        seq: BigInt(seq),
        message: expect.stringMatching(`^The text of entry ${seq} was`),
      },
    ])
  })

  it.each([1, 3, 6])('names a hash that was changed, in entry %s', (seq) => {
    expect(follow(at(seq, { hash: 'f'.repeat(64) }))).toMatchObject([
      {
        kind: 'broken-chain',
        seq: BigInt(seq),
        message: expect.stringMatching(`^The hash of entry ${seq} was`),
      },
    ])
  })

  it('names an entry whose hash was written anew after its text was changed, because the next one does not follow', () => {
    const forged = at(3, { text: 'forged', hash: chainHash(written[1]?.hash ?? '', 3n, 'forged') })
    expect(follow(forged)).toMatchObject([{ kind: 'broken-chain', seq: 4n }])
  })

  it('names two changed texts apart when an entry between them is intact, and together when none is', () => {
    const apart = at(2, { text: 'x' }).map((entry) => (entry.seq === 5n ? { ...entry, text: 'y' } : entry))
    expect(follow(apart)).toMatchObject([{ seq: 2n }, { seq: 5n }])
    const together = at(2, { text: 'x' }).map((entry) => (entry.seq === 3n ? { ...entry, text: 'y' } : entry))
    expect(follow(together)).toMatchObject([{ seq: 2n, message: expect.stringContaining('Entries 2 to 3') }])
  })

  it('names a changed text and a changed hash behind it together, and not the entry that follows from them', () => {
    const forged = at(2, { text: 'x' }).map((entry) =>
      entry.seq === 3n ? { ...entry, hash: 'f'.repeat(64) } : entry,
    )
    expect(follow(forged)).toMatchObject([{ seq: 2n, message: expect.stringContaining('Entries 2 to 3') }])
  })

  it('names an entry that neither the next one nor the head goes on from, and the head not besides', () => {
    const forged = at(6, { text: 'x', hash: 'f'.repeat(64) })
    expect(follow(forged)).toMatchObject([
      { kind: 'broken-chain', seq: 6n, message: expect.stringContaining('its text or its hash was changed') },
    ])
    const before = at(5, { text: 'x' }).filter(({ seq }) => seq !== 6n)
    expect(follow(before)).toMatchObject([
      { kind: 'missing-entry', seq: 6n },
      { kind: 'broken-chain', seq: 5n, message: expect.stringContaining('its text or its hash was changed') },
    ])
  })

  it('leaves out an entry that comes twice, and goes on with the one behind it', () => {
    const findings = createFindings('alice', 100)
    const chain = createChainCheck(findings)
    const [first, second] = written as [StoredEntry, StoredEntry]
    expect([first, second, second, first].map((entry) => chain.follow(entry))).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(chain.seq).toBe(2n)
    expect(findings.list.map(({ kind, seq }) => [kind, seq])).toEqual([
      ['misplaced-entry', 2n],
      ['misplaced-entry', 1n],
    ])
    expect(chain.follow(written[2] as StoredEntry)).toBe(true)
    expect(findings.count).toBe(2)
  })

  it('proves what stands behind a gap by the first entry there, and that one by nothing', () => {
    const forged = at(4, { text: 'x' }).filter(({ seq }) => seq !== 3n)
    expect(follow(forged)).toMatchObject([{ kind: 'missing-entry', seq: 3n }])
    const later = at(5, { text: 'x' }).filter(({ seq }) => seq !== 3n)
    expect(follow(later)).toMatchObject([
      { kind: 'missing-entry', seq: 3n },
      { kind: 'broken-chain', seq: 5n },
    ])
  })

  it('names two entries that changed places', () => {
    const [a, b, c, d, e, f] = written as [
      StoredEntry,
      StoredEntry,
      StoredEntry,
      StoredEntry,
      StoredEntry,
      StoredEntry,
    ]
    const swapped = [a, { ...c, seq: 2n }, { ...b, seq: 3n }, d, e, f]
    expect(follow(swapped)).toMatchObject([
      { kind: 'broken-chain', seq: 2n, message: expect.stringContaining('Entries 2 to 4') },
    ])
  })

  it('names an entry that comes after a later one', () => {
    expect(follow([...written, ...at(3, {}).slice(2, 3)])).toMatchObject([
      { kind: 'misplaced-entry', seq: 3n },
    ])
  })

  it('names entries that are missing, at the start, in the middle and at the end', () => {
    expect(follow(without(1))).toMatchObject([
      { kind: 'missing-entry', seq: 1n, message: 'Entry 1 is missing.' },
    ])
    expect(follow(without(3, 4))).toMatchObject([
      { kind: 'missing-entry', seq: 3n, message: 'Entries 3 to 4 are missing.' },
    ])
    expect(follow(without(6))).toMatchObject([{ kind: 'missing-entry', seq: 6n }])
    expect(follow([])).toMatchObject([
      { kind: 'missing-entry', seq: 1n, message: 'Entries 1 to 6 are missing.' },
    ])
  })

  it('names both an entry that is missing and one before it that was changed', () => {
    const forged = at(2, { text: 'x' }).filter(({ seq }) => seq !== 3n)
    expect(follow(forged)).toMatchObject([
      { kind: 'broken-chain', seq: 2n },
      { kind: 'missing-entry', seq: 3n },
    ])
  })

  it('names an entry that was inserted, with all that moved behind it', () => {
    const inserted = [
      ...written.slice(0, 2),
      { seq: 3n, text: 'forged', hash: chainHash(written[1]?.hash ?? '', 3n, 'forged') },
      ...written.slice(2).map((entry) => ({ ...entry, seq: entry.seq + 1n })),
    ]
    expect(follow(inserted, { head: { seq: 7n, chain: end.chain } })).toMatchObject([
      { kind: 'broken-chain', seq: 4n, message: expect.stringContaining('Entries 4 to 7') },
    ])
  })

  it('names a head whose chain ends in another hash', () => {
    expect(follow(written, { head: { seq: 6n, chain: 'f'.repeat(64) } })).toMatchObject([
      { kind: 'wrong-head', seq: 6n },
    ])
  })

  it('finds a whole new chain, which follows from itself, by what an earlier audit saw', () => {
    const rewritten = chainOf(['a', 'b', 'forged', 'd', 'e', 'f'])
    const head = { seq: 6n, chain: rewritten[5]?.hash ?? '' }
    expect(follow(rewritten, { head })).toEqual([])

    const since = { seq: 4n, chain: written[3]?.hash ?? '' }
    expect(follow(rewritten, { head, since })).toMatchObject([{ kind: 'rewritten-journal', seq: 4n }])
    expect(follow(written, { since })).toEqual([])
    expect(follow(written, { since: end })).toEqual([])
  })

  it('finds a journal that is gone together with its head', () => {
    const findings = createFindings('alice', 100)
    createChainCheck(findings, end).end(undefined)
    expect(findings.list).toMatchObject([{ kind: 'rewritten-journal', seq: 1n }])
  })

  it('finds a journal that is shorter than an earlier audit saw, though it follows', () => {
    const head = { seq: 3n, chain: written[2]?.hash ?? '' }
    expect(follow(written.slice(0, 3), { head, since: end })).toMatchObject([
      { kind: 'rewritten-journal', seq: 4n },
    ])
  })

  it('says whether it ends with a hash that is told elsewhere, and finds what is broken up to there', () => {
    const endsWith = (entries: readonly StoredEntry[], hash = end.chain) => {
      const findings = createFindings('alice', 100)
      const chain = createChainCheck(findings)
      for (const entry of entries) chain.follow(entry)
      return [chain.endsWith(hash), ...findings.list.map(({ message }) => message)]
    }
    expect(endsWith(written)).toEqual([true])
    expect(endsWith(written, 'other')).toEqual([false])
    expect(endsWith(at(6, { text: 'x' }))).toEqual([true, expect.stringMatching(/^The text of entry 6 was/)])
    expect(endsWith(at(6, { hash: 'x' }))).toEqual([true, expect.stringMatching(/^The hash of entry 6 was/)])
    expect(endsWith(at(6, { text: 'x', hash: 'x' }))).toEqual([
      false,
      expect.stringContaining('Entry 6 does not follow'),
    ])
  })
})
