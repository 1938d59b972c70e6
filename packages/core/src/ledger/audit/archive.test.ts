import { describe, expect, it } from 'vitest'
import { nano } from '../../money.ts'
import type { Source } from '../account.ts'
import { chainEntry, type Entry, emptyChain } from '../entry.ts'
import type { JournalBase } from '../journal-base.ts'
import type { StoredEntry } from '../storage.ts'
import { replayArchive } from './archive.ts'
import type { ChainMark } from './chain.ts'
import { type FoldValue, valueOfFold } from './fold-value.ts'
import { createPriceCheck } from './prices.ts'
import { createReplay, type ReplayOptions, replayEntry } from './replay.ts'
import { createFindings } from './report.ts'

const dayMs = 24 * 3_600_000

/** Two grants, of which `old` is used up long before the last entry. */
const entries: readonly Entry[] = [
  issued('old', 0, 5n),
  issued('new', 0, 7n),
  {
    ...at(0),
    kind: 'voided',
    opId: 'void:old',
    postings: [{ source: 'grant:old', from: 'available', to: 'voided', amount: nano(5n) }],
  },
  { ...at(500), kind: 'configured', opId: 'configure:1', postings: [], terms: { planId: 'free', seats: 2 } },
]
const journal = journalOf(entries)

function at(day: number) {
  return { recordedAtMs: day * dayMs, effectiveAtMs: day * dayMs }
}

function issued(grantId: string, day: number, amount: bigint): Entry {
  return {
    ...at(day),
    kind: 'granted',
    opId: `grant:${grantId}`,
    postings: [{ source: `grant:${grantId}`, from: 'issued', to: 'available', amount: nano(amount) }],
    terms: { kind: 'purchased' },
  }
}

function journalOf(texts: readonly Entry[]): readonly StoredEntry[] {
  let previous = { seq: 0n, chain: emptyChain }
  return texts.map((entry) => {
    const stored = chainEntry(entry, previous)
    previous = { seq: stored.seq, chain: stored.hash }
    return stored
  })
}

function optionsOf(change: Partial<ReplayOptions> = {}): ReplayOptions {
  const findings = createFindings('alice', 100)
  const prices = createPriceCheck(() => undefined, findings, 1)
  return { findings, prices, since: undefined, base: undefined, ...change }
}

/** The base that the journal adds up to at its end, with the sources that are named. */
function baseOf(names: readonly Source[] = ['grant:old', 'grant:new'], change: Partial<FoldValue> = {}) {
  const replay = createReplay(optionsOf())
  for (const entry of journal) replayEntry(replay, entry)
  const fold = { ...valueOfFold(replay.fold, ({ source }) => names.includes(source)), ...change }
  return { ...replay.last, toldBy: 5n, fold } as JournalBase
}

async function replayed(kept: readonly StoredEntry[], base: JournalBase, since?: ChainMark) {
  const options = optionsOf({ base, since })
  const archive = {
    async *entries() {
      yield* kept
    },
  }
  const { replay, isProved } = await replayArchive(archive, 'alice', { ...options, base })
  const found = options.findings.list.map(({ kind, seq }) => [kind, seq])
  return { replay, isProved, found, messages: options.findings.list.map(({ message }) => message) }
}

describe('an archive of what was trimmed', () => {
  it('proves the base that it adds up to, and is replayed no further', async () => {
    const { replay, isProved, found } = await replayed(journalOf([...entries, ...entries]), baseOf())
    expect({ isProved, found }).toEqual({ isProved: true, found: [] })
    expect(replay.last).toEqual({ seq: 4n, chain: journal[3]?.hash })
    expect(replay.fold.entries).toEqual({ granted: 2, voided: 1, configured: 1 })
  })

  it('proves a base without a grant that nothing can move any more, and none without another', async () => {
    expect(await replayed(journal, baseOf(['grant:new']))).toMatchObject({ isProved: true, found: [] })
    expect(await replayed(journal, baseOf(['grant:old']))).toMatchObject({
      isProved: false,
      found: [['wrong-base', 4n]],
    })
  })

  it('proves no base with another sum, with a source that it does not have, or with another hash', async () => {
    const added = { ...(baseOf().fold.sources[0] as object), source: 'grant:third' }
    const bases: readonly JournalBase[] = [
      baseOf(undefined, { charged: 1n }),
      baseOf(undefined, { sources: [...baseOf().fold.sources, added] }),
      baseOf(undefined, {
        sources: baseOf().fold.sources.map((source) => ({ ...(source as object), movedAtMs: 1 })),
      }),
      { ...baseOf(), chain: 'other' },
    ]
    for (const base of bases) {
      const { isProved, found, messages } = await replayed(journal, base)
      expect({ isProved, found }).toEqual({ isProved: false, found: [['wrong-base', 4n]] })
      expect(messages).toEqual(['The base of the journal is not what its archive adds up to at entry 4.'])
    }
  })

  it('says which entries it lacks, and the replay goes on from the base', async () => {
    const base = baseOf()
    const { replay, isProved, found, messages } = await replayed(journal.slice(0, 2), base)
    expect({ isProved, found }).toEqual({ isProved: false, found: [['missing-entry', 3n]] })
    expect(messages).toEqual(['The archive lacks entries 3 to 4, which were trimmed.'])
    expect(replay.last.seq).toBe(4n)
    expect(replay.fold.entries).toEqual({ granted: 2, voided: 1, configured: 1 })
  })

  it('proves nothing where its last entry was changed, which no later one of it tells', async () => {
    const changed = journal.map((entry) =>
      entry.seq === 4n ? { ...entry, text: entry.text.replace('"configure:1"', '"configure:2"') } : entry,
    )
    const { isProved, found, messages } = await replayed(changed, baseOf())
    expect({ isProved, found }).toEqual({ isProved: false, found: [['broken-chain', 4n]] })
    expect(messages).toEqual([expect.stringContaining('The text of entry 4 was changed')])
  })

  it('leaves a mark that it does not have to what is behind it, whether it proves the base or not', async () => {
    const next = chainEntry(entries[3] as Entry, baseOf())
    for (const kept of [journal, []]) {
      const { replay } = await replayed(kept, baseOf(), { seq: 5n, chain: 'other' })
      replayEntry(replay, next)
      expect(replay.findings.list.map(({ kind, seq }) => [kind, seq])).toContainEqual([
        'rewritten-journal',
        5n,
      ])
    }
    const found = async (kept: readonly StoredEntry[], since: ChainMark) =>
      (await replayed(kept, baseOf(), since)).found
    const mark = { seq: 2n, chain: 'other' }
    expect(await found(journal, mark)).toEqual([['rewritten-journal', 2n]])
    expect(await found(journal.slice(0, 2), mark)).toEqual([
      ['rewritten-journal', 2n],
      ['missing-entry', 3n],
    ])
    expect(await found(journal.slice(0, 1), mark)).toEqual([
      ['missing-entry', 2n],
      ['unproved-mark', 2n],
    ])
    expect(await found([], { seq: 4n, chain: 'other' })).toEqual([
      ['missing-entry', 1n],
      ['rewritten-journal', 4n],
    ])
  })
})
