import type { AccountPage } from '@farebox/core'
import type { Accounts } from './accounts.ts'
import type { Commands } from './commands.ts'
import type { IndexReader } from './index-reader.ts'
import type { BucketKeys, KeyNames } from './key-names.ts'
import { forgetWaiting, noteAccount } from './scripts.ts'

/**
 * Which accounts there are, and which have records that wait for a time, by id. In a cluster it is on other nodes than the
 * accounts, so it is written before them: it may name too many accounts, which are left out when they are looked at.
 */
export interface AccountIndex {
  /** Before a write of the account. `undefined` when it is surely noted already. */
  note(accountId: string, isWaiting: boolean): Promise<unknown> | undefined
  /** After a server has forgotten something: the index may have, too, so every account is noted again. */
  forgetNotes(): void
  all(cursor: string | null, limit: number): Promise<AccountPage>
  due(dueBy: number, cursor: string | null, limit: number): Promise<AccountPage>
}

export interface AccountIndexOptions {
  readonly names: KeyNames
  readonly commands: Commands
  readonly accounts: Accounts
  readonly reader: IndexReader
}

/** A process notes an account again after this, also because the index may have forgotten it; nobody waits for it then. */
const noteEveryMs = 5 * 60_000
/** So old a note is not relied upon any more. */
const noteAgesMs = 9 * 60_000
/**
 * An account with nothing waiting stays in the index for so long after it was noted: longer than any process relies on its
 * note, with the write that follows and the clocks of two nodes apart.
 */
const forgetAfterMs = 15 * 60_000
const notedMax = 100_000
/** How many accounts are looked at for one page. */
const lookedAtMax = 1000

export function accountIndex({ names, commands, accounts, reader }: AccountIndexOptions): AccountIndex {
  const noted = new Map<string, { readonly atMs: number; readonly isWaiting: boolean }>()
  const renewing = new Set<string>()

  async function write(accountId: string, isWaiting: boolean): Promise<void> {
    const atMs = performance.now()
    const { accounts: all, waiting, noted: times } = names.bucketOf(accountId)
    await commands.write(noteAccount, [all, waiting, times], [accountId, isWaiting ? '1' : '0'])
    noted.delete(accountId)
    noted.set(accountId, { atMs, isWaiting })
    if (noted.size <= notedMax) return
    for (const oldest of noted.keys()) {
      noted.delete(oldest)
      break
    }
  }

  async function page(
    from: keyof Pick<BucketKeys, 'accounts' | 'waiting'>,
    { cursor, limit }: { readonly cursor: string | null; readonly limit: number },
    isWanted: (accountId: string) => Promise<boolean>,
  ): Promise<AccountPage> {
    const most = Math.min(Math.max(1, Math.trunc(limit)), lookedAtMax)
    const accountIds = await reader.after(from, { cursor, prefix: '', limit: most })
    const wanted = await Promise.all(accountIds.map(isWanted))
    return {
      accountIds: accountIds.filter((_, index) => wanted[index]),
      cursor: accountIds.length < most ? null : (accountIds.at(-1) ?? null),
    }
  }

  /** Once nothing waits and nobody relies on the note any more, it is not looked at again. */
  async function forget(accountId: string): Promise<void> {
    const { waiting, noted: times } = names.bucketOf(accountId)
    await commands.write(forgetWaiting, [waiting, times], [accountId, String(forgetAfterMs)])
  }

  return {
    note(accountId, isWaiting) {
      const last = noted.get(accountId)
      const ageMs = last === undefined ? Number.POSITIVE_INFINITY : performance.now() - last.atMs
      const isEnough = last !== undefined && (last.isWaiting || !isWaiting)
      if (!isEnough || ageMs > noteAgesMs) return write(accountId, isWaiting || last?.isWaiting === true)
      // The node of the index may be down for a while without keeping anybody from the accounts on the others.
      if (ageMs > noteEveryMs && !renewing.has(accountId)) {
        renewing.add(accountId)
        write(accountId, last.isWaiting)
          .catch(() => {})
          .finally(() => renewing.delete(accountId))
      }
      return undefined
    },
    forgetNotes: () => noted.clear(),
    all: (cursor, limit) => page('accounts', { cursor, limit }, (accountId) => accounts.exists(accountId)),
    due: (dueBy, cursor, limit) =>
      page('waiting', { cursor, limit }, async (accountId) => {
        const firstDue = await accounts.firstDue(accountId)
        if (firstDue === undefined) await forget(accountId)
        return firstDue !== undefined && firstDue <= dueBy
      }),
  }
}
