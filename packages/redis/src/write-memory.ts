import type { StoredEntry } from '@farebox/core'
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

interface Kept {
  readonly write: RememberedWrite
  readonly chars: number
  isConfirmed: boolean
}

/** Keeps writes of about `charsMax` characters in all, the newest. */
export function writeMemory(charsMax: number): WriteMemory {
  /** By account, and there by the mark a write leads to. */
  const accounts = new Map<string, Map<string, Kept>>()
  const inOrder = new Set<Kept>()
  let charsHeld = 0

  function drop(kept: Kept): void {
    const { accountId, to } = kept.write
    if (!inOrder.delete(kept)) return
    charsHeld -= kept.chars
    const writes = accounts.get(accountId)
    writes?.delete(to.mark)
    if (writes?.size === 0) accounts.delete(accountId)
  }

  function find(accountId: string, mark: string): Kept | undefined {
    return accounts.get(accountId)?.get(mark)
  }

  function of(accountId: string): RememberedWrite[] {
    const writes = [...(accounts.get(accountId)?.values() ?? [])]
    const known = new Set(writes.filter(({ isConfirmed }) => isConfirmed).map(({ write }) => write.to.mark))
    // What a confirmed write stands on was applied, too.
    for (const { write } of writes.toReversed()) if (known.has(write.to.mark)) known.add(write.from.mark)
    return writes.filter(({ write }) => known.has(write.to.mark)).map(({ write }) => write)
  }

  return {
    add(write) {
      const known = find(write.accountId, write.to.mark)
      if (known !== undefined) drop(known)
      const kept = { write, chars: charsOf(write), isConfirmed: false }
      const writes = accounts.get(write.accountId)
      if (writes === undefined) accounts.set(write.accountId, new Map([[write.to.mark, kept]]))
      else writes.set(write.to.mark, kept)
      inOrder.add(kept)
      charsHeld += kept.chars
      for (const oldest of inOrder) {
        if (charsHeld <= charsMax) break
        drop(oldest)
      }
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

function charsOf({ headText, puts, entries }: RememberedWrite): number {
  let chars = 256 + headText.length
  for (const { put, text } of puts) chars += put.key.length + text.length
  for (const { text, hash } of entries) chars += text.length + hash.length
  return chars
}
