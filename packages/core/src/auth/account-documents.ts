import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import { GatewayError } from '../errors.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import { reach } from '../ledger/reach.ts'

/** What is kept of an account outside the ledger. Every member is absent until it is set. */
export type AccountDocument = {
  readonly disabledProviders?: readonly string[]
  readonly defaultPayer?: string
}

/** The documents of accounts, ready for requests: most are found without waiting. */
export interface AccountDocuments {
  /** What requests of an account go by, if it is known; else `load` it. */
  known(accountId: string): AccountDocument | undefined
  /** @throws GatewayError `store_unavailable`: nobody knows what the account forbids, so nothing is done in its name. */
  load(accountId: string): Promise<AccountDocument>
  /** As it is stored now, past everything this process remembers. */
  read(accountId: string): Promise<AccountDocument>
  /**
   * Changes a document in one step. `edit` is pure, may run again, and gives the very document it got when nothing is to be
   * written. Requests of this process go by the new document at once, those of others within `rememberedMs`.
   */
  change(accountId: string, edit: (document: AccountDocument) => AccountDocument): Promise<AccountDocument>
}

/** For how long a process goes by a document before it looks again. */
const rememberedMs = 10_000

/** How many accounts a process remembers. */
const rememberedMax = 10_000

/** How often a change is tried while others change the same document. */
const changesMax = 20

const nothing: AccountDocument = {}

export function createAccountDocuments(keys: KeyStore, clock: Clock): AccountDocuments {
  const remembered = new LRUCache<string, AccountDocument>({
    max: rememberedMax,
    ttl: rememberedMs,
    // Zero keeps it from starting a timer for every look at the time. It takes a time of 0 for none at all.
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() + 1 },
  })
  const loading = new Map<string, Promise<AccountDocument>>()

  const find = (accountId: string) => reach(clock, () => keys.get(keyOf(accountId)))

  async function read(accountId: string): Promise<AccountDocument> {
    return ((await find(accountId))?.value ?? nothing) as AccountDocument
  }

  async function remember(accountId: string): Promise<AccountDocument> {
    const reading = read(accountId)
    loading.set(accountId, reading)
    try {
      const document = await reading
      // Whoever changed it meanwhile has taken the reading away: it may be older than the change.
      if (loading.get(accountId) === reading) remembered.set(accountId, document)
      return document
    } finally {
      if (loading.get(accountId) === reading) loading.delete(accountId)
    }
  }

  return {
    known: (accountId) => remembered.get(accountId),
    load: (accountId) => loading.get(accountId) ?? remember(accountId),
    read,
    async change(accountId, edit) {
      for (let tries = 0; tries < changesMax; tries += 1) {
        const found = await find(accountId)
        const before = (found?.value ?? nothing) as AccountDocument
        const after = edit(before)
        if (after === before) return before
        const put = () => keys.put(keyOf(accountId), after, found?.version ?? null)
        const isWritten = await reach(clock, put)
        // Forgotten rather than replaced, also when it was not written: two changes may come back in any order.
        remembered.delete(accountId)
        loading.delete(accountId)
        if (isWritten) return after
      }
      throw new GatewayError(
        'store_unavailable',
        'Too many changes of the same account at once. Try again.',
        {
          retryAfterSeconds: 1,
        },
      )
    },
  }
}

/** Where nothing is kept, nothing is set. */
export const noAccountDocuments: Pick<AccountDocuments, 'known' | 'load'> = {
  known: () => nothing,
  load: async () => nothing,
}

function keyOf(accountId: string): string {
  return `account:${accountId}`
}
