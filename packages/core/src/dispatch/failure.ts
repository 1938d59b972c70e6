import { GatewayError } from '../errors.ts'
import type { Attempt, AttemptFailure } from '../metering/attempt.ts'
import type { UpstreamAnswer, Verdict } from '../providers/provider.ts'
import { BodyTooLargeError } from './read-body.ts'
import { isTransportError } from './transport.ts'

/** One attempt came to nothing; the next target may be tried. */
export class AttemptFailedError extends Error {
  override readonly name: string = 'AttemptFailedError'
  readonly failure: AttemptFailure
  readonly mayHaveCost: boolean
  constructor(failure: AttemptFailure, mayHaveCost: boolean, cause?: unknown) {
    super(failure.message, { cause })
    this.failure = failure
    this.mayHaveCost = mayHaveCost
  }
}

/** What a provider says with these is about the gateway's own account, and quotes parts of its key. */
const ownAccountStatuses: readonly number[] = [401, 402, 403]

/** An answer that is no answer, as an error: for the caller when the request is at fault, else for the next target. */
export function answerError(answer: UpstreamAnswer, verdict: Verdict, providerId: string): Error {
  if (verdict.action === 'fatal') return rejected(answer.status, verdict, providerId)
  const retryAfterSeconds = retryAfter(answer)
  const message = answer.status < 400 ? 'answered with an error' : `answered ${answer.status}`
  const isPrivate = ownAccountStatuses.includes(answer.status)
  return new AttemptFailedError(
    {
      reason: 'status',
      status: answer.status,
      message:
        verdict.message === undefined || isPrivate ? message : `${message} (${shorten(verdict.message)})`,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    },
    // An error status is an answer to the question what was done: nothing that is charged.
    answer.status < 400,
  )
}

/** A verdict without a key in it: some providers quote the one they were sent. */
export function hideIn(verdict: Verdict, hide: (text: string) => string): Verdict {
  const { message, code, param } = verdict
  return {
    ...verdict,
    message: message && hide(message),
    code: code && hide(code),
    param: param && hide(param),
  }
}

/** What a failure of the exchange itself means. */
export function exchangeError(error: unknown): Error {
  if (error instanceof BodyTooLargeError) {
    return new AttemptFailedError(
      { reason: 'malformed', message: 'sent an answer that is too large' },
      true,
      error,
    )
  }
  if (!isTransportError(error)) return error instanceof Error ? error : new Error(String(error))
  switch (error.failure) {
    case 'aborted':
      return new GatewayError('client_closed', 'The caller closed the connection.', { cause: error })
    case 'connect':
      return new AttemptFailedError({ reason: 'connect', message: 'could not be reached' }, false, error)
    case 'timeout':
      return new AttemptFailedError(
        { reason: 'timeout', message: 'did not answer in time' },
        error.wasSent,
        error,
      )
    case 'reset':
      return new AttemptFailedError({ reason: 'reset', message: 'closed the connection' }, true, error)
  }
}

/** An answer that is longer than any that is passed on would be as long from the next target, and has been paid for once. */
export function askedTooMuch(cause: BodyTooLargeError, bytesMax: number): GatewayError {
  return new GatewayError(
    'invalid_request',
    `The answer to this request has more than ${bytesMax} bytes. Ask for less at once: fewer inputs, tokens or log probabilities.`,
    { facts: { bytes_max: bytesMax }, cause },
  )
}

export function malformed(what: string): AttemptFailedError {
  return new AttemptFailedError({ reason: 'malformed', message: what }, true)
}

/** Nobody could serve: names every target that was tried, and why it failed. */
export function exhausted(attempts: readonly Attempt[]): GatewayError {
  const failures = attempts.flatMap(({ target, isOwnKey, failure }) =>
    failure === undefined ? [] : [{ target, isOwnKey, failure }],
  )
  const tried = failures.map(
    ({ target, isOwnKey, failure }) =>
      `${target.providerId} ${failure.message}${isOwnKey ? ' with your own key' : ''}`,
  )
  const refused = failures.filter(({ isOwnKey, failure }) => isOwnKey && isKeysFault(failure))
  const remedy =
    refused.length === 0
      ? ''
      : ` Check your own key for ${[...new Set(refused.map(({ target }) => target.providerId))].join(', ')}.`
  const isTimeout = failures.length > 0 && failures.every(({ failure }) => failure.reason === 'timeout')
  const waits = failures.flatMap(({ failure }) => failure.retryAfterSeconds ?? [])
  return new GatewayError(
    isTimeout ? 'provider_timeout' : 'provider_failed',
    `No provider could serve this request: ${tried.join('; ')}.${remedy}`,
    {
      retryAfterSeconds:
        waits.length === failures.length && waits.length > 0 ? Math.min(...waits) : undefined,
      facts: {
        tried: failures.map(({ target, isOwnKey, failure }) => ({
          provider: target.providerId,
          reason: failure.reason,
          ...(failure.status === undefined ? {} : { status: failure.status }),
          ...(isOwnKey ? { own_key: true } : {}),
        })),
      },
    },
  )
}

/** Whether the key is not accepted, not paid for, or used up. */
function isKeysFault({ status }: AttemptFailure): boolean {
  return status !== undefined && (ownAccountStatuses.includes(status) || status === 429)
}

function rejected(status: number, verdict: Verdict, providerId: string): GatewayError {
  const message = verdict.message === undefined ? '' : `: ${shorten(verdict.message)}`
  if (verdict.isContextTooLong === true) {
    return new GatewayError(
      'context_length_exceeded',
      `The request is longer than the model's context${message}`,
      {
        param: 'messages',
      },
    )
  }
  return new GatewayError('provider_rejected', `${providerId} refused the request${message}`, {
    status: status === 413 || status === 422 ? status : 400,
    param: verdict.param,
    facts: { provider: providerId, ...(verdict.code === undefined ? {} : { provider_code: verdict.code }) },
  })
}

/** Seconds a provider asked to wait, from its header or body; at most an hour. */
function retryAfter(answer: UpstreamAnswer): number | undefined {
  const header = answer.headers['retry-after']
  const inBody = (answer.body as { retry_after?: unknown } | null | undefined)?.retry_after
  const seconds = typeof header === 'string' && header !== '' ? Number(header) : inBody
  return typeof seconds === 'number' && seconds >= 0 ? Math.min(3600, Math.ceil(seconds)) : undefined
}

function shorten(message: string): string {
  return message.length > 300 ? `${message.slice(0, 300)}…` : message
}
