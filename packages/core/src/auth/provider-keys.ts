import type { Clock } from '../clock.ts'
import type { Provider } from '../providers/provider.ts'
import type { AccountDocument, AccountDocuments } from './account-documents.ts'
import { placeOf, type StoredProviderKey } from './own-keys.ts'
import { checkAccountId } from './payer.ts'
import type { Sealer } from './sealer.ts'

/** What is told about an account's own key at a provider. Never the key. */
export interface ProviderKey {
  readonly providerId: string
  /** The last four characters of a long key; empty for a short one. */
  readonly hint: string
  readonly setAtMs: number
  /** The id of the ring's key it is encrypted with. */
  readonly ringKeyId: string
}

export interface SetProviderKeyRequest {
  readonly accountId: string
  readonly providerId: string
  /** 8 to 512 visible characters, without quotes and backslashes. */
  readonly apiKey: string
}

/** What one run of rotation did. */
export interface RotateReport {
  /** Keys that are now encrypted with the ring's first key, and were not before. */
  readonly rotated: number
  /** Keys that no key of the ring opens, or that were changed or moved. They are left as they are. */
  readonly unreadable: number
}

/** Keys that accounts bring to pay providers with themselves. */
export interface ProviderKeys {
  /**
   * Keeps an account's key at a provider, encrypted, in place of an earlier one. From the next request on the account's
   * requests at this provider are paid with it, and neither held nor charged.
   *
   * @throws RangeError when the gateway has no key ring or nowhere to keep it, the provider is unknown or takes no other
   * keys, or the key cannot be one.
   */
  set(request: SetProviderKeyRequest): Promise<ProviderKey>
  list(accountId: string): Promise<readonly ProviderKey[]>
  /** Forgets a key. Gives whether there was one. From then on requests at this provider are charged again. */
  remove(request: { readonly accountId: string; readonly providerId: string }): Promise<boolean>
  /** Encrypts everything again that an older key of the ring encrypted. Afterwards that key may leave the ring. */
  rotate(): Promise<RotateReport>
}

export interface ProviderKeysOptions {
  readonly documents: () => AccountDocuments
  readonly sealer: () => Sealer
  readonly providers: ReadonlyMap<string, Provider>
  readonly clock: Clock
}

export function createProviderKeys({
  documents,
  sealer,
  providers,
  clock,
}: ProviderKeysOptions): ProviderKeys {
  return {
    async set({ accountId, providerId, apiKey }) {
      checkAccountId(accountId)
      checkProvider(providerId, providers)
      checkKey(apiKey)
      const stored: StoredProviderKey = {
        providerId,
        sealed: sealer().seal(apiKey, placeOf(accountId, providerId)),
        hint: apiKey.length < hintFrom ? '' : apiKey.slice(-4),
        setAtMs: clock.now(),
      }
      await documents().change(accountId, (document) => withKey(document, stored))
      return show(stored)
    },
    list: async (accountId) => ((await documents().read(accountId)).providerKeys ?? []).map(show),
    async remove({ accountId, providerId }) {
      let wasThere = false
      await documents().change(accountId, (document) => {
        const { providerKeys = [] } = document
        const left = providerKeys.filter((key) => key.providerId !== providerId)
        // A repeat of a write whose answer was lost finds nothing to remove any more.
        wasThere ||= left.length < providerKeys.length
        return left.length < providerKeys.length ? { ...document, providerKeys: left } : document
      })
      return wasThere
    },
    rotate: () => rotate(documents(), sealer()),
  }
}

function show({ providerId, hint, setAtMs, sealed }: StoredProviderKey): ProviderKey {
  return { providerId, hint, setAtMs, ringKeyId: sealed.keyId }
}

function withKey(document: AccountDocument, stored: StoredProviderKey): AccountDocument {
  const others = (document.providerKeys ?? []).filter((key) => key.providerId !== stored.providerId)
  if (others.length >= keysMax) throw new RangeError(`An account keeps at most ${keysMax} provider keys.`)
  return { ...document, providerKeys: [...others, stored] }
}

async function rotate(documents: AccountDocuments, sealer: Sealer): Promise<RotateReport> {
  let rotated = 0
  let unreadable = 0
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<AccountDocuments['page']>> = await documents.page(cursor)
    for (const accountId of page.accountIds) {
      let changed = 0
      let failed = 0
      await documents.change(accountId, (document) => {
        const after = sealAgain(accountId, document, sealer)
        // A change may run again: the last run counts, unless an earlier one was written and only its answer was lost.
        changed = Math.max(changed, after.rotated)
        failed = after.unreadable
        return after.document
      })
      rotated += changed
      unreadable += failed
    }
    cursor = page.cursor
  } while (cursor !== null)
  return { rotated, unreadable }
}

function sealAgain(
  accountId: string,
  document: AccountDocument,
  sealer: Sealer,
): RotateReport & { readonly document: AccountDocument } {
  let rotated = 0
  let unreadable = 0
  const providerKeys = (document.providerKeys ?? []).map((stored) => {
    const place = placeOf(accountId, stored.providerId)
    const apiKey = sealer.open(stored.sealed, place)
    if (apiKey === undefined) unreadable += 1
    if (apiKey === undefined || stored.sealed.keyId === sealer.currentId) return stored
    rotated += 1
    return { ...stored, sealed: sealer.seal(apiKey, place) }
  })
  return { rotated, unreadable, document: rotated === 0 ? document : { ...document, providerKeys } }
}

const keysMax = 64

/** From this length on four characters are little enough to show. */
const hintFrom = 24

/** What fits into a header, and reads the same wherever JSON or text quotes it, so that it can be taken out again. */
const keyPattern = /^[\x21\x23-\x5b\x5d-\x7e]{8,512}$/

function checkKey(apiKey: string): void {
  if (typeof apiKey === 'string' && keyPattern.test(apiKey)) return
  throw new RangeError(
    'A provider key has 8 to 512 visible ASCII characters, without quotes and backslashes.',
  )
}

function checkProvider(providerId: string, providers: ReadonlyMap<string, Provider>): void {
  const provider = providers.get(providerId)
  if (provider === undefined) {
    throw new RangeError(
      `There is no provider "${providerId}". There are: ${[...providers.keys()].join(', ')}.`,
    )
  }
  if (provider.withKey === undefined) {
    throw new RangeError(`The provider "${providerId}" takes no keys of accounts: it has no withKey().`)
  }
}
