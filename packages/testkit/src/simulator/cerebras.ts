import { errorEvent, rateHeaders, refuse, refuseModel, wrongFormat } from './cerebras-errors.ts'
import { answerChat, type Chat, type ChatShape, deltaOf, messageOf } from './chat.ts'
import { type ChatBody, chatProblem } from './chat-request.ts'
import { type CompletionsApi, completeText } from './completions.ts'
import { beginInference, type Context, type ProviderSimulation } from './context.ts'
import { asObject, type Exchange, type Reply, send, sendJson } from './exchange.ts'
import { findPrice, isChatPrice } from './price-list.ts'

const provider = 'cerebras'

/** Cerebras: chat and completions, strict about unknown fields, flat errors, usage on the finish chunk when asked for. */
export function cerebras(context: Context): ProviderSimulation {
  return {
    refuse,
    async answer(exchange, path) {
      const route = `${exchange.request.method} ${path}`
      if (route === 'POST /v1/chat/completions') return chat(context, exchange)
      if (route === 'POST /v1/completions') return completeText(context, exchange, completions)
      if (route === 'GET /v1/tcp_warming') return send(exchange, { status: 200, body: '' })
      if (route === 'GET /v1/models') return sendJson(exchange, ok({ object: 'list', data: models(context) }))
      if (route.startsWith('GET /v1/models/')) {
        const id = path.slice('/v1/models/'.length)
        const model = models(context).find((candidate) => candidate.id === id)
        return sendJson(exchange, model === undefined ? refuseModel(id) : ok(model))
      }
      return sendJson(exchange, refuse(404, 'Not Found'))
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
  const refusal = refuseBody(exchange.request.body, body)
  if (refusal !== undefined) return sendJson(exchange, refusal)
  const model = String(body.model)
  const price = findPrice(context.prices, { provider, model, operation: 'chat' })
  if (price === undefined || !isChatPrice(price)) return sendJson(exchange, refuseModel(model))
  const id = chatId(context.nextId())
  await answerChat(context, exchange, { shape, id, body, fault, schema: schemaOf(body), price })
}

const completions: CompletionsApi = {
  provider,
  refuse,
  refuseModel,
  headers: (id) => ({ ...rateHeaders, 'inference-id': id }),
  nextId: (context) => chatId(context.nextId()),
  errorEvent,
  alwaysTellsUsage: false,
}

const shape: ChatShape = {
  provider,
  headers: ({ id }) => ({ ...rateHeaders, 'inference-id': id }),
  usage: (usage) => ({
    ...usage,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  }),
  completion: (chat, usage) => JSON.stringify(completion(chat, usage)),
  opening: (chat) =>
    chat.choices.map((_, index) => chunk(chat, { choices: [{ delta: { role: 'assistant' }, index }] })),
  token: (chat, token) => {
    const delta = deltaOf(chat.choices[token.choice], token)
    const logprobs =
      chat.body.logprobs === true ? { logprobs: { content: [logprob(chat.body, token.piece)] } } : {}
    return chunk(chat, { choices: [{ delta, index: token.choice, ...logprobs }] })
  },
  finish: (chat, usage) =>
    chat.choices.map((choice, index) => {
      const choices = [{ delta: {}, finish_reason: choice.finishReason, index }]
      const isLast = index === chat.choices.length - 1
      const extra = isLast ? { ...(isUsageAsked(chat.body) ? { usage } : {}), time_info: timeInfo(chat) } : {}
      return chunk(chat, { choices, ...extra })
    }),
  usageChunk: (chat, usage) => chunk(chat, { choices: [], ...(isUsageAsked(chat.body) ? { usage } : {}) }),
  errorEvents: () => [errorEvent],
}

function completion(chat: Chat, usage: object | null | undefined): object {
  return {
    id: chat.id,
    choices: chat.choices.map((choice, index) => ({
      finish_reason: choice.finishReason,
      index,
      message: { ...messageOf(choice), role: 'assistant' },
      ...(chat.body.logprobs === true
        ? { logprobs: { content: choice.pieces.map((piece) => logprob(chat.body, piece)), refusal: null } }
        : {}),
    })),
    created: seconds(chat),
    model: chat.model,
    system_fingerprint: fingerprint,
    object: 'chat.completion',
    usage,
    time_info: timeInfo(chat),
  }
}

function chunk(chat: Chat, members: object): string {
  const envelope = {
    created: seconds(chat),
    model: chat.model,
    system_fingerprint: fingerprint,
    object: 'chat.completion.chunk',
  }
  return `data: ${JSON.stringify({ id: chat.id, ...members, ...envelope })}`
}

function logprob(body: ChatBody, token: string): object {
  const entry = { token, logprob: -0.25, bytes: [...Buffer.from(token)] }
  const length = typeof body.top_logprobs === 'number' ? Math.min(body.top_logprobs, 20) : 0
  const others = Array.from({ length }, (_, rank) => ({ ...entry, logprob: -0.25 - rank }))
  return { ...entry, top_logprobs: others }
}

function timeInfo(chat: Chat): object {
  const tokens = chat.choices.reduce((sum, { pieces }) => sum + pieces.length, 0)
  const promptTime = chat.promptTokens * 0.00001
  const completionTime = tokens * 0.0005
  return {
    queue_time: 0.0002,
    prompt_time: promptTime,
    completion_time: completionTime,
    total_time: 0.0002 + promptTime + completionTime,
    created: chat.createdAtMs / 1000,
  }
}

function refuseBody(text: string, body: ChatBody): Reply | undefined {
  const unknown = Object.keys(body).find((name) => !knownFields.has(name))
  if (unknown !== undefined) return refuse(400, `${unknown}: property '${unknown}' is unsupported`)
  if (hasLoneSurrogate(text))
    return refuse(400, 'The request body is not valid JSON: lone surrogate in a string.')
  const problem = chatProblem(body)
  if (problem !== undefined) return refuse(400, problem)
  const format = asObject(body.response_format) as ResponseFormat | undefined
  if (format?.type === 'json_schema' && asObject(format.json_schema?.schema) === undefined) {
    return {
      ...refuse(422),
      body: wrongFormat('response_format: json_schema is required', 'response_format'),
    }
  }
  return undefined
}

interface ResponseFormat {
  readonly type?: unknown
  readonly json_schema?: { readonly schema?: unknown }
}

function schemaOf(body: ChatBody): unknown {
  const format = asObject(body.response_format) as ResponseFormat | undefined
  if (format?.type === 'json_object') return true
  return format?.type === 'json_schema' ? format.json_schema?.schema : undefined
}

function hasLoneSurrogate(text: string): boolean {
  // The walk is only worth it for a text that has half of a pair written as an escape.
  if (!/\\ud[89a-f]/i.test(text)) return false
  let isFound = false
  JSON.parse(text, (_name, value: unknown) => {
    isFound ||= typeof value === 'string' && /\p{Surrogate}/u.test(value)
    return value
  })
  return isFound
}

function isUsageAsked(body: ChatBody): boolean {
  const options = asObject(body.stream_options) as { readonly include_usage?: unknown } | undefined
  return options?.include_usage === true
}

function models(context: Context): readonly { readonly id: string }[] {
  return Object.keys(context.prices.cerebras ?? {}).map((id) => ({
    id,
    object: 'model',
    created: 0,
    owned_by: 'Cerebras',
  }))
}

const fingerprint = 'fp_simulated'

const knownFields: ReadonlySet<string> = new Set(
  (
    'model messages max_completion_tokens max_tokens min_tokens min_completion_tokens temperature top_p n seed stop stream ' +
    'stream_options response_format tools tool_choice parallel_tool_calls logprobs top_logprobs logit_bias ' +
    'frequency_penalty presence_penalty prediction prompt_cache_key reasoning_effort reasoning_format disable_reasoning ' +
    'clear_thinking service_tier model_parameters user'
  ).split(' '),
)

function chatId(hex: string): string {
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)]
  return `chatcmpl-${parts.join('-')}`
}

function seconds(chat: Chat): number {
  return Math.floor(chat.createdAtMs / 1000)
}

function ok(value: unknown): Reply {
  return { status: 200, headers: rateHeaders, body: JSON.stringify(value) }
}
