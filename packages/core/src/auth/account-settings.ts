import type { AccountDocument, AccountDocuments } from './account-documents.ts'
import { checkAccountId } from './payer.ts'

/** What an account has set for its requests. */
export interface AccountSettings {
  /** Providers that requests billed to this account never go to. */
  readonly disabledProviders: readonly string[]
  /** Who pays for requests of this account that name nobody; `null` for the account itself. */
  readonly defaultPayer: string | null
}

export interface ChangeSettingsRequest {
  readonly accountId: string
  /** Ids of configured providers, at most 64. @default what is set */
  readonly disabledProviders?: readonly string[]
  /**
   * An account id or name among the `payers` that `authenticate` gives this caller; what `authenticate` says itself comes
   * first. `null` goes back to none. @default what is set
   */
  readonly defaultPayer?: string | null
}

const disabledMax = 64

/** @throws RangeError for a provider that is not configured, too many of them, or an account or payer of no or too long a name. */
export function changeSettings(
  documents: AccountDocuments,
  request: ChangeSettingsRequest,
  providerIds: readonly string[],
): Promise<AccountSettings> {
  const { accountId, disabledProviders, defaultPayer } = request
  checkAccountId(accountId)
  const unknown = disabledProviders?.find((providerId) => !providerIds.includes(providerId))
  if (unknown !== undefined) {
    throw new RangeError(
      `There is no provider "${unknown}" to disable. There are: ${providerIds.join(', ')}.`,
    )
  }
  if ((disabledProviders?.length ?? 0) > disabledMax) {
    throw new RangeError(`An account can disable at most ${disabledMax} providers.`)
  }
  if (defaultPayer != null && (defaultPayer.length === 0 || defaultPayer.length > 128)) {
    throw new RangeError('A default payer has 1 to 128 characters.')
  }
  return documents
    .change(accountId, (document) => {
      const changed: { -readonly [Name in keyof AccountDocument]: AccountDocument[Name] } = { ...document }
      if (disabledProviders !== undefined) changed.disabledProviders = [...new Set(disabledProviders)]
      if (defaultPayer === null) delete changed.defaultPayer
      else if (defaultPayer !== undefined) changed.defaultPayer = defaultPayer
      return changed
    })
    .then(settingsOf)
}

export function settingsOf({ disabledProviders, defaultPayer }: AccountDocument): AccountSettings {
  return { disabledProviders: disabledProviders ?? [], defaultPayer: defaultPayer ?? null }
}
