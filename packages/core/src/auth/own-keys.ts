import type { Provider } from '../providers/provider.ts'
import type { AccountDocument } from './account-documents.ts'
import type { Sealed, Sealer } from './sealer.ts'

/** An account's own key at a provider, as it is stored. */
export type StoredProviderKey = {
  readonly providerId: string
  readonly sealed: Sealed
  /** At most the last four characters, for people to tell keys apart. */
  readonly hint: string
  readonly setAtMs: number
}

/** An account's own key, ready for use. The key itself is nowhere to be read. */
export interface OwnKey {
  /** The provider, paid with this key. */
  readonly provider: Provider
  /** Takes the key out of what the provider says. */
  readonly hide: (text: string) => string
}

/** The keys an account has brought. */
export interface OwnKeys {
  readonly ready: ReadonlyMap<string, OwnKey>
  /** Providers whose key cannot be opened: they get no request, because the account does not want to pay them otherwise. */
  readonly locked: readonly string[]
}

export const noOwnKeys: OwnKeys = { ready: new Map(), locked: [] }

export interface OpenKeysOptions {
  /** `undefined` when the gateway has no key ring. */
  readonly sealer: Sealer | undefined
  readonly providers: ReadonlyMap<string, Provider>
  readonly onLocked: (accountId: string, key: StoredProviderKey) => void
}

/** Opens the keys of an account at the providers of this gateway. */
export function openKeys(
  accountId: string,
  { providerKeys = [] }: AccountDocument,
  { sealer, providers, onLocked }: OpenKeysOptions,
): OwnKeys {
  if (providerKeys.length === 0) return noOwnKeys
  const ready = new Map<string, OwnKey>()
  const locked: string[] = []
  for (const stored of providerKeys) {
    const provider = providers.get(stored.providerId)
    if (provider === undefined) continue
    const apiKey = sealer?.open(stored.sealed, placeOf(accountId, stored.providerId))
    const own = apiKey === undefined ? undefined : provider.withKey?.(apiKey)
    if (apiKey === undefined || own === undefined) {
      locked.push(stored.providerId)
      onLocked(accountId, stored)
    } else {
      ready.set(stored.providerId, { provider: own, hide: (text) => text.replaceAll(apiKey, '[key]') })
    }
  }
  return { ready, locked }
}

/** Binds a sealed key to its account and provider, so that copying it elsewhere gives nobody the use of it. */
export function placeOf(accountId: string, providerId: string): readonly string[] {
  return ['provider-key', accountId, providerId]
}
