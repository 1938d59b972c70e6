import { GatewayError } from '../../errors.ts'
import { jsonBodyOf } from '../../http/request-body.ts'
import { firstChoice, objectOf, readChat, textOf } from '../chat-answer.ts'
import { openaiCompletions } from '../openai-completions.ts'
import { keptCharactersMax, type StreamTranslator, translatedStream } from '../translated-stream.ts'
import { parametersOf, renamed, textInput } from './inputs.ts'
import type { Task } from './task.ts'

const names = {
  max_new_tokens: 'max_tokens',
  temperature: 'temperature',
  top_p: 'top_p',
  top_k: 'top_k',
  stop: 'stop',
  stop_sequences: 'stop',
  seed: 'seed',
  frequency_penalty: 'frequency_penalty',
  repetition_penalty: 'repetition_penalty',
}

/** What Text Generation Inference writes at most where the caller sets no bound (router/src/lib.rs, 2026-08). */
const defaultTokens = 100

/** A text goes on, in the words of Text Generation Inference. */
export const textGeneration: Task = {
  name: 'text-generation',
  dialect: openaiCompletions,
  translate(body, model) {
    const parameters = renamed(parametersOf(body), names)
    const streams =
      body.value['stream'] === true ? { stream: true, stream_options: { include_usage: true } } : {}
    return jsonBodyOf({
      model,
      prompt: textInput(body),
      max_tokens: defaultTokens,
      ...parameters,
      ...streams,
    })
  },
  reply(call, reply) {
    const text = firstChoice(readChat(reply) ?? {})?.['text']
    if (typeof text !== 'string') return reply
    const { translatedFrom } = call
    const isWhole = translatedFrom !== undefined && parametersOf(translatedFrom)['return_full_text'] === true
    const written = isWhole ? textInput(translatedFrom) + text : text
    return { ...reply, bytes: Buffer.from(JSON.stringify([{ generated_text: written }])) }
  },
  stream: (_call, stream) => translatedStream(stream, tokenEvents()),
}

/** An event for each piece, and the whole text with how it ended in the last one. */
function tokenEvents(): StreamTranslator {
  let text = ''
  let finish = 'stop'
  let index = 0
  let tokens: unknown
  const write = (event: object) => `data:${JSON.stringify(event)}\n\n`
  const token = (piece: string) => ({ id: 0, text: piece, logprob: 0, special: piece === '' })
  return {
    event(event) {
      tokens = objectOf(event['usage'])['completion_tokens'] ?? tokens
      const choice = firstChoice(event) ?? {}
      finish = textOf(choice['finish_reason']) || finish
      const piece = textOf(choice['text'])
      if (piece === '') return ''
      text += piece
      index += 1
      if (text.length > keptCharactersMax)
        throw new GatewayError('provider_failed', 'The answer is too long to be streamed.')
      return write({ index, token: token(piece), generated_text: null, details: null })
    },
    error: ({ message }) => write({ error: message, error_type: 'generation' }),
    done() {
      const details = {
        finish_reason: finish === 'length' ? 'length' : 'eos_token',
        generated_tokens: tokens ?? index,
      }
      return write({ index: index + 1, token: token(''), generated_text: text, details })
    },
  }
}
