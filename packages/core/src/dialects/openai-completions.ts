import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { JsonBody } from '../http/request-body.ts'
import type { BodyDialect } from './dialect.ts'
import { type InferenceCall, parseModel } from './inference-call.ts'
import { flag, memberReader, positiveCount } from './members.ts'

const readMembers = memberReader({
  stream: flag,
  stream_options: z.looseObject({ include_usage: flag }).nullish(),
  max_tokens: positiveCount,
  n: z.int().min(1).max(128).nullish(),
  best_of: z.int().min(1).max(128).nullish(),
})

/** What OpenAI writes at most where the caller sets no bound (openai-openapi, 2026-08-21). */
const defaultTokens = 16

/** Special tokens a tokenizer puts around each prompt. */
const promptTokens = 8

/** The most prompts of one request. */
const promptsMax = 2048

/** `POST /v1/completions`: text that goes on, without roles. Chat models are asked in it where their provider offers it. */
export const openaiCompletions: BodyDialect = { parse }

function parse(body: JsonBody): InferenceCall {
  const { model, selector } = parseModel(body.value['model'])
  const options = readMembers(body)
  const prompts = countPrompts(body.value['prompt'])
  return {
    operation: 'completions',
    model,
    selector,
    body,
    isStreaming: options.stream === true,
    wantsUsage: options.stream_options?.include_usage === true,
    outputTokensMax: options.max_tokens ?? defaultTokens,
    // Those that are not the best are billed as well.
    choices: prompts * Math.max(options.n ?? 1, options.best_of ?? 1),
    inputs: prompts,
    inputTokensMax: body.byteLength + prompts * promptTokens,
    inputImages: 0,
    inputAudios: 0,
    image: undefined,
  }
}

/** A text, an array of texts, a prompt in tokens, or an array of those. */
function countPrompts(prompt: unknown): number {
  if (typeof prompt === 'string') return 1
  if (Array.isArray(prompt) && prompt.length > 0) {
    if (prompt.every((item) => typeof item === 'number')) return 1
    const arePrompts = prompt.every((item) => typeof item === 'string' || isTokens(item))
    if (arePrompts && prompt.length <= promptsMax) return prompt.length
    if (arePrompts) {
      throw new GatewayError('invalid_request', `"prompt" holds more than ${promptsMax} prompts.`, {
        param: 'prompt',
      })
    }
  }
  throw new GatewayError(
    'invalid_request',
    '"prompt" must be a text or a non-empty array of texts or token arrays.',
    { param: 'prompt' },
  )
}

function isTokens(item: unknown): boolean {
  return Array.isArray(item) && item.length > 0 && item.every((token) => typeof token === 'number')
}
