import { decodeValue, type Put, type StoredEntry } from '@farebox/core'
import type { AccountChanges } from './accounts.ts'
import type { Position } from './position.ts'

/** One write of an account, whole: put back where it was, it makes the same state again. */
export interface RememberedWrite {
  readonly accountId: string
  readonly from: Position
  readonly to: Position
  readonly headText: string
  readonly lastSeq: bigint
  readonly puts: AccountChanges['puts']
  readonly entries: readonly StoredEntry[]
}

/** The last writes that this process made, in case the server forgets them. */
export interface WriteMemory {
  add(write: RememberedWrite): void
  /** It was answered. Others may have been applied or not. */
  confirm(accountId: string, mark: string): void
  /** It surely was not applied. */
  forget(accountId: string, mark: string): void
  /** The writes of an account that are remembered and were applied, as far as anyone knows, oldest first. */
  of(accountId: string): readonly RememberedWrite[]
  /** The writes that lead on from a mark, in their order. */
  after(accountId: string, mark: string): readonly RememberedWrite[]
}

/** A record without its value, which its text tells again: values are many small objects, and would be kept for long. */
interface KeptPut {
  readonly key: string
  readonly mode: Put['mode']
  readonly dueAt: number | undefined
  readonly keepUntil: number | undefined
  readonly text: string
}

type KeptWrite = Omit<RememberedWrite, 'puts'> & { readonly puts: readonly KeptPut[] }

interface Kept {
  /** `undefined` once it was dropped: its place stays for a while. */
  write: KeptWrite | undefined
  readonly chars: number
  isConfirmed: boolean
}

/** So many places of dropped writes are kept at least: a list that is cut at every write is copied at every write. */
const emptyMax = 1024

/** Keeps writes of about `charsMax` characters in all, the newest. */
export function writeMemory(charsMax: number): WriteMemory {
  /** By the mark a write leads to, which no other write has. */
  const byMark = new Map<string, Kept>()
  // Not the map's own order: to find its first member, a map goes through all that were deleted before it.
  let queue: Kept[] = []
  let oldest = 0
  let charsHeld = 0

  function drop(kept: Kept): void {
    if (kept.write === undefined) return
    byMark.delete(kept.write.to.mark)
    charsHeld -= kept.chars
    kept.write = undefined
  }

  function makeRoom(): void {
    for (; charsHeld > charsMax && oldest < queue.length; oldest += 1) drop(queue[oldest] as Kept)
    if (queue.length <= 2 * byMark.size + emptyMax) return
    queue = queue.filter(({ write }) => write !== undefined)
    oldest = 0
  }

  function find(accountId: string, mark: string): Kept | undefined {
    const kept = byMark.get(mark)
    return kept?.write?.accountId === accountId ? kept : undefined
  }

  function of(accountId: string): RememberedWrite[] {
    const writes: KeptWrite[] = []
    const known = new Set<string>()
    for (const { write, isConfirmed } of queue) {
      if (write?.accountId !== accountId) continue
      writes.push(write)
      if (isConfirmed) known.add(write.to.mark)
    }
    // What a confirmed write stands on was applied, too.
    for (const { from, to } of writes.toReversed()) if (known.has(to.mark)) known.add(from.mark)
    return writes.filter(({ to }) => known.has(to.mark)).map(whole)
  }

  return {
    add(write) {
      const known = byMark.get(write.to.mark)
      if (known !== undefined) drop(known)
      const kept = { write: keep(write), chars: charsOf(write), isConfirmed: false }
      byMark.set(write.to.mark, kept)
      queue.push(kept)
      charsHeld += kept.chars
      makeRoom()
    },
    confirm(accountId, mark) {
      const kept = find(accountId, mark)
      if (kept !== undefined) kept.isConfirmed = true
    },
    forget(accountId, mark) {
      const kept = find(accountId, mark)
      if (kept !== undefined) drop(kept)
    },
    of,
    after(accountId, mark) {
      const next = new Map(of(accountId).map((write) => [write.from.mark, write]))
      const path: RememberedWrite[] = []
      for (let write = next.get(mark); write !== undefined; write = next.get(write.to.mark)) path.push(write)
      return path
    },
  }
}

function keep({ accountId, from, to, headText, lastSeq, puts, entries }: RememberedWrite): KeptWrite {
  const kept = puts.map(({ put: { key, mode, dueAt, keepUntil }, text }) => ({
    key,
    mode,
    dueAt,
    keepUntil,
    text,
  }))
  return { accountId, from, to, headText, lastSeq, puts: kept, entries }
}

function whole({ puts, ...write }: KeptWrite): RememberedWrite {
  return {
    ...write,
    puts: puts.map(({ key, mode, dueAt, keepUntil, text }) => ({
      put: {
        key,
        value: decodeValue(text),
        mode,
        ...(dueAt !== undefined && { dueAt }),
        ...(keepUntil !== undefined && { keepUntil }),
      },
      text,
    })),
  }
}

function charsOf({ headText, puts, entries }: RememberedWrite): number {
  let chars = 256 + headText.length
  for (const { put, text } of puts) chars += put.key.length + text.length
  for (const { text, hash } of entries) chars += text.length + hash.length
  return chars
}
