import { GatewayError } from '../../errors.ts'
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
export function messageReply(call: InferenceCall, { bytes, contentType }: Reply, facts: AnswerFacts): Reply {
  const chat = readChat(bytes)
  const [choice] = chat.choices
  const message = record(choice?.['message'])
  const hasThinking = showsThinking(call.translatedFrom?.value['thinking'])
  const content = contentOf(message, facts, hasThinking)
  const text = JSON.stringify({
    ...envelope(call, facts),
    content,
    ...endingOf({
      finish: choice?.['finish_reason'],
      matched: choice?.['stop_reason'],
      hasTools: content.some(({ type }) => type === 'tool_use'),
      isRefusal: textOf(message['refusal']) !== '',
    }),
    usage: messageUsage(chat.usage, facts.cost),
  })
  return { bytes: Buffer.from(text), contentType }
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

/** What a model thought, in the two spellings there are. */
export function reasoningOf(message: Members): string {
  return textOf(message['reasoning_content']) || textOf(message['reasoning'])
}

/** Arguments of a call: a text of JSON, or the value itself at some servers. */
export function argumentsOf(call: Members): string {
  const given = record(call['function'])['arguments']
  if (typeof given === 'string') return given
  return given === undefined || given === null ? '' : JSON.stringify(given)
}

/** The id of a tool call. A provider that gives none must not make two calls the same. */
export function toolIdOf(id: unknown, { requestId }: AnswerFacts, position: number): string {
  return textOf(id) || `toolu_${requestId}_${position}`
}

export function record(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Members) : {}
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function contentOf(message: Members, facts: AnswerFacts, hasThinking: boolean): readonly Members[] {
  const content: Members[] = []
  const thinking = hasThinking ? reasoningOf(message) : ''
  if (thinking !== '') content.push({ type: 'thinking', thinking, signature: '' })
  const text = textOf(message['content']) + textOf(message['refusal'])
  if (text !== '') content.push({ type: 'text', text, citations: null })
  const calls = message['tool_calls']
  if (!Array.isArray(calls)) return content
  calls.map(record).forEach((call, index) => {
    const { name } = record(call['function'])
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

function readChat(bytes: Buffer): {
  readonly choices: readonly Members[]
  readonly usage: unknown
} {
  try {
    const { choices, usage } = record(JSON.parse(bytes.toString('utf8')))
    return { choices: Array.isArray(choices) ? choices.map(record) : [], usage }
  } catch (cause) {
    throw new GatewayError('provider_failed', 'The provider sent an answer that is not JSON.', {
      headers: { 'x-should-retry': 'false' },
      cause,
    })
  }
}
