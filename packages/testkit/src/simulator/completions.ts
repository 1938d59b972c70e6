import { answerChat, type Chat, type ChatShape } from './chat.ts'
import type { ChatBody } from './chat-request.ts'
import { beginInference, type Context } from './context.ts'
import { asObject, type Exchange, type Headers, type Reply, sendJson } from './exchange.ts'
import type { Refuse } from './faults.ts'
import { findPrice, isChatPrice, type ProviderName } from './price-list.ts'

/** Where providers differ in completing a text. */
export interface CompletionsApi {
  readonly provider: ProviderName
  readonly refuse: Refuse
  refuseModel(model: string): Reply
  headers(id: string): Headers
  nextId(context: Context): string
  readonly errorEvent: string
  /** Whether streams tell usage without being asked. */
  readonly alwaysTellsUsage: boolean
}

interface CompletionBody extends Omit<ChatBody, 'messages'> {
  readonly prompt?: unknown
}

/** Completes one text with the answer that a chat would have. */
export async function completeText(context: Context, exchange: Exchange, api: CompletionsApi): Promise<void> {
  const { provider, refuse } = api
  const inference = await beginInference<CompletionBody>(context, exchange, {
    provider,
    refuse,
    model: (body) => body.model,
    firstEvent: (body) => (body.stream === true ? `${api.errorEvent}\n\n` : undefined),
  })
  if (inference === undefined) return
  const { body, fault } = inference
  if (typeof body.model !== 'string') return sendJson(exchange, refuse(400, 'model: Field required'))
  if (typeof body.prompt !== 'string')
    return sendJson(exchange, refuse(400, 'prompt: Input should be a string'))
  const price = findPrice(context.prices, { provider, model: body.model, operation: 'completions' })
  if (price === undefined || !isChatPrice(price)) return sendJson(exchange, api.refuseModel(body.model))
  await answerChat(context, exchange, {
    shape: shapeOf(api),
    id: api.nextId(context),
    body: { ...body, messages: [{ role: 'user', content: body.prompt }] },
    fault,
    schema: undefined,
    price,
    operation: 'completions',
  })
}

function shapeOf(api: CompletionsApi): ChatShape {
  const envelope = ({ id, createdAtMs, model }: Chat) => ({
    id,
    object: 'text_completion',
    created: Math.floor(createdAtMs / 1000),
    model,
  })
  const event = (chat: Chat, more: object) => `data: ${JSON.stringify({ ...envelope(chat), ...more })}`
  const isAsked = ({ body }: Chat) =>
    api.alwaysTellsUsage ||
    (asObject(body.stream_options) as { include_usage?: unknown } | undefined)?.include_usage === true
  const choice = (index: number, text: string, finishReason: string | null) => ({
    text,
    index,
    logprobs: null,
    finish_reason: finishReason,
  })
  return {
    provider: api.provider,
    headers: ({ id }) => api.headers(id),
    usage: (usage) => usage,
    completion: (chat, usage) =>
      JSON.stringify({
        ...envelope(chat),
        choices: chat.choices.map(({ pieces, finishReason }, index) =>
          choice(index, pieces.join(''), finishReason),
        ),
        usage,
      }),
    opening: () => [],
    token: (chat, token) => event(chat, { choices: [choice(token.choice, token.piece, null)] }),
    finish: (chat, usage) =>
      chat.choices.map(({ finishReason }, index) => {
        const isLast = index === chat.choices.length - 1
        const told = isLast && isAsked(chat) ? { usage } : {}
        return event(chat, { choices: [choice(index, '', finishReason)], ...told })
      }),
    usageChunk: (chat, usage) => event(chat, { choices: [], usage }),
    errorEvents: () => [api.errorEvent],
  }
}
