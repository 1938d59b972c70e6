import { GatewayError } from '../../errors.ts'
import {
  argumentsOf,
  contentOf,
  firstChoice,
  objectOf,
  readChat,
  reasoningOf,
  textOf,
} from '../chat-answer.ts'
import type { AnswerFacts, Reply } from '../dialect.ts'
import type { InferenceCall } from '../inference-call.ts'
import { showsThinking } from './thinking.ts'
import { type MessageUsage, messageUsage } from './usage.ts'

export type StopReason = 'end_turn' | 'max_tokens' | 'stop_sequence' | 'tool_use' | 'refusal'

/** How an answer ended. */
export interface Ending {
  readonly stop_reason: StopReason | null
  /** The text that ended it, where the provider says which. */
  readonly stop_sequence: string | null
  readonly stop_details: null
}

type Members = Readonly<Record<string, unknown>>

/**
 * A chat's whole reply as a message.
 *
 * @throws GatewayError `provider_failed` when it is no reply. It has been paid for, so nobody is to ask again by itself.
 */
export function messageReply(call: InferenceCall, reply: Reply, facts: AnswerFacts): Reply {
  const chat = readChat(reply)
  if (chat === undefined) {
    throw new GatewayError('provider_failed', 'The provider sent an answer that is not JSON.', {
      headers: { 'x-should-retry': 'false' },
    })
  }
  const choice = firstChoice(chat)
  const message = objectOf(choice?.['message'])
  const hasThinking = showsThinking(call.translatedFrom?.value['thinking'])
  const content = blocksOf(message, facts, hasThinking)
  const text = JSON.stringify({
    ...envelope(call, facts),
    content,
    ...endingOf({
      finish: choice?.['finish_reason'],
      matched: choice?.['stop_reason'],
      hasTools: content.some(({ type }) => type === 'tool_use'),
      isRefusal: textOf(message['refusal']) !== '',
    }),
    usage: messageUsage(chat['usage'], facts.cost),
  })
  return { ...reply, bytes: Buffer.from(text) }
}

/** What every message begins with. It is called after its request, by whose id its receipt is found. */
function envelope(call: InferenceCall, { requestId }: AnswerFacts): Members {
  return { id: `msg_${requestId}`, type: 'message', role: 'assistant', model: call.model, container: null }
}

/** The first event of a stream has a message without content. */
export function emptyMessage(call: InferenceCall, facts: AnswerFacts): Members {
  const usage: MessageUsage = {
    // Providers tell it when they are done, and so does the last event.
    input_tokens: 0,
    cache_creation_input_tokens: null,
    cache_read_input_tokens: null,
    output_tokens: 0,
  }
  const ending: Ending = { stop_reason: null, stop_sequence: null, stop_details: null }
  return { ...envelope(call, facts), content: [], ...ending, usage }
}

/** Why a chat ended. Some servers say `stop` where tools are called; clients run tools by this word. */
export function endingOf(told: {
  readonly finish: unknown
  /** The stop sequence that was met, which vLLM tells (`stop_reason`, 2026-11). */
  readonly matched: unknown
  readonly hasTools: boolean
  readonly isRefusal: boolean
}): Ending {
  const ended = (reason: StopReason, sequence: string | null = null): Ending => ({
    stop_reason: reason,
    stop_sequence: sequence,
    stop_details: null,
  })
  if (told.finish === 'length') return ended('max_tokens')
  if (told.finish === 'content_filter' || told.isRefusal) return ended('refusal')
  if (told.hasTools) return ended('tool_use')
  return typeof told.matched === 'string' ? ended('stop_sequence', told.matched) : ended('end_turn')
}

/** The id of a tool call. A provider that gives none must not make two calls the same. */
export function toolIdOf(id: unknown, { requestId }: AnswerFacts, position: number): string {
  return textOf(id) || `toolu_${requestId}_${position}`
}

function blocksOf(message: Members, facts: AnswerFacts, hasThinking: boolean): readonly Members[] {
  const content: Members[] = []
  const thinking = hasThinking ? reasoningOf(message) : ''
  if (thinking !== '') content.push({ type: 'thinking', thinking, signature: '' })
  const text = contentOf(message) + textOf(message['refusal'])
  if (text !== '') content.push({ type: 'text', text, citations: null })
  const calls = message['tool_calls']
  if (!Array.isArray(calls)) return content
  calls.map(objectOf).forEach((call, index) => {
    const { name } = objectOf(call['function'])
    const id = toolIdOf(call['id'], facts, index)
    content.push({ type: 'tool_use', id, name: textOf(name), input: inputOf(argumentsOf(call)) })
  })
  return content
}

/** What is no object, Anthropic has clients send back under this name (its documentation of tools, 2026-08). */
function inputOf(text: string): unknown {
  try {
    const input: unknown = text.trim() === '' ? {} : JSON.parse(text)
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input
  } catch {
    // The model wrote it, or was cut off in it: it is not lost.
  }
  return { INVALID_JSON: text }
}
