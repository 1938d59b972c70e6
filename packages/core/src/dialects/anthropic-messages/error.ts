import { type ErrorCode, errorCodes, type GatewayError } from '../../errors.ts'
import type { ErrorBody } from '../dialect.ts'
import { errorHeaders } from '../openai-error.ts'

/** Anthropic's names of errors by status (anthropic-sdk-typescript 1.14.0, 2026-11-24). */
const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
}

/** Writes an error the way Anthropic's SDKs read it. What programs act on is in `details`, where they look for it. */
export function anthropicError(error: GatewayError, requestId: string): ErrorBody {
  const { code, param, facts, status } = error
  const details = { error_code: code, ...(param === undefined ? {} : { param }), ...facts }
  return {
    status,
    headers: { ...errorHeaders(error, requestId), [requestIdHeader]: requestId },
    body: JSON.stringify({
      type: 'error',
      error: { type: typeOf(status), message: messageOf(code, error.message), details },
      request_id: requestId,
    }),
  }
}

/** Where Anthropic's clients look for the id of a request. */
export const requestIdHeader = 'request-id'

/** The `error` of a chat stream as the last event of a message: the gateway's own, or whatever a provider says. */
export function streamError(error: Readonly<Record<string, unknown>>, requestId: string): object {
  const { message, code, type: _, ...facts } = error
  const known = typeof code === 'string' && Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : undefined
  const text = typeof message === 'string' ? message : 'The provider reported an error.'
  return {
    type: 'error',
    error: {
      type: typeOf(known === undefined ? 500 : errorCodes[known].status),
      message: known === undefined ? text : messageOf(known, text),
      details: { ...facts, ...(code === undefined || code === null ? {} : { error_code: String(code) }) },
    },
    request_id: requestId,
  }
}

function typeOf(status: number): string {
  return types[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
}

/** Claude Code shortens a conversation when it reads these words, and gives up when it does not. */
function messageOf(code: ErrorCode, message: string): string {
  return code === 'context_length_exceeded' ? `prompt is too long: ${message}` : message
}
