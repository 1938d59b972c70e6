import { GatewayError } from '../errors.ts'
import type { JsonBody } from '../http/request-body.ts'
import type { BodyDialect } from './dialect.ts'
import { type InferenceCall, parseModel, wholeCall } from './inference-call.ts'

/** The model that OpenAI asks where the caller names none (openai-openapi, 2026-08-21). */
const defaultModel = 'omni-moderation-latest'

/** The most inputs of one request. */
const inputsMax = 2048

/** `POST /v1/moderations`. */
export const openaiModerations: BodyDialect = { parse }

function parse(body: JsonBody): InferenceCall {
  const named = parseModel(body.value['model'] ?? defaultModel)
  return wholeCall('moderations', body, named, { inputs: countInputs(body.value['input']) })
}

/** A text, texts, or the parts of one message. */
function countInputs(input: unknown): number {
  if (typeof input === 'string' && input !== '') return 1
  if (Array.isArray(input) && input.length > 0 && input.length <= inputsMax) {
    if (input.every((item) => typeof item === 'string')) return input.length
    if (input.every((item) => typeof item === 'object' && item !== null && !Array.isArray(item))) return 1
  }
  throw new GatewayError(
    'invalid_request',
    `"input" must be a text, at most ${inputsMax} texts, or an array of parts.`,
    { param: 'input' },
  )
}
