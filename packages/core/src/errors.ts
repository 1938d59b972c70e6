interface ErrorKind {
  readonly status: number
  /** The `type` of an OpenAI error. */
  readonly type: string
  /** Whether sending the same request again may succeed. */
  readonly isRetryable: boolean
}

export type ErrorCode =
  | 'invalid_json'
  | 'invalid_request'
  | 'invalid_model_suffix'
  | 'model_not_supported'
  | 'context_length_exceeded'
  | 'provider_rejected'
  | 'invalid_api_key'
  | 'insufficient_credits'
  | 'payer_not_allowed'
  | 'model_not_allowed'
  | 'model_not_found'
  | 'receipt_not_found'
  | 'invoice_not_found'
  | 'response_not_found'
  | 'method_not_allowed'
  | 'idempotency_key_reused'
  | 'idempotency_key_in_use'
  | 'idempotent_answer_lost'
  | 'request_too_large'
  | 'unsupported_encoding'
  | 'rate_limit_exceeded'
  | 'request_over_token_limit'
  | 'client_closed'
  | 'body_already_read'
  | 'provider_failed'
  | 'store_unavailable'
  | 'gateway_busy'
  | 'gateway_closed'
  | 'provider_timeout'

/** Every way a request can fail. `docs/errors.md` explains each. */
export const errorCodes: Readonly<Record<ErrorCode, ErrorKind>> = {
  invalid_json: { status: 400, type: 'invalid_request_error', isRetryable: false },
  invalid_request: { status: 400, type: 'invalid_request_error', isRetryable: false },
  invalid_model_suffix: { status: 400, type: 'invalid_request_error', isRetryable: false },
  model_not_supported: { status: 400, type: 'invalid_request_error', isRetryable: false },
  context_length_exceeded: { status: 400, type: 'invalid_request_error', isRetryable: false },
  provider_rejected: { status: 400, type: 'invalid_request_error', isRetryable: false },
  invalid_api_key: { status: 401, type: 'invalid_request_error', isRetryable: false },
  insufficient_credits: { status: 402, type: 'insufficient_quota', isRetryable: false },
  payer_not_allowed: { status: 403, type: 'invalid_request_error', isRetryable: false },
  model_not_allowed: { status: 403, type: 'invalid_request_error', isRetryable: false },
  model_not_found: { status: 404, type: 'invalid_request_error', isRetryable: false },
  receipt_not_found: { status: 404, type: 'invalid_request_error', isRetryable: false },
  response_not_found: { status: 404, type: 'invalid_request_error', isRetryable: false },
  invoice_not_found: { status: 404, type: 'invalid_request_error', isRetryable: false },
  method_not_allowed: { status: 405, type: 'invalid_request_error', isRetryable: false },
  idempotency_key_reused: { status: 409, type: 'invalid_request_error', isRetryable: false },
  idempotency_key_in_use: { status: 409, type: 'invalid_request_error', isRetryable: true },
  idempotent_answer_lost: { status: 409, type: 'invalid_request_error', isRetryable: false },
  request_too_large: { status: 413, type: 'invalid_request_error', isRetryable: false },
  unsupported_encoding: { status: 415, type: 'invalid_request_error', isRetryable: false },
  rate_limit_exceeded: { status: 429, type: 'rate_limit_error', isRetryable: true },
  request_over_token_limit: { status: 429, type: 'rate_limit_error', isRetryable: false },
  client_closed: { status: 499, type: 'invalid_request_error', isRetryable: false },
  body_already_read: { status: 500, type: 'server_error', isRetryable: false },
  provider_failed: { status: 502, type: 'server_error', isRetryable: true },
  store_unavailable: { status: 503, type: 'server_error', isRetryable: true },
  gateway_busy: { status: 503, type: 'server_error', isRetryable: true },
  gateway_closed: { status: 503, type: 'server_error', isRetryable: true },
  provider_timeout: { status: 504, type: 'server_error', isRetryable: true },
}

export interface GatewayErrorOptions {
  /** The request member that is at fault, such as `messages`. */
  readonly param?: string | undefined
  /** Members added to the error object in the body: facts a program can act on. Amounts as decimal strings. */
  readonly facts?: Readonly<Record<string, unknown>> | undefined
  /** Sent as `retry-after`, whole seconds. */
  readonly retryAfterSeconds?: number | undefined
  /** Further headers of the answer, names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Overrides the status of the code, for a provider's own 4xx. */
  readonly status?: number | undefined
  readonly cause?: unknown
}

/**
 * The one error Farebox reports. Its message is for the end user: it holds no key, prompt, host or SQL.
 * Recognise it with `isGatewayError`, because an app may hold two copies of this package.
 */
export class GatewayError extends Error {
  override readonly name: string = 'GatewayError'
  readonly code: ErrorCode
  readonly status: number
  readonly param: string | undefined
  readonly facts: Readonly<Record<string, unknown>> | undefined
  readonly retryAfterSeconds: number | undefined
  readonly headers: Readonly<Record<string, string>> | undefined

  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status ?? errorCodes[code].status
    this.param = options.param
    this.facts = options.facts
    this.retryAfterSeconds = options.retryAfterSeconds
    this.headers = options.headers
  }
}

export function isGatewayError(error: unknown): error is GatewayError {
  return error instanceof Error && error.name === 'GatewayError'
}
