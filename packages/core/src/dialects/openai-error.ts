import { errorCodes, type GatewayError } from '../errors.ts'
import type { ErrorBody } from './dialect.ts'

/**
 * Writes an error the way OpenAI's SDKs read it, with the message repeated in `x-error-message`, which Hugging Face's
 * Python client shows. `x-should-retry: false` keeps SDKs from repeating what cannot succeed.
 */
export function openaiError(error: GatewayError, requestId: string): ErrorBody {
  return {
    status: error.status,
    headers: errorHeaders(error, requestId),
    body: JSON.stringify({ error: openaiErrorObject(error) }),
  }
}

/** The headers of an error, in every dialect. */
export function errorHeaders(error: GatewayError, requestId: string): Readonly<Record<string, string>> {
  return {
    ...error.headers,
    'content-type': 'application/json; charset=utf-8',
    'x-request-id': requestId,
    'x-error-code': error.code,
    'x-error-message': headerText(error.message),
    ...(errorCodes[error.code].isRetryable ? {} : { 'x-should-retry': 'false' }),
    ...(error.retryAfterSeconds === undefined ? {} : { 'retry-after': String(error.retryAfterSeconds) }),
  }
}

/** The `error` member of a body, and of the last event of a broken stream. */
export function openaiErrorObject(error: GatewayError): Readonly<Record<string, unknown>> {
  return {
    message: error.message,
    type: errorCodes[error.code].type,
    param: error.param ?? null,
    code: error.code,
    ...error.facts,
  }
}

/** Header values hold visible ASCII only. */
function headerText(message: string): string {
  return message.replace(/[^\x20-\x7e]/g, '?').slice(0, 500)
}
