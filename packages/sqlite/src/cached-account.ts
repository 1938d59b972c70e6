import type { Value } from '@farebox/core'
import type { OpenRecords } from '@farebox/core/batching'

/** What the store knows of an account without asking. Valid for one state of the database. */
export interface CachedAccount {
  readonly head: Value | null
  readonly headChars: number
  readonly version: bigint
  readonly lastSeq: bigint
  /** Nothing is due before this. May be too early, never too late. */
  readonly quietUntil: number
  readonly open: OpenRecords
}

/** Recently used accounts, so that a head is decoded once and not for every call. */
export interface AccountCache {
  get(accountId: string): CachedAccount | undefined
  set(accountId: string, account: CachedAccount): void
  clear(): void
}

/** Holds accounts of about `charsMax` characters of text in all; the least recently used go first. */
export function accountCache(charsMax: number): AccountCache {
  const accounts = new Map<string, { readonly account: CachedAccount; readonly chars: number }>()
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
      for (const oldest of accounts.keys()) {
        if (charsHeld <= charsMax) break
        forget(oldest)
      }
    },
    clear() {
      accounts.clear()
      charsHeld = 0
    },
  }
}

/** An account costs something besides its text. */
const accountChars = 256
