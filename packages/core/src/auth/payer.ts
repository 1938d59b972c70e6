import { GatewayError } from '../errors.ts'
import type { GatewayRequest } from '../http/exchange.ts'
import type { BillableAccount, Principal } from './principal.ts'

/** The account that pays for a request, and who asked inside it. */
export interface Payer {
  readonly accountId: string
  /** What the caller knows the account by. */
  readonly name: string
  readonly memberId: string | undefined
  readonly preferredProviders: readonly string[]
}

/**
 * Decides who pays: the account that `X-HF-Bill-To` names, else the caller's default payer, else the caller's own account.
 * Nobody else is ever billed in its place, because a bill that goes to the wrong account is found weeks later.
 *
 * @throws GatewayError `payer_not_allowed` for an account this caller may not bill, `invalid_request` for an empty name.
 */
export function choosePayer(principal: Principal, request: GatewayRequest): Payer {
  const named = request.headers['x-hf-bill-to']
  const wanted =
    named === undefined ? principal.defaultPayer : typeof named === 'string' ? named : named.join()
  if (wanted === undefined || wanted === principal.accountId) return ownAccount(principal)
  if (wanted === '') {
    throw new GatewayError(
      'invalid_request',
      named === undefined
        ? 'Your default payer is empty.'
        : 'X-HF-Bill-To is empty. Name the account to bill, or leave the header out.',
    )
  }
  for (const option of principal.payers ?? []) {
    const account = typeof option === 'string' ? { accountId: option } : option
    if (wanted === account.accountId || wanted === account.name) return otherAccount(account, principal)
  }
  throw notAllowed(wanted, principal, named === undefined)
}

function ownAccount({ accountId, memberId, preferredProviders = none }: Principal): Payer {
  return { accountId, name: accountId, memberId, preferredProviders }
}

function otherAccount(account: BillableAccount, principal: Principal): Payer {
  const { accountId, name = accountId, memberId = principal.accountId } = account
  checkAccountId(accountId)
  const preferredProviders = account.preferredProviders ?? principal.preferredProviders ?? none
  return { accountId, name, memberId, preferredProviders }
}

/** @throws RangeError, because account ids come from the host. */
export function checkAccountId(accountId: string): void {
  if (accountId.length === 0 || accountId.length > 128) {
    throw new RangeError('authenticate() must give account ids of 1 to 128 characters.')
  }
}

const none: readonly string[] = []

/** How many of the accounts a caller may bill an error lists. */
const listedMax = 10

function notAllowed(wanted: string, { accountId, payers = [] }: Principal, isDefault: boolean): GatewayError {
  const payer = wanted.slice(0, 128)
  const names = payers.map((option) =>
    typeof option === 'string' ? option : (option.name ?? option.accountId),
  )
  const others = names.slice(0, listedMax).map((name) => `'${name}'`)
  const more = names.length > listedMax ? ', …' : ''
  const rest =
    others.length === 0
      ? 'There is no other account you may bill'
      : `You may also bill ${others.join(', ')}${more}`
  const remedy = isDefault
    ? `It is your default payer: name another one in X-HF-Bill-To, such as '${accountId}', or change the default.`
    : `Leave X-HF-Bill-To out, or name '${accountId}', to bill yourself.`
  return new GatewayError('payer_not_allowed', `You may not bill '${payer}'. ${remedy} ${rest}.`, {
    facts: { payer },
  })
}
