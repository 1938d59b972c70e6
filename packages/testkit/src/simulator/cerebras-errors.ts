import type { Headers, Reply } from './exchange.ts'

/** Cerebras writes its errors flat, without an `error` member around them. */
export function refuse(status: number, message?: string): Reply {
  const error = errors[status] ?? errors[status >= 500 ? 500 : 400]
  const body = JSON.stringify({ ...error, ...(message === undefined ? {} : { message }) })
  const retry = status === 429 ? { 'retry-after': '1', 'x-ratelimit-remaining-tokens-minute': '0' } : {}
  return { status, headers: { ...rateHeaders, ...retry }, body }
}

export function refuseModel(model: string): Reply {
  return refuse(404, `Model ${model} does not exist or you do not have access to it.`)
}

export function wrongFormat(message: string, param: string): string {
  return JSON.stringify({ message, type: 'invalid_request_error', param, code: 'wrong_api_format' })
}

const errors: Readonly<Record<number, object>> = {
  400: error('Bad request', 'invalid_request_error', 'validation_error', 'wrong_api_format'),
  401: error('Wrong API Key', 'invalid_request_error', 'api_key', 'wrong_api_key'),
  402: error('Payment required', 'payment_required_error', 'quota', 'payment_required'),
  403: error('Forbidden', 'permission_error', '', 'forbidden'),
  404: error('Not Found', 'not_found_error', 'model', 'model_not_found'),
  408: error('Request timed out', 'request_timeout_error', '', 'request_timeout'),
  422: error('Unprocessable request', 'invalid_request_error', 'validation_error', 'wrong_api_format'),
  429: error(
    'Tokens per minute limit exceeded - too many tokens processed.',
    'too_many_tokens_error',
    'quota',
    'token_quota_exceeded',
  ),
  500: error('Encountered a server error, please try again.', 'server_error', '', 'internal_server_error'),
  503: error('The service is unavailable, please try again.', 'server_error', 'queue', 'service_unavailable'),
}

function error(message: string, type: string, param: string, code: string): object {
  return { message, type, param, code }
}

/** An error in the middle of a stream. */
export const errorEvent: string = `data: ${JSON.stringify({
  error: { ...errors[500], id: '' },
  status_code: 500,
})}`

export const rateHeaders: Headers = {
  'x-ratelimit-limit-requests-day': '14400',
  'x-ratelimit-limit-tokens-minute': '1000000',
  'x-ratelimit-remaining-requests-day': '14399',
  'x-ratelimit-remaining-tokens-minute': '999000',
  'x-ratelimit-reset-requests-day': '33011.382867097855',
  'x-ratelimit-reset-tokens-minute': '11.382867097854614',
}
