import { describe, expect, it } from 'vitest'
import { exampleTarget } from '../catalog/__fixtures__/example-rows.ts'
import { isGatewayError } from '../errors.ts'
import type { Attempt, AttemptFailure } from '../metering/attempt.ts'
import type { Verdict } from '../providers/provider.ts'
import { AttemptFailedError, answerError, exchangeError, exhausted } from './failure.ts'
import { BodyTooLargeError } from './read-body.ts'
import { TransportError } from './transport.ts'

const fallback: Verdict = { action: 'fallback', message: undefined }
const fatal: Verdict = { action: 'fatal', message: 'too hot', param: 'temperature', code: 'hot' }

function failureOf(
  status: number,
  verdict: Verdict = fallback,
  headers: Record<string, string> = {},
  body: unknown = undefined,
) {
  const error = answerError({ status, headers, body }, verdict, 'p0')
  if (error instanceof AttemptFailedError) return { ...error.failure, mayHaveCost: error.mayHaveCost }
  throw error
}

function attempt(providerId: string, failure?: AttemptFailure): Attempt {
  const target = exampleTarget({ providerId })
  return {
    attemptId: 'r.1',
    target,
    isOwnKey: false,
    startedMs: 0,
    outcome: 'failed',
    ...(failure === undefined ? {} : { failure }),
    mayHaveCost: false,
    isReportFinal: false,
    outputEvents: 0,
    replyBytes: 0,
  }
}

describe('an answer that is a provider’s own trouble', () => {
  it('says what was answered, in the provider’s words', () => {
    expect(failureOf(503, { ...fallback, message: 'overloaded' })).toEqual({
      reason: 'status',
      status: 503,
      message: 'answered 503 (overloaded)',
      mayHaveCost: false,
    })
    expect(failureOf(500).message).toBe('answered 500')
  })

  it.each([401, 402, 403])(
    'keeps the words of a %i to itself: they are about the gateway’s own account',
    (status) => {
      const message = 'Incorrect API key provided: sk-proj-abc'
      expect(failureOf(status, { ...fallback, message }).message).toBe(`answered ${status}`)
    },
  )

  it('may have cost something only if its status claims success', () => {
    expect(failureOf(200)).toMatchObject({ message: 'answered with an error', mayHaveCost: true })
    expect(failureOf(500).mayHaveCost).toBe(false)
  })

  it('cuts words that are too many', () => {
    expect(failureOf(500, { ...fallback, message: 'x'.repeat(1000) }).message).toHaveLength(
      'answered 500 (…)'.length + 300,
    )
  })

  it.each<[string, Record<string, string>, unknown, number | undefined]>([
    ['seconds in a header', { 'retry-after': '7' }, undefined, 7],
    ['a fraction, rounded up', { 'retry-after': '11.382' }, undefined, 12],
    ['zero', { 'retry-after': '0' }, undefined, 0],
    ['more than an hour, cut to one', { 'retry-after': '86399' }, undefined, 3600],
    ['seconds in the body', {}, { retry_after: 30 }, 30],
    ['both, of which the header counts', { 'retry-after': '7' }, { retry_after: 30 }, 7],
    ['a date, which is not read', { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }, undefined, undefined],
    ['less than nothing', { 'retry-after': '-1' }, undefined, undefined],
    ['nothing in a header', { 'retry-after': '' }, undefined, undefined],
    ['null in the body', {}, { retry_after: null }, undefined],
    ['a truth in the body', {}, { retry_after: true }, undefined],
    ['nothing at all', {}, undefined, undefined],
  ])('asks to wait for %s', (_case, headers, body, seconds) => {
    expect(failureOf(429, fallback, headers, body)).toEqual({
      reason: 'status',
      status: 429,
      message: 'answered 429',
      mayHaveCost: false,
      ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }),
    })
  })
})

describe('an answer that blames the request', () => {
  it.each([
    [400, 400],
    [413, 413],
    [422, 422],
    [403, 400],
    [200, 400],
  ])('with %i is told to the caller as %i, with the provider’s words, param and code', (status, shown) => {
    const error = answerError({ status, headers: {}, body: undefined }, fatal, 'p0')
    expect(error).toMatchObject({
      code: 'provider_rejected',
      status: shown,
      param: 'temperature',
      message: 'p0 refused the request: too hot',
      facts: { provider: 'p0', provider_code: 'hot' },
    })
  })

  it('for its length has OpenAI’s code for that', () => {
    const verdict = { ...fatal, isContextTooLong: true }
    expect(answerError({ status: 403, headers: {}, body: undefined }, verdict, 'p0')).toMatchObject({
      code: 'context_length_exceeded',
      status: 400,
      param: 'messages',
    })
  })
})

describe('a failed exchange', () => {
  it.each([
    [new TransportError('connect', undefined), 'connect', false],
    [new TransportError('timeout', undefined), 'timeout', true],
    [new TransportError('timeout', undefined, false), 'timeout', false],
    [new TransportError('reset', undefined), 'reset', true],
    [new BodyTooLargeError('big'), 'malformed', true],
  ])('is the target’s: %s', (cause, reason, mayHaveCost) => {
    const error = exchangeError(cause)
    expect(error).toBeInstanceOf(AttemptFailedError)
    expect(error).toMatchObject({ failure: { reason }, mayHaveCost, cause })
  })

  it('is the caller’s when he has left', () => {
    const error = exchangeError(new TransportError('aborted', undefined))
    expect(isGatewayError(error) && error.code).toBe('client_closed')
  })

  it('is a fault when it is nothing known', () => {
    const fault = new TypeError('x is undefined')
    expect(exchangeError(fault)).toBe(fault)
    expect(exchangeError('text').message).toBe('text')
  })
})

describe('when nobody could serve', () => {
  const late: AttemptFailure = { reason: 'timeout', message: 'did not answer in time' }
  const limited: AttemptFailure = {
    reason: 'status',
    status: 429,
    message: 'answered 429',
    retryAfterSeconds: 9,
  }

  it('the caller is to wait as long as the shortest wait, if everyone named one', () => {
    const soon = { ...limited, retryAfterSeconds: 3 }
    expect(exhausted([attempt('a', limited), attempt('b', soon)]).retryAfterSeconds).toBe(3)
    expect(exhausted([attempt('a', limited), attempt('b', late)]).retryAfterSeconds).toBeUndefined()
  })

  it('it is a time-out only if everyone was late', () => {
    expect(exhausted([attempt('a', late), attempt('b', late)]).code).toBe('provider_timeout')
    expect(exhausted([attempt('a', late), attempt('b', limited)]).code).toBe('provider_failed')
  })
})
