import type { Key, Value } from '../storage.ts'

/** What the store knows of an account without asking. True as long as the account is at `position`. */
export interface CachedAccount<Position> {
  readonly head: Value | null
  readonly headChars: number
  readonly version: bigint
  readonly position: Position
  readonly lastSeq: bigint
  /** Nothing is due before this. May be too early, never too late. */
  readonly quietUntil: number
  readonly open: OpenRecords
  /** Records written since expired ones were last deleted. */
  readonly unpurged: number
}

/** What of an account takes its place in memory. */
interface Sized {
  readonly headChars: number
  readonly open: OpenRecords
}

/** Recently used accounts: a write to one of them needs no reading before it. */
export interface AccountCache<Account extends Sized> {
  get(accountId: string): Account | undefined
  set(accountId: string, account: Account): void
  delete(accountId: string): void
  clear(): void
}

/** Holds accounts of about `charsMax` characters of text in all; the least recently used go first. */
export function accountCache<Account extends Sized>(charsMax: number): AccountCache<Account> {
  const accounts = new Map<string, { readonly account: Account; readonly chars: number }>()
  let charsHeld = 0

  function forget(accountId: string): void {
    charsHeld -= accounts.get(accountId)?.chars ?? 0
    accounts.delete(accountId)
  }

  return {
    get: (accountId) => accounts.get(accountId)?.account,
    set(accountId, account) {
      forget(accountId)
      const chars = accountChars + account.headChars + account.open.chars()
      accounts.set(accountId, { account, chars })
      charsHeld += chars
      // Not only in the loop: to find its first member, a map goes through all that were deleted before it.
      if (charsHeld <= charsMax) return
      for (const oldest of accounts.keys()) {
        if (charsHeld <= charsMax) break
        forget(oldest)
      }
    },
    delete: forget,
    clear() {
      accounts.clear()
      charsHeld = 0
    },
  }
}

/** An account costs something besides its text. */
const accountChars = 256
const openMax = 4096

/**
 * Some of an account's records that wait for something, such as holds. They are asked for again soon, so keeping them
 * saves reading what was just written.
 */
export interface OpenRecords {
  get(key: Key): Value | undefined
  set(key: Key, value: Value, chars: number): void
  delete(key: Key): void
  chars(): number
}

export function openRecords(): OpenRecords {
  const records = new Map<Key, { readonly value: Value; readonly chars: number }>()
  let charsHeld = 0

  function forget(key: Key): void {
    const record = records.get(key)
    if (record === undefined) return
    charsHeld -= record.chars
    records.delete(key)
  }

  return {
    get: (key) => records.get(key)?.value,
    set(key, value, chars) {
      forget(key)
      records.set(key, { value, chars })
      charsHeld += chars
      if (records.size <= openMax) return
      for (const oldest of records.keys()) {
        if (records.size <= openMax) break
        forget(oldest)
      }
    },
    delete: forget,
    chars: () => charsHeld,
  }
}
