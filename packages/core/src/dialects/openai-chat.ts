import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { JsonBody } from '../http/request-body.ts'
import { isPricedApart } from '../rate-usage.ts'
import type { BodyDialect } from './dialect.ts'
import { type InferenceCall, parseModel } from './inference-call.ts'
import { flag, memberReader, positiveCount } from './members.ts'

const readMembers = memberReader({
  stream: flag,
  stream_options: z.looseObject({ include_usage: flag }).nullish(),
  max_tokens: positiveCount,
  max_completion_tokens: positiveCount,
  n: z.int().min(1).max(128).nullish(),
  // The first two have the price of the list. The others have prices of their own, where a target is sold in them at all.
  service_tier: z.enum(['auto', 'default', 'flex', 'priority']).nullish(),
})

/**
 * Tokens that chat templates add beyond the caller's text. A generous bound: templates known in November 2026 add about
 * 70 (the system preamble of gpt-oss) and 4 to 8 for each message.
 */
const templateTokens = 256
const messageTokens = 16

/** Parts that bring content by reference or compressed: nothing in the request bounds their tokens, so none can be held. */
const unboundedParts: readonly unknown[] = ['video_url', 'audio_url', 'file', 'input_file']

/** `POST /v1/chat/completions` (openai-openapi, 2026-08-21). */
export const openaiChat: BodyDialect = { parse }

function parse(body: JsonBody): InferenceCall {
  const { model, selector } = parseModel(body.value['model'])
  const options = readMembers(body)
  const messages = body.value['messages']
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new GatewayError('invalid_request', '"messages" must be an array with at least one message.', {
      param: 'messages',
    })
  }
  const content = measureContent(messages)
  const tier = options.service_tier
  const call: InferenceCall = {
    operation: 'chat',
    model,
    selector,
    body,
    isStreaming: options.stream === true,
    wantsUsage: options.stream_options?.include_usage === true,
    outputTokensMax: lowest(options.max_completion_tokens, options.max_tokens),
    choices: options.n ?? 1,
    inputs: 1,
    // Everything in the body may end up in the prompt: messages, tool definitions, schemas.
    inputTokensMax: body.byteLength - content.imageBytes + templateTokens + messages.length * messageTokens,
    inputImages: content.images,
    inputAudios: content.audios,
    image: undefined,
  }
  return tier == null || !isPricedApart(tier) ? call : { ...call, serviceTier: tier }
}

/** Counts image and audio parts, and the bytes of images that are carried inside the body, which are not text. */
function measureContent(messages: readonly unknown[]): {
  readonly images: number
  readonly audios: number
  readonly imageBytes: number
} {
  let images = 0
  let audios = 0
  let imageBytes = 0
  for (const [index, message] of messages.entries()) {
    if (typeof message !== 'object' || message === null || Array.isArray(message)) {
      throw new GatewayError('invalid_request', `"messages[${index}]" must be an object.`, {
        param: `messages.${index}`,
      })
    }
    const { content } = message as { content?: unknown }
    if (!Array.isArray(content)) continue
    for (const [place, part] of (content as { type?: unknown; image_url?: { url?: unknown } }[]).entries()) {
      if (unboundedParts.includes(part?.type))
        throw unboundedPart(`messages.${index}.content.${place}`, part.type)
      if (part?.type === 'input_audio') audios += 1
      if (part?.type !== 'image_url') continue
      images += 1
      const url = part.image_url?.url
      if (typeof url === 'string' && url.startsWith('data:')) imageBytes += url.length
    }
  }
  return { images, audios, imageBytes }
}

function unboundedPart(param: string, type: unknown): GatewayError {
  return new GatewayError('invalid_request', `Parts of type "${type}" are not supported.`, { param })
}

function lowest(a: number | null | undefined, b: number | null | undefined): number | undefined {
  if (a == null) return b ?? undefined
  return b == null ? a : Math.min(a, b)
}
