import { GatewayError } from '../errors.ts'
import { type GatewayRequest, header } from '../http/exchange.ts'
import { checkAccountId, choosePayer, type Payer } from './payer.ts'
import type { Authenticate, Principal } from './principal.ts'

/**
 * Asks the host who asks, and decides who pays.
 *
 * @throws GatewayError `invalid_api_key` when the host knows nobody by this request, and what `choosePayer` throws.
 */
export async function authenticatePayer(authenticate: Authenticate, request: GatewayRequest): Promise<Payer> {
  const answer = authenticate(request)
  return choosePayer(known(answer instanceof Promise ? await answer : answer, request), request)
}

/**
 * Asks the host who asks, where nobody has to pay.
 *
 * @throws GatewayError `invalid_api_key` when the host knows nobody by this request.
 */
export async function authenticateRequest(
  authenticate: Authenticate,
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
        : 'Invalid credentials in Authorization header.',
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
