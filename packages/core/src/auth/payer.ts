import { GatewayError } from '../errors.ts'
import type { GatewayRequest } from '../http/exchange.ts'
import { checkCappedKey, checkKeyId, type KeyCap } from '../ledger/key-cap.ts'
import { checkMemberId } from '../ledger/member.ts'
import { checkRateLimits, hasLimits, type RateLimits } from '../ledger/rate-limits.ts'
import type { AccountSetup } from './account-documents.ts'
import type { OwnKeys } from './own-keys.ts'
import type { BillableAccount, Principal } from './principal.ts'

/** The account that pays for a request, and who asked inside it. */
export interface Payer {
  readonly accountId: string
  /** What the caller knows the account by. */
  readonly name: string
  readonly memberId: string | undefined
  readonly preferredProviders: readonly string[]
  /** Providers this request must not go to, for whichever reason. */
  readonly disabledProviders: readonly string[]
  /** The account's own keys: a request to a provider it has one for is paid with that. */
  readonly ownKeys: OwnKeys
  /** The API key that asked. */
  readonly keyId?: string | undefined
  /** The most that may be spent with that key; `undefined` for no bound but the account's and the member's. */
  readonly keyCap?: KeyCap | undefined
  /** What this caller may ask for; `undefined` for everything. */
  readonly models?: readonly string[] | undefined
  /** What limits this caller, besides the plan of the account that pays. */
  readonly limits?: readonly LimitedBy[] | undefined
}

/** Who is limited, by a name that is theirs inside the account that pays. */
export interface LimitedBy {
  readonly who: 'caller' | 'key'
  readonly name: string
  readonly limits: RateLimits
}

/** Who is to pay by the caller's word, before it is known what that account has set. */
export interface PayerChoice {
  readonly accountId: string
  /** The account as the host offers it; `undefined` for the caller's own. */
  readonly offered: BillableAccount | undefined
}

/** The payer a request names; `undefined` when it names nobody. */
export function billTo(request: GatewayRequest): string | undefined {
  const named = request.headers['x-hf-bill-to']
  if (named === undefined || typeof named === 'string') return named
  // Two of them name nobody: joined, they are refused under the name they make together.
  return named.join(', ')
}

/**
 * Decides who pays: the account that `X-HF-Bill-To` names, else the caller's default payer, else the caller's own account.
 * Nobody else is ever billed in its place, because a bill that goes to the wrong account is found weeks later.
 *
 * @throws GatewayError `payer_not_allowed` for an account this caller may not bill, `invalid_request` for an empty name.
 */
export function choosePayer(
  principal: Principal,
  named: string | undefined,
  storedDefault: string | undefined,
): PayerChoice {
  const { accountId, payers = none, defaultPayer = storedDefault } = principal
  const wanted = named ?? defaultPayer ?? accountId
  if (wanted === accountId) return { accountId, offered: undefined }
  if (wanted === '') {
    throw new GatewayError(
      'invalid_request',
      named === undefined
        ? 'Your default payer is empty.'
        : 'X-HF-Bill-To is empty. Name the account to bill, or leave the header out.',
    )
  }
  for (const option of payers) {
    const offered = typeof option === 'string' ? { accountId: option } : option
    if (wanted !== offered.accountId && wanted !== offered.name) continue
    checkAccountId(offered.accountId)
    return { accountId: offered.accountId, offered }
  }
  throw notAllowed(wanted, principal, named === undefined)
}

/** What a request goes by: what the host says of the caller and of the account, and what the account itself has set. */
export function payerOf(
  principal: Principal,
  { accountId, offered }: PayerChoice,
  { document, ownKeys }: AccountSetup,
): Payer {
  const forbidden = both(
    principal.disabledProviders,
    both(offered?.disabledProviders, document.disabledProviders),
  )
  const memberId = offered === undefined ? principal.memberId : (offered.memberId ?? principal.accountId)
  if (memberId !== undefined) checkMemberId(memberId)
  const { keyId, keyCap } = principal
  if (keyId !== undefined) checkKeyId(keyId)
  if (keyCap !== undefined) {
    if (keyId === undefined) throw new RangeError('keyCap needs the keyId that it is for.')
    checkCappedKey({ keyId, cap: keyCap })
  }
  return {
    accountId,
    name: offered?.name ?? accountId,
    memberId,
    preferredProviders: offered?.preferredProviders ?? principal.preferredProviders ?? none,
    disabledProviders: forbidden ?? none,
    ownKeys,
    keyId,
    keyCap,
    models: principal.models,
    limits:
      principal.limits === undefined && principal.keyLimits === undefined ? undefined : limitsOf(principal),
  }
}

/** @throws RangeError when limits cannot be meant: the host gave them, so the caller cannot help it. */
function limitsOf({ accountId, memberId, limits, keyId, keyLimits }: Principal): readonly LimitedBy[] {
  const limited: LimitedBy[] = []
  if (limits !== undefined) {
    checkRateLimits(limits, 'The limits that authenticate gave')
    const name = `caller:${JSON.stringify(memberId === undefined ? [accountId] : [accountId, memberId])}`
    if (hasLimits(limits)) limited.push({ who: 'caller', name, limits })
  }
  if (keyLimits !== undefined) {
    checkRateLimits(keyLimits, 'The keyLimits that authenticate gave')
    if (keyId === undefined) throw new RangeError('keyLimits need the keyId that they are for.')
    if (hasLimits(keyLimits)) limited.push({ who: 'key', name: `key:${keyId}`, limits: keyLimits })
  }
  return limited
}

/** @throws RangeError, not GatewayError: account ids come from the host, so the caller cannot help it. */
export function checkAccountId(accountId: string): void {
  if (accountId.length === 0 || accountId.length > 128) {
    throw new RangeError(`An account id has 1 to 128 characters, not ${accountId.length}.`)
  }
}

const none: readonly never[] = []

/** Both lists in one, without a copy where one will do. */
function both(
  first: readonly string[] | undefined,
  second: readonly string[] | undefined,
): readonly string[] | undefined {
  if (first === undefined || first.length === 0) return second
  return second === undefined || second.length === 0 ? first : [...first, ...second]
}

/** How many of the accounts a caller may bill an error lists. */
const listedMax = 10

function notAllowed(
  wanted: string,
  { accountId, payers = none }: Principal,
  isDefault: boolean,
): GatewayError {
  const payer = wanted.slice(0, 128)
  const names = payers.map((option) =>
    typeof option === 'string' ? option : (option.name ?? option.accountId),
  )
  const listed = names.slice(0, listedMax).map((name) => `'${name}'`)
  const more = names.length > listedMax ? ', …' : ''
  const rest =
    listed.length === 0
      ? 'There is no other account you may bill'
      : `You may also bill ${listed.join(', ')}${more}`
  const remedy = isDefault
    ? `It is your default payer: name another one in X-HF-Bill-To, such as '${accountId}', or change the default.`
    : `Leave X-HF-Bill-To out, or name '${accountId}', to bill yourself.`
  return new GatewayError('payer_not_allowed', `You may not bill '${payer}'. ${remedy} ${rest}.`, {
    facts: { payer },
  })
}
