import { GatewayError } from '../errors.ts'
import { type GatewayRequest, header } from '../http/exchange.ts'
import type { Authenticate, Principal } from './principal.ts'

/**
 * Asks the host who pays.
 *
 * @throws GatewayError `invalid_api_key` when the host knows nobody by this request.
 */
export async function authenticateRequest(
  authenticate: Authenticate,
  request: GatewayRequest,
): Promise<Principal> {
  const answer = authenticate(request)
  const principal = answer instanceof Promise ? await answer : answer
  if (principal === undefined) {
    throw new GatewayError(
      'invalid_api_key',
      bearerKey(request) === undefined
        ? 'You did not provide an API key. Send it in the Authorization header: "Authorization: Bearer YOUR_KEY".'
        : 'Invalid credentials in Authorization header.',
    )
  }
  if (principal.accountId.length === 0 || principal.accountId.length > 128) {
    throw new RangeError('authenticate() must give an accountId of 1 to 128 characters.')
  }
  return principal
}

/** The key a caller sent, as OpenAI's or as Anthropic's clients send it. */
export function bearerKey(request: GatewayRequest): string | undefined {
  const match = /^bearer +(\S+)$/i.exec(header(request, 'authorization') ?? '')
  return match?.[1] ?? header(request, 'x-api-key')
}
