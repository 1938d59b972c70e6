import { type AccountSetups, createAccountDocuments, noAccountSetups } from '../auth/account-documents.ts'
import {
  type AccountSettings,
  type ChangeSettingsRequest,
  changeSettings,
  settingsOf,
} from '../auth/account-settings.ts'
import { openKeys } from '../auth/own-keys.ts'
import { createProviderKeys, type ProviderKeys } from '../auth/provider-keys.ts'
import { createSealer, type RingKey } from '../auth/sealer.ts'
import type { Clock } from '../clock.ts'
import type { OnEvent } from '../events.ts'
import { randomNonces } from '../ids.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import type { Provider } from '../providers/provider.ts'

export interface AccountKeepingOptions {
  /** `undefined` when the storage has no place for documents. */
  readonly keys: KeyStore | undefined
  readonly keyRing: readonly RingKey[] | undefined
  readonly providers: ReadonlyMap<string, Provider>
  readonly clock: Clock
  readonly onEvent: OnEvent
}

/** What the gateway keeps of accounts outside the ledger. */
export interface AccountKeeping {
  /** For requests. */
  readonly setups: AccountSetups
  settings(accountId: string): Promise<AccountSettings>
  changeSettings(request: ChangeSettingsRequest): Promise<AccountSettings>
  readonly providerKeys: ProviderKeys
}

/**
 * Binds what accounts set and the keys they bring to a key store and a ring. Without them requests are served all the same,
 * and only what would have to be kept is refused.
 *
 * @throws RangeError when the ring cannot be used.
 */
export function createAccountKeeping(options: AccountKeepingOptions): AccountKeeping {
  const { keys, keyRing, providers, clock, onEvent } = options
  const sealer = keyRing && createSealer(keyRing, randomNonces)
  const documents =
    keys &&
    createAccountDocuments({
      keys,
      clock,
      openKeys: (accountId, document) =>
        openKeys(accountId, document, {
          sealer,
          providers,
          onLocked: (id, { providerId, sealed }) =>
            onEvent({ kind: 'provider-key.locked', accountId: id, providerId, ringKeyId: sealed.keyId }),
        }),
    })
  const kept = () =>
    documents ?? missing('This needs a storage with `keys`, such as memoryStorage() or sqlite(database).')
  return {
    setups: documents ?? noAccountSetups,
    settings: async (accountId) => settingsOf(await kept().read(accountId)),
    changeSettings: async (request) => changeSettings(kept(), request, [...providers.keys()]),
    providerKeys: createProviderKeys({
      documents: kept,
      sealer: () =>
        sealer ?? missing('Provider keys of accounts need createGateway({ keyRing }), which encrypts them.'),
      providers,
      clock,
    }),
  }
}

function missing(message: string): never {
  throw new RangeError(message)
}
