import { GatewayError } from '../../errors.ts'
import { type JsonBody, jsonBodyOf } from '../../http/request-body.ts'
import type { BodyDialect, ErrorBody } from '../dialect.ts'
import type { InferenceCall } from '../inference-call.ts'
import { openaiChat } from '../openai-chat.ts'
import { openaiError } from '../openai-error.ts'
import { chatBody } from './chat-body.ts'
import { responsesReply } from './reply.ts'
import { responsesStream } from './stream.ts'

/**
 * `POST /v1/responses` (openai-openapi, 2026-08-21), asked of models as chat. Nothing is stored: a request says everything, and
 * what would need a memory is refused.
 */
export const openaiResponses: BodyDialect = {
  parse,
  reply: responsesReply,
  stream: responsesStream,
  error: writeError,
}

/** Bounds on cost are those of the chat body, which is what providers get. */
function parse(body: JsonBody): InferenceCall {
  const call = openaiChat.parse(jsonBodyOf(chatBody(body)))
  // A response always tells its usage.
  return { ...call, translatedFrom: body, wantsUsage: true }
}

/** What providers blame is a member of the chat body. */
const callersNames: readonly (readonly [RegExp, string])[] = [
  [/^messages\b.*/, 'input'],
  [/^max_(?:completion_)?tokens$/, 'max_output_tokens'],
  [/^response_format\b.*/, 'text.format'],
  [/^reasoning_effort$/, 'reasoning.effort'],
  [/^verbosity$/, 'text.verbosity'],
  [/^logprobs$/, 'include'],
]

/** As of chat, except that here OpenAI calls a model that does not exist a bad request. */
function writeError(error: GatewayError, requestId: string): ErrorBody {
  const { code, message, facts, headers, retryAfterSeconds } = error
  const [pattern, name] = callersNames.find(([pattern]) => pattern.test(error.param ?? '')) ?? []
  const param = pattern === undefined ? error.param : name
  const status = code === 'model_not_found' ? 400 : error.status
  return openaiError(
    new GatewayError(code, message, { param, facts, headers, retryAfterSeconds, status }),
    requestId,
  )
}
