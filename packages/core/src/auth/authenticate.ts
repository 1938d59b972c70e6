import { GatewayError } from '../errors.ts'
import { type GatewayRequest, header } from '../http/exchange.ts'
import type { AccountSetups } from './account-documents.ts'
import { billTo, checkAccountId, choosePayer, type Payer, payerOf } from './payer.ts'
import type { Identify, Principal } from './principal.ts'

/**
 * Asks the host who asks, and decides who pays. Waits for the host if it has to, and for documents of accounts that are not
 * remembered; for nothing else.
 *
 * @throws GatewayError `invalid_api_key` when the host knows nobody by this request, `store_unavailable` when nobody knows
 * what an account has set, and what `choosePayer` throws.
 */
export async function authenticatePayer(
  authenticate: Identify,
  accounts: AccountSetups,
  request: GatewayRequest,
): Promise<Payer> {
  const answer = authenticate(request)
  const principal = known(answer instanceof Promise ? await answer : answer, request)
  const named = billTo(request)
  // A request that names its payer needs nothing of the caller's own account.
  const own =
    named === undefined
      ? (accounts.known(principal.accountId) ?? (await accounts.load(principal.accountId)))
      : undefined
  const choice = choosePayer(principal, named, own?.document.defaultPayer)
  const setup =
    choice.offered === undefined && own !== undefined
      ? own
      : (accounts.known(choice.accountId) ?? (await accounts.load(choice.accountId)))
  return payerOf(principal, choice, setup)
}

/**
 * Asks the host who asks, where nobody has to pay.
 *
 * @throws GatewayError `invalid_api_key` when the host knows nobody by this request.
 */
export async function authenticateRequest(
  authenticate: Identify,
  request: GatewayRequest,
): Promise<Principal> {
  return known(await authenticate(request), request)
}

function known(principal: Principal | undefined, request: GatewayRequest): Principal {
  if (principal === undefined) {
    throw new GatewayError(
      'invalid_api_key',
      bearerKey(request) === undefined
        ? 'You did not provide an API key. Send it in the Authorization header: "Authorization: Bearer YOUR_KEY".'
        : `Invalid credentials in ${header(request, 'authorization') === undefined ? 'x-api-key' : 'Authorization'} header.`,
    )
  }
  checkAccountId(principal.accountId)
  return principal
}

/** The key a caller sent, as OpenAI's or as Anthropic's clients send it. */
export function bearerKey(request: GatewayRequest): string | undefined {
  const match = /^bearer +(\S+)$/i.exec(header(request, 'authorization') ?? '')
  return match?.[1] ?? header(request, 'x-api-key')
}
