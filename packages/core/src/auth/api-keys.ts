import type { Clock } from '../clock.ts'
import { GatewayError } from '../errors.ts'
import type { GatewayRequest } from '../http/exchange.ts'
import type { Secrets } from '../ids.ts'
import { checkCappedKey, checkKeyCap, type KeyCap } from '../ledger/key-cap.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import { checkMemberId } from '../ledger/member.ts'
import { checkRateLimits, type RateLimits } from '../ledger/rate-limits.ts'
import { createKeyText, hashKey, isKey, keyIdOf } from './api-key.ts'
import { bearerKey } from './authenticate.ts'
import { createKeyDocuments, type KeyDocument, type KeyDocuments } from './key-documents.ts'
import { type KeySpent, keysSpent, type ReadKeyBalances } from './key-spent.ts'
import { checkAccountId } from './payer.ts'
import type { Identify, Principal } from './principal.ts'
import { rememberKeys } from './remembered-keys.ts'

export interface CreateKeyRequest {
  /** Who is billed. 1 to 128 characters. */
  readonly accountId: string
  /** The person inside the account that the key is for, for usage by member and their cap. 1 to 128 characters. */
  readonly memberId?: string
  /** For people, such as what the key is used for. 1 to 128 characters. */
  readonly name?: string
  /** From then on the key is refused. @default never */
  readonly expiresAtMs?: number
  /** How much may be asked for with this key in a while. @default no limits but the account's */
  readonly limits?: RateLimits
  /**
   * The most that may be spent with this key, of each account that pays: `{ amount: usd('5.00'), per: 'period' }`, or per
   * `'lifetime'`. @default no cap but the account's and the member's
   */
  readonly cap?: KeyCap
  /** Models the key may ask for: `openai/gpt-oss-120b`, or `openai/*` for all that begin so. 1 to 64 of them. @default all */
  readonly models?: readonly string[]
}

export interface CreatedKey {
  /** The key itself, `fb_…`. It is told here and never again: only a hash of it is kept. */
  readonly key: string
  /** The 16 characters behind `fb_` in it. */
  readonly keyId: string
}

/** What is told about a key. Never the key. */
export type ApiKey = Omit<KeyDocument, 'hash'> & {
  /** Of a key with a cap: what was spent of its own account with it. */
  readonly spent?: KeySpent
}

export interface CapKeyRequest {
  readonly accountId: string
  readonly keyId: string
  /** `null` for no cap any more. */
  readonly cap: KeyCap | null
}

/** API keys of accounts, kept as documents of the storage. */
export interface ApiKeys {
  /**
   * Makes a key of an account.
   *
   * @throws RangeError when something in it cannot be meant, when the account has 1,000 keys, or when the storage keeps no
   * documents.
   */
  create(request: CreateKeyRequest): Promise<CreatedKey>
  /** The keys of an account, oldest first, expired ones included. */
  list(accountId: string): Promise<readonly ApiKey[]>
  /**
   * Takes a key from an account, for good. Gives whether the account had it. The key is refused at once in this process, and in all
   * others in requests that come a second or more after this has answered. What rejects is to be repeated.
   */
  revoke(request: { readonly accountId: string; readonly keyId: string }): Promise<boolean>
  /**
   * Gives a key another cap, or takes it away. Gives whether the account has the key. It counts at once in this process, and in all
   * others in requests that come a second or more after this has answered. Lowering it stops new holds only. What was spent while
   * the key had no cap of this kind is not counted. What rejects is to be repeated.
   *
   * @throws RangeError when the cap cannot be meant.
   */
  cap(request: CapKeyRequest): Promise<boolean>
  /**
   * Says whose key a request carries, as `Authorization: Bearer` or `x-api-key`; `undefined` for none that is known here.
   *
   * @throws GatewayError `invalid_api_key` when the key has expired, `store_unavailable` when nobody knows whether it is still
   * good.
   */
  readonly authenticate: Identify
}

export interface ApiKeysOptions {
  /** `undefined` when the storage has no place for documents. */
  readonly keys: KeyStore | undefined
  readonly clock: Clock
  readonly secrets: Secrets
  readonly balances: ReadKeyBalances
}

/** A key, ready to be compared. */
interface OpenKey {
  readonly hash: Buffer
  readonly principal: Principal
  readonly expiresAtMs: number
}

export function createApiKeys({ keys, clock, secrets, balances }: ApiKeysOptions): ApiKeys {
  const documents = keys && createKeyDocuments(keys, clock)
  const kept = (): KeyDocuments =>
    documents ?? missing('API keys need a storage with `keys`, such as memoryStorage() or sqlite(database).')
  const remembered = rememberKeys<OpenKey>({
    clock,
    async read(keyId) {
      const document = await kept().read(keyId)
      return document && open(document)
    },
    readEpoch: () => kept().epoch(),
  })

  function admitted(text: string, key: OpenKey | undefined): Principal | undefined {
    if (key === undefined || !isKey(text, key.hash)) return undefined
    if (clock.now() >= key.expiresAtMs) throw new GatewayError('invalid_api_key', 'This API key has expired.')
    return key.principal
  }

  return {
    async create(request) {
      checkRequest(request, clock.now())
      for (;;) {
        const { text, keyId } = createKeyText(secrets)
        const document = documentOf(request, {
          keyId,
          hash: hashKey(text).toString('hex'),
          createdAtMs: clock.now(),
        })
        if (await kept().create(document)) return { key: text, keyId }
      }
    },
    async list(accountId) {
      checkAccountId(accountId)
      const documents = await kept().list(accountId)
      const spent = await keysSpent(balances, accountId, documents)
      return documents.map(({ hash: _, ...shown }) => {
        const spentOfIt = spent.get(shown.keyId)
        return spentOfIt === undefined ? shown : { ...shown, spent: spentOfIt }
      })
    },
    async revoke({ accountId, keyId }) {
      checkAccountId(accountId)
      const wasThere = await kept().remove(accountId, keyId)
      if (wasThere) remembered.forget(keyId)
      return wasThere
    },
    async cap({ accountId, keyId, cap }) {
      checkAccountId(accountId)
      if (cap !== null) checkCappedKey({ keyId, cap })
      const hasKey = await kept().cap(accountId, keyId, cap)
      if (hasKey) remembered.forget(keyId)
      return hasKey
    },
    authenticate(request: GatewayRequest) {
      const text = bearerKey(request)
      const keyId = text === undefined ? undefined : keyIdOf(text)
      if (text === undefined || keyId === undefined || documents === undefined) return undefined
      const known = remembered.known(keyId)
      if (known !== undefined) return admitted(text, known)
      return remembered.load(keyId).then((key) => admitted(text, key))
    },
  }
}

function open({ hash, accountId, memberId, keyId, limits, cap, models, expiresAtMs }: KeyDocument): OpenKey {
  const principal: { -readonly [Name in keyof Principal]: Principal[Name] } = { accountId, keyId }
  if (memberId !== undefined) principal.memberId = memberId
  if (limits !== undefined) principal.keyLimits = limits
  if (cap !== undefined) principal.keyCap = cap
  if (models !== undefined) principal.models = models
  return {
    hash: Buffer.from(hash, 'hex'),
    principal: Object.freeze(principal),
    expiresAtMs: expiresAtMs ?? Number.POSITIVE_INFINITY,
  }
}

function documentOf(
  { accountId, memberId, name, expiresAtMs, limits, cap, models }: CreateKeyRequest,
  made: Pick<KeyDocument, 'keyId' | 'hash' | 'createdAtMs'>,
): KeyDocument {
  return {
    ...made,
    accountId,
    ...(name === undefined ? {} : { name }),
    ...(memberId === undefined ? {} : { memberId }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(limits === undefined ? {} : { limits: { ...limits } }),
    ...(cap === undefined ? {} : { cap: { amount: cap.amount, per: cap.per } }),
    ...(models === undefined ? {} : { models: [...models] }),
  }
}

const modelsMax = 64

function checkRequest(
  { accountId, memberId, name, expiresAtMs, limits, cap, models }: CreateKeyRequest,
  nowMs: number,
): void {
  checkAccountId(accountId)
  if (memberId !== undefined) checkMemberId(memberId)
  if (name !== undefined && (name.length === 0 || name.length > 128)) {
    throw new RangeError(`The name of a key has 1 to 128 characters, not ${name.length}.`)
  }
  if (expiresAtMs !== undefined && !(Number.isSafeInteger(expiresAtMs) && expiresAtMs > nowMs)) {
    throw new RangeError(
      `A key expires at a time to come, in milliseconds since 1970, not at ${expiresAtMs}.`,
    )
  }
  if (limits !== undefined) checkRateLimits(limits, 'limits')
  if (cap !== undefined) checkKeyCap(cap)
  if (models !== undefined) checkModels(models)
}

function checkModels(models: readonly string[]): void {
  if (models.length === 0 || models.length > modelsMax) {
    throw new RangeError(
      `A key is for 1 to ${modelsMax} models, not ${models.length}. Leave models out for all.`,
    )
  }
  for (const model of models) {
    if (/^[^\s*:]{1,256}\*?$/.test(model)) continue
    throw new RangeError(
      `${JSON.stringify(model)} names no model: say "openai/gpt-oss-120b", or "openai/*", without a suffix.`,
    )
  }
}

function missing(message: string): never {
  throw new RangeError(message)
}
