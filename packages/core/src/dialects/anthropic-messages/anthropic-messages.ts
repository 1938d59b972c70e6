import type { JsonBody } from '../../http/request-body.ts'
import { jsonBodyOf } from '../../http/request-body.ts'
import type { BodyDialect } from '../dialect.ts'
import type { InferenceCall } from '../inference-call.ts'
import { openaiChat } from '../openai-chat.ts'
import { translatedStream } from '../translated-stream.ts'
import { anthropicError, requestIdHeader } from './error.ts'
import { messageReply } from './message.ts'
import { messageTranslator } from './message-stream.ts'
import { refusal } from './refusal.ts'
import { chatOf } from './request.ts'

/** `POST /v1/messages` (anthropic-sdk-typescript 1.14.0, 2026-11-24), for every model that chats. */
export const anthropicMessages: BodyDialect = {
  parse(body) {
    if (body.value['max_tokens'] === undefined || body.value['max_tokens'] === null)
      throw refusal('max_tokens', 'is required. Say how many tokens the answer may have at most.')
    return readMessages(body)
  },
  reply: messageReply,
  stream: (call, stream, facts) => translatedStream(stream, messageTranslator(call, facts)),
  error: anthropicError,
  requestIdHeader,
}

/**
 * Reads a request as what it asks of a chat model, also one whose answer has no bound because it is only counted.
 *
 * @throws GatewayError `invalid_request` or `invalid_model_suffix`, naming the member at fault.
 */
export function readMessages(body: JsonBody): InferenceCall {
  const call = openaiChat.parse(jsonBodyOf(chatOf(body)))
  return { ...call, translatedFrom: body, wantsUsage: true }
}
