import type { Clock } from '../clock.ts'
import { GatewayError } from '../errors.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import { reach } from '../ledger/reach.ts'
import { noOwnKeys, type OwnKeys, type StoredProviderKey } from './own-keys.ts'
import { remember } from './remembered.ts'

/** What is kept of an account outside the ledger. Every member is absent until it is set. */
export type AccountDocument = {
  readonly disabledProviders?: readonly string[]
  readonly defaultPayer?: string
  readonly providerKeys?: readonly StoredProviderKey[]
}

/** What requests of an account go by. */
export interface AccountSetup {
  readonly document: AccountDocument
  /** The keys in the document, opened once. */
  readonly ownKeys: OwnKeys
}

/** What requests need of the documents of accounts. Most are found without waiting. */
export interface AccountSetups {
  /** What requests of an account go by, if it is remembered; else `load` it. */
  known(accountId: string): AccountSetup | undefined
  /** @throws GatewayError `store_unavailable`: nobody knows what the account forbids, so nothing is done in its name. */
  load(accountId: string): Promise<AccountSetup>
}

export interface AccountDocuments extends AccountSetups {
  /** As it is stored now, past everything this process remembers. */
  read(accountId: string): Promise<AccountDocument>
  /**
   * Changes a document in one step. `edit` may run again, and gives the very document it got when nothing is to be written.
   * Requests of this process go by the new document at once, those of others within `rememberedMs`.
   */
  change(accountId: string, edit: (document: AccountDocument) => AccountDocument): Promise<AccountDocument>
  /** Accounts that have a document, page by page. */
  page(
    cursor: string | null,
  ): Promise<{ readonly accountIds: readonly string[]; readonly cursor: string | null }>
}

export interface AccountDocumentsOptions {
  readonly keys: KeyStore
  readonly clock: Clock
  readonly openKeys: (accountId: string, document: AccountDocument) => OwnKeys
}

/** For how long a process goes by a document before it looks again. */
const rememberedMs = 10_000

/** How often a change is tried while others change the same document. */
const changesMax = 20

const pageMax = 100

const keyStart = 'account:'

const nothing: AccountDocument = {}

export function createAccountDocuments(options: AccountDocumentsOptions): AccountDocuments {
  const { keys, clock } = options
  const find = (accountId: string) => reach(clock, () => keys.get(keyStart + accountId))

  async function read(accountId: string): Promise<AccountDocument> {
    return ((await find(accountId))?.value ?? nothing) as AccountDocument
  }

  async function open(accountId: string): Promise<AccountSetup> {
    const document = await read(accountId)
    return { document, ownKeys: options.openKeys(accountId, document) }
  }

  const remembered = remember<AccountSetup>({ clock, forMs: rememberedMs, read: open })

  return {
    known: remembered.known,
    load: remembered.load,
    read,
    async change(accountId, edit) {
      for (let tries = 0; tries < changesMax; tries += 1) {
        const found = await find(accountId)
        const before = (found?.value ?? nothing) as AccountDocument
        const after = edit(before)
        if (after === before) return before
        const put = () => keys.put(keyStart + accountId, after, found?.version ?? null)
        const isWritten = await reach(clock, put)
        // Forgotten rather than replaced, also when it was not written: two changes may come back in any order.
        remembered.forget(accountId)
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
    async page(cursor) {
      const page = await reach(clock, () => keys.list(keyStart, cursor, pageMax))
      return {
        accountIds: page.documents.map(({ key }) => key.slice(keyStart.length)),
        cursor: page.cursor,
      }
    },
  }
}

const nothingSet: AccountSetup = { document: nothing, ownKeys: noOwnKeys }

/** Where nothing is kept, nothing is set. */
export const noAccountSetups: AccountSetups = { known: () => nothingSet, load: async () => nothingSet }
