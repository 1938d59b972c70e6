import type { Clock } from '../clock.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { GatewayError } from '../errors.ts'
import { type JsonObject, scanObject, skipSpace } from '../http/json-object.ts'
import type { Operation } from '../http/routes.ts'
import type { Attempt } from '../metering/attempt.ts'
import type { Provider, UpstreamAnswer, UpstreamRequest } from '../providers/provider.ts'
import type { Quantities } from '../usage.ts'
import { answerError, askedTooMuch, exchangeError, hideIn, malformed } from './failure.ts'
import { BodyTooLargeError, readBody } from './read-body.ts'
import {
  isTransportError,
  type SendOptions,
  type Transport,
  TransportError,
  type TransportResponse,
} from './transport.ts'

export interface ReplyContext {
  readonly call: InferenceCall
  readonly attempt: Attempt
  readonly provider: Provider
  /** Takes the key that is used out of what the provider says; `undefined` when there is none. */
  readonly hide: ((text: string) => string) | undefined
  readonly transport: Transport
  readonly clock: Clock
  readonly options: SendOptions
  readonly replyBytesMax: number
}

/** A reply, with its members where it came as it is. */
export interface Reply {
  readonly reply: Buffer
  readonly object: JsonObject | undefined
  /** Of what is not JSON. */
  readonly contentType?: string | undefined
}

const openBracket = 0x5b
const closeBracket = 0x5d

/** Consecutive polls that may fail before a job is given up. */
const pollFailuresMax = 3

/** A whole answer in OpenAI's shape, fully arrived: until then another target may still serve. */
export async function fetchReply(request: UpstreamRequest, context: ReplyContext): Promise<Reply> {
  const { provider, attempt } = context
  const response = await send(request, context)
  attempt.firstByteMs = context.clock.monotonicMs()
  const bytes = await readReply(response, context)
  if (provider.follow !== undefined)
    return { reply: await followJob(toAnswer(response, bytes), context), object: undefined }
  if (response.status >= 300) throw refusal(toAnswer(response, bytes), context)
  if (context.call.operation === 'speech') return checkFile(response, bytes, context)
  return { reply: bytes, object: checkReply(response, bytes, context) }
}

/** Reads a refusal's body and says what it means. */
export async function readRefusal(response: TransportResponse, context: ReplyContext): Promise<Error> {
  return refusal(toAnswer(response, await readReply(response, context)), context)
}

/** Polls a job until it is over. A caller who leaves, or a job that takes too long, cancels it. */
async function followJob(created: UpstreamAnswer, context: ReplyContext): Promise<Buffer> {
  const { provider, call, attempt } = context
  let answer = created
  let failures = 0
  if (answer.status >= 300) throw refusal(answer, context)
  try {
    for (;;) {
      const next = provider.follow?.(answer, call)
      if (next === undefined) break
      await delay(next.delayMs, context)
      const polled = await poll(next.request, context)
      failures = polled === undefined ? failures + 1 : 0
      if (failures > pollFailuresMax) throw malformed('stopped telling about the job')
      answer = polled ?? answer
    }
  } catch (error) {
    await cancelJob(answer, context)
    throw error
  }
  const reported = provider.usage(answer.body, call)
  if (reported !== undefined) report(attempt, reported)
  const status = (answer.body as { status?: unknown } | undefined)?.status
  if (status !== 'succeeded' || provider.decode === undefined) throw refusal(answer, context)
  return provider.decode(answer, call, attempt.target)
}

async function poll(request: UpstreamRequest, context: ReplyContext): Promise<UpstreamAnswer | undefined> {
  try {
    const response = await context.transport.send(request, context.options)
    const answer = toAnswer(response, await readBody(response.body, context.replyBytesMax))
    // A page of HTML with status 200 tells nothing about the job either.
    return answer.status < 300 && answer.body !== undefined ? answer : undefined
  } catch (error) {
    if (isTransportError(error) && error.failure === 'aborted') throw exchangeError(error)
    return undefined
  }
}

/** Best effort: what a job that could not be stopped costs is found out by reconciliation. */
async function cancelJob(answer: UpstreamAnswer, context: ReplyContext): Promise<void> {
  const request = context.provider.cancel?.(answer)
  if (request === undefined) return
  const { signal: _left, ...options } = context.options
  const stopped = await poll(request, { ...context, options: { ...options, totalTimeoutMs: 10_000 } })
  const reported = stopped === undefined ? undefined : context.provider.usage(stopped.body, context.call)
  if (reported !== undefined) report(context.attempt, reported)
}

/** A job tells its usage once, when it is over. */
function report(attempt: Attempt, reported: Quantities): void {
  attempt.reported = reported
  attempt.isReportFinal = true
}

function delay(delayMs: number, { clock, options, attempt }: ReplyContext): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal } = options
    if (signal?.aborted) {
      reject(exchangeError(new TransportError('aborted', undefined)))
      return
    }
    if (clock.monotonicMs() - attempt.startedMs > options.totalTimeoutMs) {
      reject(exchangeError(new TransportError('timeout', undefined)))
      return
    }
    const onAbort = () => {
      cancel()
      reject(new GatewayError('client_closed', 'The caller closed the connection.'))
    }
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort)
  })
}

function send(request: UpstreamRequest, { transport, options }: ReplyContext): Promise<TransportResponse> {
  return transport.send(request, options).catch(rethrow)
}

function readReply(
  { status, body }: TransportResponse,
  { replyBytesMax, provider, call }: ReplyContext,
): Promise<Buffer> {
  return readBody(body, replyBytesMax).catch((error: unknown) => {
    const isAnswer = status < 300 && provider.follow === undefined && asksForMuch(call)
    throw isAnswer && error instanceof BodyTooLargeError
      ? askedTooMuch(error, replyBytesMax)
      : exchangeError(error)
  })
}

/** Members that make an answer many times longer than what a model writes. */
const longMembers = ['logprobs', 'top_logprobs', 'prompt_logprobs']

/** Whether an answer may be long because its caller wants it so. One answer to one prompt is never: that is the provider's fault. */
function asksForMuch({ inputs, choices, body: { value } }: InferenceCall): boolean {
  return inputs > 1 || choices > 1 || longMembers.some((name) => Boolean(value[name]))
}

function rethrow(error: unknown): never {
  throw exchangeError(error)
}

/** What every answer holds at least one of. */
const answerMember: Readonly<Record<Exclude<Operation, 'speech'>, string>> = {
  chat: 'choices',
  completions: 'choices',
  embeddings: 'data',
  images: 'data',
  moderations: 'results',
  transcriptions: 'text',
}

/** A file is bytes of some kind of media. JSON in its place is an error, or nothing anybody asked for. */
function checkFile(response: TransportResponse, bytes: Buffer, context: ReplyContext): Reply {
  const told = response.headers['content-type']
  const contentType = typeof told === 'string' ? told : ''
  if (/json/i.test(contentType)) throw refusal(toAnswer(response, bytes), context)
  if (bytes.length === 0 || /^text\//i.test(contentType)) throw malformed('sent an answer without content')
  return { reply: bytes, object: undefined, contentType: contentType || 'application/octet-stream' }
}

/** Some providers answer 200 with an error, or with nothing at all. */
function checkReply(response: TransportResponse, bytes: Buffer, context: ReplyContext): JsonObject {
  const object = scanObject(bytes)
  if (object === undefined) throw malformed('sent an answer that is not a JSON object')
  const member = (name: string) => object.members.find((candidate) => candidate.name === name)
  const error = member('error')
  if (error !== undefined && bytes.toString('latin1', error.valueStart, error.valueEnd) !== 'null') {
    throw refusal(toAnswer(response, bytes), context)
  }
  const { operation } = context.call
  const answers = operation === 'speech' ? undefined : member(answerMember[operation])
  // An array that closes where it opens is empty. The rest is not looked at: it may be megabytes of vectors.
  if (answers === undefined || isEmptyArray(bytes, answers.valueStart)) {
    throw malformed('sent an answer without content')
  }
  return object
}

function isEmptyArray(bytes: Buffer, start: number): boolean {
  return bytes[start] === openBracket && bytes[skipSpace(bytes, start + 1)] === closeBracket
}

/** What an answer that is none means, in an error that holds no key. */
export function refusal(answer: UpstreamAnswer, { provider, hide }: ReplyContext): Error {
  const verdict = provider.classify(answer.status, answer.body)
  return answerError(answer, hide === undefined ? verdict : hideIn(verdict, hide), provider.id)
}

function toAnswer({ status, headers }: TransportResponse, bytes: Buffer): UpstreamAnswer {
  return { status, headers, body: parse(bytes) }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
