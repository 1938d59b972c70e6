import { type Choice, endlessPiece, type Question, writeChoice } from './answer.ts'
import { type ChatBody, keyParts, promptTokens, readQuestion } from './chat-request.ts'
import { type Context, openEntry, seedKey } from './context.ts'
import type { Exchange, Headers } from './exchange.ts'
import { deliver, type Fault, shownUsage } from './faults.ts'
import { type ModelPrice, type Operation, type ProviderName, tokenQuantities } from './price-list.ts'
import { generate, paceOf, playStream } from './stream.ts'
import type { OpenEntry, Outcome } from './truth.ts'

/** A chat request with its answer, ready to be put in a provider's shape. */
export interface Chat {
  readonly id: string
  readonly createdAtMs: number
  readonly model: string
  readonly body: ChatBody
  readonly question: Question
  readonly promptTokens: number
  readonly choices: readonly Choice[]
  readonly fault: Fault | undefined
}

export interface TokenUsage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
}

export interface Token {
  readonly choice: number
  readonly index: number
  readonly piece: string
}

/** How a provider writes a chat answer. A usage of undefined is left out, null is written. */
export interface ChatShape {
  readonly provider: ProviderName
  headers(chat: Chat): Headers
  /** The provider's usage object around the counts. */
  usage(usage: TokenUsage): object
  completion(chat: Chat, usage: object | null | undefined): string
  opening(chat: Chat): readonly string[]
  token(chat: Chat, token: Token): string
  finish(chat: Chat, usage: object | null | undefined): readonly string[]
  /** A chunk without choices, which only faults send. */
  usageChunk(chat: Chat, usage: object): string
  errorEvents(chat: Chat): readonly string[]
}

/** Answers a chat request that was found valid: generates, counts once, and writes the answer or the stream. */
export async function answerChat(
  context: Context,
  exchange: Exchange,
  {
    shape,
    id,
    body,
    fault,
    schema,
    price,
    operation = 'chat',
  }: {
    shape: ChatShape
    id: string
    body: ChatBody
    fault: Fault | undefined
    schema: unknown
    price: ModelPrice
    operation?: Operation
  },
): Promise<void> {
  const model = String(body.model)
  const question = readQuestion(body, {
    key: seedKey(context, keyParts(shape.provider, body)),
    schema,
    fault,
  })
  const chat: Chat = {
    id,
    createdAtMs: context.nowMs(),
    model,
    body,
    question,
    promptTokens: promptTokens(body),
    choices: Array.from({ length: Number(body.n ?? 1) }, (_, choice) => writeChoice(question, choice)),
    fault,
  }
  const entry = openEntry(context, exchange, {
    provider: shape.provider,
    providerRequestId: id,
    model,
    operation,
    price,
  })
  if (body.stream === true) await streamChat(context, exchange, { shape, chat, entry })
  else await completeChat(context, exchange, { shape, chat, entry })
}

interface Answering {
  readonly shape: ChatShape
  readonly chat: Chat
  readonly entry: OpenEntry
}

async function completeChat(
  context: Context,
  exchange: Exchange,
  { shape, chat, entry }: Answering,
): Promise<void> {
  const isEndless = chat.fault?.kind === 'never-ending'
  const wanted = isEndless ? Number.POSITIVE_INFINITY : answerTokens(chat)
  const pace = paceOf(chat.fault, context.pace)
  const generated = await generate(exchange, { tokens: wanted, pace, now: context.nowMs })
  settle(entry, chat, { tokens: generated, outcome: generated < wanted ? 'aborted' : 'complete' })
  if (isEndless || generated < wanted) return
  const usage = shownUsage(shape.usage(countUsage(chat, generated)), chat.fault)
  const reply = { status: 200, headers: shape.headers(chat), body: shape.completion(chat, usage) }
  await deliver(exchange, chat.fault, reply)
}

async function streamChat(
  context: Context,
  exchange: Exchange,
  { shape, chat, entry }: Answering,
): Promise<void> {
  const stream = {
    headers: shape.headers(chat),
    opening: shape.opening(chat),
    tokens: tokenEvents(shape, chat),
    closing: () => closingEvents(shape, chat),
    errorEvents: shape.errorEvents(chat),
    onEnd: (tokens: number, outcome: Outcome) => settle(entry, chat, { tokens, outcome }),
  }
  await playStream(exchange, stream, { fault: chat.fault, pace: context.pace })
}

/** Choices take turns, one token each, and the longer ones go on alone. */
function* tokenEvents(shape: ChatShape, chat: Chat): Generator<string> {
  const isEndless = chat.fault?.kind === 'never-ending'
  const length = Math.max(...chat.choices.map(({ pieces }) => pieces.length))
  for (let index = 0; isEndless || index < length; index += 1) {
    for (const [choice, { pieces }] of chat.choices.entries()) {
      const piece = pieces[index] ?? (isEndless ? endlessPiece(chat.question, choice, index) : undefined)
      if (piece !== undefined) yield shape.token(chat, { choice, index, piece })
    }
  }
}

function closingEvents(shape: ChatShape, chat: Chat): readonly string[] {
  const full = shape.usage(countUsage(chat, answerTokens(chat)))
  const finish = shape.finish(chat, shownUsage(full, chat.fault))
  const isTwice = chat.fault?.kind === 'duplicate-usage'
  return [...finish, ...(isTwice ? [...finish.slice(-1), shape.usageChunk(chat, full)] : []), 'data: [DONE]']
}

function settle(
  entry: OpenEntry,
  chat: Chat,
  { tokens, outcome }: { tokens: number; outcome: Outcome },
): void {
  const quantities = tokenQuantities({ input: chat.promptTokens, output: tokens })
  entry.settle({ usage: { ...countUsage(chat, tokens) }, quantities, outcome })
}

function countUsage(chat: Chat, tokens: number): TokenUsage {
  return {
    prompt_tokens: chat.promptTokens,
    completion_tokens: tokens,
    total_tokens: chat.promptTokens + tokens,
  }
}

function answerTokens(chat: Chat): number {
  return chat.choices.reduce((sum, { pieces }) => sum + pieces.length, 0)
}

/** A message that holds a whole choice, in the form all chat providers share. */
export function messageOf(choice: Choice): object {
  const { thoughts, pieces, toolCall } = choice
  const said = thoughts === 0 ? pieces : pieces.slice(thoughts)
  const reasoning = thoughts === 0 ? {} : { reasoning: pieces.slice(0, thoughts).join('') }
  if (toolCall === undefined) return { ...reasoning, content: said.join('') }
  const { id, name } = toolCall
  const call = { id, type: 'function', function: { name, arguments: said.slice(1).join('') } }
  return { ...reasoning, tool_calls: [call] }
}

/** The delta that holds one token: a thought, text, the head of a tool call, or a fragment of its arguments. */
export function deltaOf(choice: Choice | undefined, { index, piece }: Token): object {
  const thoughts = choice?.thoughts ?? 0
  if (index < thoughts) return { reasoning: piece }
  if (choice?.toolCall === undefined) return { content: piece }
  const { id, name } = choice.toolCall
  const head = { index: 0, id, type: 'function', function: { name, arguments: '' } }
  return { tool_calls: [index === thoughts ? head : { index: 0, function: { arguments: piece } }] }
}
