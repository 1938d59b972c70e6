import { createDraw } from './answer.ts'
import { answerChat, type Chat, type ChatShape, deltaOf, messageOf } from './chat.ts'
import { type ChatBody, chatProblem } from './chat-request.ts'
import { type CompletionsApi, completeText } from './completions.ts'
import { beginInference, type Context, type ProviderSimulation, seedKey } from './context.ts'
import { asObject, type Exchange, type Headers, type Reply, sendJson } from './exchange.ts'
import { moderate } from './moderations.ts'
import {
  findPrice,
  isChatPrice,
  isImagePrice,
  isSpeechPrice,
  isTranscriptionPrice,
  type ModelPrice,
} from './price-list.ts'
import { createSpeech, createTranscription } from './together-audio.ts'
import { createEmbeddings, createImages, type TogetherApi } from './together-media.ts'

const provider = 'together'

/** Together AI: chat, completions, embeddings, images and audio; errors in an `error` member; usage always on the finish chunk. */
export function together(context: Context): ProviderSimulation {
  return {
    refuse,
    async answer(exchange, path) {
      switch (`${exchange.request.method} ${path}`) {
        case 'POST /v1/chat/completions':
          return chat(context, exchange)
        case 'POST /v1/completions':
          return completeText(context, exchange, completions)
        case 'POST /v1/moderations':
          return moderate(context, exchange, api)
        case 'POST /v1/audio/speech':
          return createSpeech(context, exchange, api)
        case 'POST /v1/audio/transcriptions':
          return createTranscription(context, exchange, api)
        case 'POST /v1/embeddings':
          return createEmbeddings(context, exchange, api)
        case 'POST /v1/images/generations':
          return createImages(context, exchange, api)
        case 'GET /v1/models':
          return sendJson(exchange, {
            status: 200,
            headers: rateHeaders,
            body: JSON.stringify(models(context)),
          })
        default:
          return sendJson(exchange, refuse(404, 'Not Found'))
      }
    },
  }
}

async function chat(context: Context, exchange: Exchange): Promise<void> {
  const inference = await beginInference<ChatBody>(context, exchange, {
    provider,
    refuse,
    model: (body) => body.model,
    firstEvent: (body) => (body.stream === true ? `${errorEvent}\n\n` : undefined),
  })
  if (inference === undefined) return
  const { body, fault } = inference
  const problem = chatProblem(body) ?? ownProblem(body)
  if (problem !== undefined) return sendJson(exchange, refuse(400, problem))
  const model = String(body.model)
  const price = findPrice(context.prices, { provider, model, operation: 'chat' })
  if (price === undefined) return sendJson(exchange, refuseModel(model))
  if (!isChatPrice(price)) return sendJson(exchange, refuse(400, `${model} is not a chat model.`))
  const id = togetherId(context)
  await answerChat(context, exchange, { shape, id, body, fault, schema: schemaOf(body), price })
}

const shape: ChatShape = {
  provider,
  headers: ({ id }) => ({ ...rateHeaders, 'x-request-id': id }),
  usage: (usage) => ({ ...usage, cached_tokens: 0 }),
  completion: (chat, usage) =>
    withBareSeeds({
      id: chat.id,
      object: 'chat.completion',
      created: seconds(chat),
      model: chat.model,
      prompt: [],
      choices: chat.choices.map((choice, index) => ({
        index,
        message: { role: 'assistant', content: null, tool_calls: [], ...messageOf(choice) },
        logprobs: isLogprobsAsked(chat.body) ? logprobs(choice.pieces) : null,
        finish_reason: choice.finishReason,
        seed: bigSeed(chat, index),
      })),
      usage,
    }),
  opening: () => [],
  token: (chat, { choice, index, piece }) => {
    const written = deltaOf(chat.choices[choice], { choice, index, piece })
    const text = 'content' in written ? piece : ''
    const delta = { token_id: tokenId(piece), role: 'assistant', content: '', ...written }
    const asked = isLogprobsAsked(chat.body) ? logprobs([piece]) : null
    const choices = [{ index: choice, text, logprobs: asked, finish_reason: null, seed: null, delta }]
    return chunk(chat, choices, chat.fault?.kind === 'no-usage' ? undefined : null)
  },
  finish: (chat, usage) =>
    chat.choices.map(({ finishReason }, index) => {
      const delta = { token_id: 1, role: 'assistant', content: '' }
      const seed = bigSeed(chat, index)
      const choices = [{ index, text: '', logprobs: null, finish_reason: finishReason, seed, delta }]
      const isLast = index === chat.choices.length - 1
      return chunk(chat, choices, isLast || usage === undefined ? usage : null)
    }),
  usageChunk: (chat, usage) => chunk(chat, [], usage),
  errorEvents: () => [errorEvent],
}

function chunk(chat: Chat, choices: readonly object[], usage: object | null | undefined): string {
  const envelope = { id: chat.id, object: 'chat.completion.chunk', created: seconds(chat) }
  return `data: ${withBareSeeds({ ...envelope, choices, model: chat.model, usage })}`
}

/** Together's seeds have 19 digits, more than a number holds, so they are put in the JSON text as digits. */
function withBareSeeds(value: object): string {
  // Inside a string value every quote is escaped, so only the member itself can look like this.
  return JSON.stringify(value).replaceAll(/"seed":"(\d{19})"/g, '"seed":$1')
}

function bigSeed(chat: Chat, choice: number): string {
  const draw = createDraw(`${chat.question.key}:seed:${choice}`)
  return `${1 + draw(9)}${String(draw(1_000_000_000)).padStart(9, '0')}${String(draw(1_000_000_000)).padStart(9, '0')}`
}

function logprobs(pieces: readonly string[]): object {
  return { tokens: pieces, token_logprobs: pieces.map(() => -0.25), token_ids: pieces.map(tokenId) }
}

function tokenId(piece: string): number {
  return createDraw(piece)(128_000)
}

function isLogprobsAsked(body: ChatBody): boolean {
  return typeof body.logprobs === 'number' && body.logprobs > 0
}

interface ResponseFormat {
  readonly type?: unknown
  readonly schema?: unknown
}

function ownProblem(body: ChatBody): string | undefined {
  const { logprobs: asked } = body
  if (
    asked !== undefined &&
    asked !== null &&
    !(Number.isInteger(asked) && Number(asked) >= 0 && Number(asked) <= 20)
  ) {
    return 'logprobs: Input should be an integer from 0 to 20'
  }
  const format = asObject(body.response_format) as ResponseFormat | undefined
  if (format?.type === 'json_schema' && asObject(format.schema) === undefined) {
    return 'response_format.schema: Field required'
  }
  return undefined
}

function schemaOf(body: ChatBody): unknown {
  const format = asObject(body.response_format) as ResponseFormat | undefined
  if (format?.type !== 'json_object' && format?.type !== 'json_schema') return undefined
  return format.schema ?? true
}

function models(context: Context): readonly object[] {
  return Object.entries(context.prices.together ?? {}).map(([id, price]) => ({
    id,
    object: 'model',
    created: 1_760_000_000,
    type: typeOf(price),
    running: false,
    display_name: id.split('/').at(-1) ?? id,
    organization: id.split('/')[0] ?? '',
    link: `https://huggingface.co/${id}`,
    context_length: isChatPrice(price) ? 131_072 : 512,
    pricing: {
      hourly: 0,
      input: Number(price.input ?? 0),
      output: Number(price.output ?? 0),
      base: 0,
      finetune: 0,
    },
  }))
}

function typeOf(price: ModelPrice): string {
  if (isChatPrice(price)) return 'chat'
  if (isSpeechPrice(price)) return 'audio'
  if (isTranscriptionPrice(price)) return 'transcribe'
  return isImagePrice(price) ? 'image' : 'embedding'
}

function refuse(status: number, message?: string): Reply {
  const error = errors[status] ?? errors[status >= 500 ? 500 : 400]
  const body = JSON.stringify({ error: { ...error, ...(message === undefined ? {} : { message }) } })
  const retry = status === 429 ? { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' } : {}
  return { status, headers: { ...rateHeaders, ...retry }, body }
}

function refuseModel(model: string): Reply {
  return refuse(404, `Unable to access model ${model}. Please visit the list of supported models.`)
}

const errors: Readonly<Record<number, object>> = {
  400: error('Bad request', 'invalid_request_error', null),
  401: error('Invalid API key provided.', 'invalid_request_error', 'invalid_api_key'),
  402: error('You have reached your spending limit.', 'credit_limit', 'credit_limit_exceeded'),
  403: error('The prompt and max_tokens are longer than the context length.', 'invalid_request_error', null),
  404: error('Unable to access the model.', 'invalid_request_error', 'model_not_available'),
  413: error('The request is too large.', 'invalid_request_error', 'request_too_large'),
  429: error('You have reached your dynamic rate limit.', 'dynamic_request_limited', 'rate_limit'),
  500: error('Internal server error', 'server_error', null),
  503: error('The server is overloaded or not ready yet.', 'service_unavailable', 'overloaded'),
  504: error('The request timed out.', 'server_error', 'timeout'),
}

function error(message: string, type: string, code: string | null): object {
  return { message, type, param: null, code }
}

const errorEvent = `data: ${JSON.stringify({ error: errors[500] })}`

const rateHeaders: Headers = {
  'x-ratelimit-limit': '600',
  'x-ratelimit-remaining': '599',
  'x-ratelimit-reset': '1',
  'x-tokenlimit-limit': '180000',
  'x-tokenlimit-remaining': '179000',
}

const api: TogetherApi = {
  refuse,
  refuseModel,
  headers: (id) => ({ ...rateHeaders, 'x-request-id': id }),
  nextId: togetherId,
  seedKey: (context, parts) => seedKey(context, [provider, ...parts]),
}

const completions: CompletionsApi = { ...api, provider, errorEvent, alwaysTellsUsage: true }

/** An id of the form `oV1nHvx-28Eivz-9c4b16f37c27e605`. */
function togetherId(context: Context): string {
  const hex = context.nextId()
  const letters = Buffer.from(hex.slice(16), 'hex').toString('base64').replaceAll(/[+/=]/g, 'x')
  return `o${letters.slice(0, 6)}-${letters.slice(6, 12)}-${hex.slice(0, 16)}`
}

function seconds(chat: Chat): number {
  return Math.floor(chat.createdAtMs / 1000)
}
