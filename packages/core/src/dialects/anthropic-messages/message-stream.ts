import { argumentsOf, contentOf, firstChoice, objectOf, reasoningOf, textOf } from '../chat-answer.ts'
import type { AnswerFacts } from '../dialect.ts'
import type { InferenceCall } from '../inference-call.ts'
import { encodeNamedEvent, type StreamTranslator } from '../translated-stream.ts'
import { createBlocks } from './blocks.ts'
import { streamError } from './error.ts'
import { emptyMessage, endingOf, toolIdOf } from './message.ts'
import { showsThinking } from './thinking.ts'
import { messageUsage } from './usage.ts'

type Members = Readonly<Record<string, unknown>>

/** Says that the answer goes on where nothing of it is shown: clients give up on streams that are silent. */
const ping = encodeNamedEvent('ping', { type: 'ping' })

/**
 * Turns the events of a chat into those of a message. The last two wait for the end of the chat, which comes behind its usage and
 * its settlement.
 */
export function messageTranslator(call: InferenceCall, facts: AnswerFacts): StreamTranslator {
  const hasThinking = showsThinking(call.translatedFrom?.value['thinking'])
  let hasStarted = false
  let finish: unknown
  let matched: unknown
  let isRefusal = false
  let usage: unknown
  const blocks = createBlocks((id, position) => toolIdOf(id, facts, position))

  function start(): string {
    if (hasStarted) return ''
    hasStarted = true
    return encodeNamedEvent('message_start', { type: 'message_start', message: emptyMessage(call, facts) })
  }

  function content(delta: Members): string {
    let events = ''
    const thinking = reasoningOf(delta)
    if (thinking !== '') events += hasThinking ? blocks.thinking(thinking) : ping
    const refused = textOf(delta['refusal'])
    isRefusal ||= refused !== ''
    const text = contentOf(delta) + refused
    if (text !== '') events += blocks.text(text)
    const calls = delta['tool_calls']
    if (Array.isArray(calls)) for (const piece of calls) events += blocks.tool(toolPiece(objectOf(piece)))
    return events
  }

  return {
    event(chunk) {
      if (typeof chunk['usage'] === 'object' && chunk['usage'] !== null) usage = chunk['usage']
      const choice = firstChoice(chunk) ?? {}
      finish = choice['finish_reason'] ?? finish
      matched = choice['stop_reason'] ?? matched
      return start() + content(objectOf(choice['delta']))
    },
    error: (error) => encodeNamedEvent('error', streamError(error, facts.requestId)),
    done() {
      const ending = endingOf({ finish, matched, hasTools: blocks.hasTools, isRefusal })
      return (
        start() +
        blocks.end() +
        encodeNamedEvent('message_delta', {
          type: 'message_delta',
          delta: { container: null, ...ending },
          usage: messageUsage(usage),
        }) +
        encodeNamedEvent('message_stop', { type: 'message_stop' })
      )
    },
  }
}

function toolPiece(call: Members): Parameters<ReturnType<typeof createBlocks>['tool']>[0] {
  const { index, id } = call
  return {
    index: typeof index === 'number' ? index : undefined,
    id: textOf(id),
    name: textOf(objectOf(call['function'])['name']),
    arguments: argumentsOf(call),
  }
}
