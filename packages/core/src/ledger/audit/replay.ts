import { emptyChain, type JournalEntry } from '../entry.ts'
import { type JournalBase, tellsOf } from '../journal-base.ts'
import { createOpIdSet, type OpIdSet } from '../op-id-set.ts'
import type { StoredEntry } from '../storage.ts'
import { type ChainMark, createChainCheck } from './chain.ts'
import { decodeEntry, unreadable } from './entry.ts'
import { emptyFold, type Fold, foldEntry } from './fold.ts'
import { foldOfValue } from './fold-value.ts'
import type { PriceCheck } from './prices.ts'
import type { Findings } from './report.ts'

/** A journal while it is replayed, entry by entry. */
export interface Replay {
  readonly chain: ReturnType<typeof createChainCheck>
  readonly fold: Fold
  readonly prices: PriceCheck
  readonly opIds: OpIdSet
  /** Operations that seem to be there twice, with the later entry. */
  readonly suspects: Map<string, bigint>
  readonly findings: Findings
  /** What the journal begins with, for the entry that tells of it. */
  readonly base: JournalBase | undefined
  /** The last entry, or the one before the first. */
  last: ChainMark
}

export interface ReplayOptions {
  readonly prices: PriceCheck
  readonly findings: Findings
  readonly since: ChainMark | undefined
  readonly base: JournalBase | undefined
}

/** Begins behind the base, with what it adds up to; without one, and with `isWhole`, at the first entry. */
export function createReplay({ since, base, ...rest }: ReplayOptions, isWhole = false): Replay {
  const from = isWhole ? undefined : base
  const start = from ?? { seq: 0n, chain: emptyChain }
  return {
    ...rest,
    base,
    chain: createChainCheck(rest.findings, since, start),
    fold: from === undefined ? emptyFold() : foldOfValue(from.fold),
    opIds: createOpIdSet(),
    suspects: new Map(),
    last: start,
  }
}

/** At most this many operations that seem to be there twice are looked at again. */
const suspectsMax = 1000

export function replayEntry(replay: Replay, stored: StoredEntry): void {
  const { chain, fold, prices, opIds, suspects, findings } = replay
  replay.last = { seq: stored.seq, chain: stored.hash }
  if (!chain.follow(stored)) return
  const entry = decodeEntry(stored)
  if (entry === undefined) {
    findings.add(unreadable(stored.seq))
    return
  }
  if (opIds.add(entry.opId) && suspects.size < suspectsMax) suspects.set(entry.opId, entry.seq)
  foldEntry(fold, entry, findings)
  prices.check(entry)
  compareBase(replay, entry)
}

/** The newest entry of its kind tells of the base there is; what older ones told of was folded into it. */
function compareBase({ base, findings }: Replay, entry: JournalEntry): void {
  const { seq, kind } = entry
  const toldBy = base?.toldBy ?? 0n
  if (seq > toldBy && kind === 'trimmed') {
    const message = `Entry ${seq} tells that the journal was trimmed, and its base is not there.`
    findings.add({ kind: 'wrong-base', seq, message })
  }
  if (seq === toldBy && base !== undefined && !tellsOf(base, entry)) {
    const message = `The base of the journal is not the one that entry ${seq} tells of.`
    findings.add({ kind: 'wrong-base', seq, message })
  }
}
