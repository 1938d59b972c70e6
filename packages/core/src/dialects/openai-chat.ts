import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { JsonBody } from '../http/request-body.ts'
import { isPricedApart } from '../rate-usage.ts'
import type { BodyDialect } from './dialect.ts'
import { type InferenceCall, parseModel } from './inference-call.ts'
import { flag, memberReader, positiveCount, wrongMember } from './members.ts'

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
const unboundedParts: ReadonlySet<unknown> = new Set([
  'audio',
  'audio_embeds',
  'audio_url',
  'file',
  'file_url',
  'image_embeds',
  'input_file',
  'input_video',
  'video',
  'video_url',
])

const imageParts: ReadonlySet<unknown> = new Set(['image', 'image_pil', 'image_url', 'input_image'])

/** Members with which servers of open models make a prompt, or an image, of any length. */
const unboundedMembers = ['chat_template', 'mm_processor_kwargs']

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
  for (const name of unboundedMembers) {
    if (body.value[name] != null)
      throw wrongMember(name, `"${name}" is not supported: nothing bounds what it makes of a prompt.`)
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
    for (const [place, part] of (content as readonly unknown[]).entries()) {
      if (typeof part !== 'object' || part === null) continue
      const kind = kindOf(part)
      if (unboundedParts.has(kind)) throw unboundedPart(`messages.${index}.content.${place}`, kind)
      if (kind === 'input_audio') audios += 1
      if (!imageParts.has(kind)) continue
      images += 1
      const { url } = (part as { image_url?: { url?: unknown } | null }).image_url ?? {}
      if (typeof url === 'string' && url.startsWith('data:')) imageBytes += url.length
    }
  }
  return { images, audios, imageBytes }
}

/**
 * What a part brings: by its type, and by its members whatever its type says, or where it has none. Servers of open models go by
 * either (vLLM 0.11 `chat_utils.py`, chat templates of Qwen-VL), and some without regard to case.
 */
function kindOf(part: object): string | undefined {
  let kind: string | undefined
  for (const name in part) {
    const usual = name.toLowerCase()
    const told = usual === 'type' ? (part as Record<string, unknown>)[name] : usual
    if (unboundedParts.has(told)) return told as string
    if (imageParts.has(told)) kind = told as string
    else if (told === 'input_audio') kind ??= told
  }
  return kind
}

function unboundedPart(param: string, type: unknown): GatewayError {
  return wrongMember(param, `Parts of type "${String(type)}" are not supported.`)
}

function lowest(a: number | null | undefined, b: number | null | undefined): number | undefined {
  if (a == null) return b ?? undefined
  return b == null ? a : Math.min(a, b)
}
