import { GatewayError } from '../../errors.ts'
import type { ByteStream } from '../../http/byte-stream.ts'
import { firstChoice } from '../chat-answer.ts'
import type { AnswerFacts } from '../dialect.ts'
import type { InferenceCall } from '../inference-call.ts'
import { isObject } from '../members.ts'
import {
  encodeNamedEvent,
  keptCharactersMax,
  type StreamTranslator,
  translatedStream,
} from '../translated-stream.ts'
import { endingOf, responseError } from './ending.ts'
import { createOutput } from './output.ts'
import { type ResponseState, responseObject } from './response-object.ts'
import { toolNames } from './tools.ts'
import { responseUsage } from './usage.ts'

type Json = Readonly<Record<string, unknown>>

/** A chat stream as the events of a response. It always ends with one that says how: completed, incomplete or failed. */
export function responsesStream(call: InferenceCall, stream: ByteStream, facts: AnswerFacts): ByteStream {
  return translatedStream(stream, createTranslator(call, facts))
}

function createTranslator(call: InferenceCall, facts: AnswerFacts): StreamTranslator {
  const show = responseObject(call, facts)
  let sequence = 0
  let told = ''
  let createdAt: number | undefined
  let finishReason: unknown
  let usage: Json | undefined
  let serviceTier: string | undefined

  function tell(type: string, members: Json): void {
    told += encodeNamedEvent(type, { type, sequence_number: sequence, ...members })
    sequence += 1
  }
  const output = createOutput({
    suffix: facts.requestId,
    toolOf: toolNames((call.translatedFrom ?? call.body).value['tools']),
    tell,
  })
  const respond = (state: Pick<ResponseState, 'status' | 'incompleteReason' | 'error'>) => ({
    response: show({ ...state, createdAt: createdAt ?? 0, output: output.items(), serviceTier, usage }),
  })

  /** Clients know nothing of a response before it was created. */
  function begin(created: unknown): void {
    if (createdAt !== undefined) return
    createdAt = typeof created === 'number' ? created : 0
    tell('response.created', respond({ status: 'in_progress' }))
    tell('response.in_progress', respond({ status: 'in_progress' }))
  }

  function flush(): string {
    const text = told
    told = ''
    return text
  }

  return {
    event(chunk) {
      begin(chunk['created'])
      if (typeof chunk['service_tier'] === 'string') serviceTier = chunk['service_tier']
      const counted = chunk['usage']
      if (isObject(counted)) usage = responseUsage(counted) ?? usage
      const { delta, logprobs, finish_reason: reason } = firstChoice(chunk) ?? {}
      if (isObject(delta)) output.add(delta, logprobs)
      if (typeof reason === 'string') finishReason = reason
      // The events that end an item and the stream have all of its text again, log probabilities included.
      if (output.length > keptCharactersMax)
        throw new GatewayError('provider_failed', 'The answer is too long to be streamed as a response.')
      return flush()
    },
    error(error) {
      begin(undefined)
      tell('response.failed', respond({ status: 'failed', error: responseError(error) }))
      return flush()
    },
    done() {
      begin(undefined)
      const { status, incompleteReason } = endingOf(finishReason)
      output.end(status)
      tell(`response.${status}`, respond({ status, incompleteReason }))
      return flush()
    },
  }
}
