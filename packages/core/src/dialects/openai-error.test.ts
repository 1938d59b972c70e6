import { describe, expect, it } from 'vitest'
import { GatewayError } from '../errors.ts'
import { openaiError } from './openai-error.ts'

describe('an error on the wire', () => {
  it('has the members and headers that OpenAI’s SDKs read', () => {
    const error = new GatewayError('invalid_request', '"n" is wrong.', { param: 'n', facts: { max: 128 } })
    const { status, headers, body } = openaiError(error, 'req-1')
    expect(status).toBe(400)
    expect(headers).toEqual({
      'content-type': 'application/json; charset=utf-8',
      'x-request-id': 'req-1',
      'x-error-code': 'invalid_request',
      'x-error-message': '"n" is wrong.',
      'x-should-retry': 'false',
    })
    expect(JSON.parse(body)).toEqual({
      error: {
        message: '"n" is wrong.',
        type: 'invalid_request_error',
        param: 'n',
        code: 'invalid_request',
        max: 128,
      },
    })
  })

  it('has a null param when no member is at fault', () => {
    const { body } = openaiError(new GatewayError('gateway_busy', 'Busy.'), 'req-1')
    expect(JSON.parse(body).error.param).toBeNull()
  })

  it('lets SDKs retry what may succeed, after the time that was told', () => {
    const error = new GatewayError('provider_failed', 'No.', { retryAfterSeconds: 7 })
    const { status, headers } = openaiError(error, 'req-1')
    expect(status).toBe(502)
    expect(headers).not.toHaveProperty('x-should-retry')
    expect(headers['retry-after']).toBe('7')
  })

  it('keeps a provider’s own status', () => {
    expect(openaiError(new GatewayError('provider_rejected', 'No.', { status: 422 }), 'r').status).toBe(422)
  })

  it('carries further headers, which never replace its own', () => {
    const error = new GatewayError('gateway_busy', 'Busy.', {
      headers: { allow: 'POST', 'x-request-id': 'no' },
    })
    expect(openaiError(error, 'req-1').headers).toMatchObject({ allow: 'POST', 'x-request-id': 'req-1' })
  })

  it('never breaks its header with what a message may hold', () => {
    const message = `Line\r\nset-cookie: a=b é🦊${'x'.repeat(1000)}`
    const { headers } = openaiError(new GatewayError('provider_failed', message), 'req-1')
    expect(headers['x-error-message']).toMatch(/^[\x20-\x7e]{500}$/)
  })
})
