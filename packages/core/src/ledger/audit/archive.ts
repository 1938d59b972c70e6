import { isPast, type JournalBase } from '../journal-base.ts'
import type { StoredEntry, Value } from '../storage.ts'
import { encodeValue } from '../value-text.ts'
import { type FoldValue, valueOfFold } from './fold-value.ts'
import { createReplay, type Replay, type ReplayOptions, replayEntry } from './replay.ts'

/** An entry as it was exported: `text` is what was hashed. */
export type ArchivedEntry = StoredEntry

/** Entries that were exported before they were trimmed. */
export interface JournalArchive {
  /** The entries of an account, from the first on. Some may come twice, as an export may hand them over twice. */
  entries(accountId: string): AsyncIterable<ArchivedEntry>
}

/**
 * Replays what an archive has of a journal up to its base, and proves that it adds up to it: then the chain is proved from the
 * first entry on. Where the archive has less, that is found, and the replay goes on from the base.
 */
export async function replayArchive(
  archive: JournalArchive,
  accountId: string,
  options: ReplayOptions & { readonly base: JournalBase },
): Promise<{ readonly replay: Replay; readonly isProved: boolean }> {
  const { base, findings } = options
  const replay = createReplay(options, true)
  const before = findings.count
  for await (const entry of archive.entries(accountId)) {
    if (entry.seq <= replay.last.seq) continue
    // What comes behind the base is read from the store.
    if (entry.seq > base.seq) break
    replayEntry(replay, entry)
  }
  const { seq } = replay.last
  if (seq < base.seq) {
    const message = `The archive lacks entries ${seq + 1n} to ${base.seq}, which were trimmed.`
    findings.add({ kind: 'missing-entry', seq: seq + 1n, message })
  } else if (!replay.chain.endsWith(base.chain) || !isSumOf(base, replay)) {
    const message = `The base of the journal is not what its archive adds up to at entry ${seq}.`
    findings.add({ kind: 'wrong-base', seq, message })
  }
  if (findings.count === before) return { replay, isProved: true }
  // A mark that the archive has is compared already.
  const since = options.since !== undefined && options.since.seq > seq ? options.since : undefined
  return { replay: createReplay({ ...options, since }), isProved: false }
}

/** Whether a base has the sums of a fold, and every source of it that may still be needed. */
function isSumOf({ fold: kept }: JournalBase, { fold }: Replay): boolean {
  if (sumsOf(kept) !== sumsOf(valueOfFold(fold))) return false
  const texts = new Set(kept.sources.map(encodeValue))
  const missing = [...fold.sources.values()].filter(
    (source) => !texts.delete(encodeValue(source as unknown as Value)),
  )
  return texts.size === 0 && missing.every((source) => isPast(source, fold))
}

function sumsOf(value: FoldValue): string {
  return encodeValue({ ...value, sources: [] })
}
