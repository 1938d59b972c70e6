import { describe, expect, it } from 'vitest'
import { type ErrorCode, errorCodes, GatewayError } from '../../errors.ts'
import { anthropicError, streamError } from './error.ts'

describe('an error before an answer', () => {
  it('has the members and headers that Anthropic’s SDKs read', () => {
    const error = new GatewayError('insufficient_credits', 'Not enough.', { facts: { missing: '0.10' } })
    const { status, headers, body } = anthropicError(error, 'req-1')
    expect(status).toBe(402)
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'request-id': 'req-1',
      'x-request-id': 'req-1',
      'x-error-code': 'insufficient_credits',
      'x-should-retry': 'false',
    })
    expect(JSON.parse(body)).toEqual({
      type: 'error',
      error: {
        type: 'billing_error',
        message: 'Not enough.',
        details: { error_code: 'insufficient_credits', missing: '0.10' },
      },
      request_id: 'req-1',
    })
  })

  it('may be retried where that may help, after the time that was told', () => {
    const { headers } = anthropicError(
      new GatewayError('rate_limit_exceeded', 'Slow down.', { retryAfterSeconds: 7 }),
      'req-1',
    )
    expect(headers['retry-after']).toBe('7')
    expect(headers).not.toHaveProperty('x-should-retry')
  })

  it('names the member at fault', () => {
    const { body } = anthropicError(new GatewayError('invalid_request', 'No.', { param: 'tools.0' }), 'req-1')
    expect(JSON.parse(body).error.details).toEqual({ error_code: 'invalid_request', param: 'tools.0' })
  })

  it('begins with the words that make Claude Code shorten its conversation', () => {
    const { body } = anthropicError(new GatewayError('context_length_exceeded', 'Too much.'), 'req-1')
    expect(JSON.parse(body).error.message).toBe('prompt is too long: Too much.')
  })

  it.each([
    [400, 'invalid_request', 'invalid_request_error'],
    [401, 'invalid_api_key', 'authentication_error'],
    [402, 'insufficient_credits', 'billing_error'],
    [403, 'model_not_allowed', 'permission_error'],
    [404, 'model_not_found', 'not_found_error'],
    [405, 'method_not_allowed', 'invalid_request_error'],
    [409, 'idempotency_key_reused', 'conflict_error'],
    [413, 'request_too_large', 'request_too_large'],
    [415, 'unsupported_encoding', 'invalid_request_error'],
    [429, 'rate_limit_exceeded', 'rate_limit_error'],
    [500, 'body_already_read', 'api_error'],
    [502, 'provider_failed', 'api_error'],
    [503, 'gateway_busy', 'overloaded_error'],
    [504, 'provider_timeout', 'timeout_error'],
  ] as const)('of status %i (%s) is of the type %s', (status, code, type) => {
    const written = anthropicError(new GatewayError(code, 'No.'), 'req-1')
    expect(written.status).toBe(status)
    expect(JSON.parse(written.body).error.type).toBe(type)
  })

  it('keeps a status that a provider gave', () => {
    const error = new GatewayError('provider_rejected', 'No.', { status: 422 })
    expect(JSON.parse(anthropicError(error, 'req-1').body).error.type).toBe('invalid_request_error')
  })

  it('has a type for every code', () => {
    for (const code of Object.keys(errorCodes) as ErrorCode[]) {
      expect(JSON.parse(anthropicError(new GatewayError(code, 'No.'), 'r').body).error.type).toMatch(/^\w+$/)
    }
  })
})

describe('an error in a stream', () => {
  it('is one of the gateway by its code, with its facts', () => {
    const error = {
      message: 'Broke off.',
      type: 'server_error',
      param: null,
      code: 'provider_timeout',
      tried: [1],
    }
    expect(streamError(error, 'r-1')).toEqual({
      type: 'error',
      error: {
        type: 'timeout_error',
        message: 'Broke off.',
        details: { error_code: 'provider_timeout', param: null, tried: [1] },
      },
      request_id: 'r-1',
    })
  })

  it.each([
    [
      { message: 'Encountered a server error', type: 'server_error', code: 'oops' },
      'Encountered a server error',
    ],
    [{ message: 'Busy', code: 503 }, 'Busy'],
    [{ message: 'x', code: 'constructor' }, 'x'],
    [{}, 'The provider reported an error.'],
    [{ message: { nested: true } }, 'The provider reported an error.'],
  ])('is a provider’s own in its words: %j', (error, message) => {
    expect(streamError(error, 'r-1')).toMatchObject({ type: 'error', error: { type: 'api_error', message } })
  })
})
