import { chainHash, emptyChain } from '../entry.ts'
import type { StoredEntry } from '../storage.ts'
import type { Findings } from './report.ts'

/** An entry of the journal that was seen before: its number and its hash. */
export interface ChainMark {
  readonly seq: bigint
  readonly chain: string
}

/** Follows a journal entry by entry and tells where it is not the chain that was written. */
export interface ChainCheck {
  /** The last entry that was followed. */
  readonly seq: bigint
  /** Whether the entry stands after the last one; others are found and left out. */
  follow(entry: StoredEntry): boolean
  /** Whether the last entry has a hash that is told elsewhere; what is broken up to there is found. */
  endsWith(hash: string): boolean
  /** Compares the end with what the head says it is, if there is one that can be read. */
  end(head: ChainMark | undefined): void
}

/** Entries that do not follow from the ones before them, up to the last one looked at. */
interface Break {
  readonly from: bigint
  /** The hash the last of them should have by its text. */
  readonly computed: string
}

/**
 * Proves that entries are numbered without gaps and that each hash covers its text and the hash before it.
 *
 * One entry that does not match can mean two things. The next one tells them apart: it continues either the hash that is
 * stored, and then the text was changed, or the hash that the text gives, and then the hash was. `start` is the entry before
 * the first one to follow.
 */
export function createChainCheck(
  findings: Findings,
  since?: ChainMark,
  start: ChainMark = { seq: 0n, chain: emptyChain },
): ChainCheck {
  let seq = start.seq
  let chain = start.chain
  let broken: Break | undefined
  compareStart(start, since, findings)

  function tell(what: 'text' | 'hash' | 'both', through: bigint): void {
    if (broken === undefined) return
    const { from } = broken
    broken = undefined
    const message =
      through > from
        ? `Entries ${from} to ${through} do not follow from the ones before them: they were changed, reordered or inserted.`
        : what === 'text'
          ? `The text of entry ${from} was changed: it does not give the hash that the next one continues.`
          : what === 'hash'
            ? `The hash of entry ${from} was changed: its text gives the hash that the next one continues.`
            : `Entry ${from} does not follow from the one before it: its text or its hash was changed.`
    findings.add({ kind: 'broken-chain', seq: from, message })
  }

  /** Compares a hash that continues the chain, or ends it, with the two that the last entry may have. */
  function continues(matches: (previous: string) => boolean): boolean {
    const isIntact = matches(chain)
    if (broken === undefined) return isIntact
    if (isIntact) tell('text', seq)
    else if (matches(broken.computed)) tell('hash', seq)
    else return false
    return true
  }

  return {
    get seq() {
      return seq
    },
    follow(entry) {
      const expected = seq + 1n
      if (entry.seq < expected) {
        findings.add({
          kind: 'misplaced-entry',
          seq: entry.seq,
          message: `Entry ${entry.seq} comes after entry ${seq}.`,
        })
        return false
      }
      const isNext = entry.seq === expected
      if (!isNext) {
        tell('both', seq)
        findings.add({ kind: 'missing-entry', seq: expected, message: missing(expected, entry.seq - 1n) })
      }
      // Behind a gap nothing proves an entry, because what stood before is gone; the ones after it are proved by it.
      if (isNext && !continues((previous) => chainHash(previous, entry.seq, entry.text) === entry.hash)) {
        broken = { from: broken?.from ?? entry.seq, computed: chainHash(chain, entry.seq, entry.text) }
      }
      seq = entry.seq
      chain = entry.hash
      if (since?.seq === seq && since.chain !== chain) {
        findings.add({
          kind: 'rewritten-journal',
          seq,
          message: `Entry ${seq} has another hash than an earlier audit saw: it, or one before it, was rewritten.`,
        })
      }
      return true
    },
    endsWith(hash) {
      const isSo = continues((last) => last === hash)
      tell('both', seq)
      return isSo
    },
    end(head) {
      if (head !== undefined && head.seq > seq) {
        findings.add({ kind: 'missing-entry', seq: seq + 1n, message: missing(seq + 1n, head.seq) })
      } else if (head !== undefined && !continues((last) => last === head.chain)) {
        if (broken === undefined)
          findings.add({
            kind: 'wrong-head',
            seq,
            message: `The head does not have the hash of entry ${seq} as the end of its chain.`,
          })
      }
      tell('both', seq)
      if (since !== undefined && since.seq > seq) {
        findings.add({
          kind: 'rewritten-journal',
          seq: seq + 1n,
          message: `An earlier audit saw ${since.seq} entries; now there are ${seq}.`,
        })
      }
    },
  }
}

/** What an earlier audit saw is before the first entry that is left: nothing there says any more what it was. */
function compareStart(start: ChainMark, since: ChainMark | undefined, findings: Findings): void {
  if (since === undefined || since.seq > start.seq) return
  if (since.seq < start.seq) {
    findings.add({
      kind: 'unproved-mark',
      seq: since.seq,
      message: `Entry ${since.seq}, which an earlier audit saw, was trimmed with all up to ${start.seq}: only their archive can prove it.`,
    })
  } else if (since.chain !== start.chain) {
    findings.add({
      kind: 'rewritten-journal',
      seq: start.seq,
      message: `Entry ${start.seq} has another hash than an earlier audit saw: it, or one before it, was rewritten.`,
    })
  }
}

function missing(from: bigint, through: bigint): string {
  return from === through ? `Entry ${from} is missing.` : `Entries ${from} to ${through} are missing.`
}
