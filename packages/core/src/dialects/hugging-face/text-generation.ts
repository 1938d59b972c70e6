import { z } from 'zod'
import { jsonBodyOf } from '../../http/request-body.ts'
import { openaiCompletions } from '../openai-completions.ts'
import { readReply } from '../read-reply.ts'
import { translatedStream } from '../translated-stream.ts'
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

const completion = z.looseObject({
  choices: z
    .tuple([z.looseObject({ text: z.string(), finish_reason: z.string().nullish() })])
    .rest(z.unknown()),
})

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
    const told = readReply(completion, reply)
    if (told === undefined) return reply
    const [{ text }] = told.choices
    const { translatedFrom } = call
    const isWhole = translatedFrom !== undefined && parametersOf(translatedFrom)['return_full_text'] === true
    const written = isWhole ? textInput(translatedFrom) + text : text
    return { ...reply, bytes: Buffer.from(JSON.stringify([{ generated_text: written }])) }
  },
  stream: (_call, stream) => translatedStream(stream, tokenEvents()),
}

/** An event for each piece, and the whole text with how it ended in the last one. */
function tokenEvents() {
  let text = ''
  let finish = 'stop'
  let index = 0
  let tokens: unknown
  const write = (event: object) => `data:${JSON.stringify(event)}\n\n`
  const token = (piece: string) => ({ id: 0, text: piece, logprob: 0, special: piece === '' })
  return {
    event(event: Readonly<Record<string, unknown>>): string {
      const { usage } = event as { usage?: { completion_tokens?: unknown } | null }
      tokens = usage?.completion_tokens ?? tokens
      const parsed = completion.safeParse(event)
      if (!parsed.success) return ''
      const [choice] = parsed.data.choices
      finish = choice.finish_reason ?? finish
      if (choice.text === '') return ''
      text += choice.text
      index += 1
      return write({ index, token: token(choice.text), generated_text: null, details: null })
    },
    error: ({ message }: Readonly<Record<string, unknown>>) =>
      write({ error: message, error_type: 'generation' }),
    done() {
      const details = {
        finish_reason: finish === 'length' ? 'length' : 'eos_token',
        generated_tokens: tokens ?? index,
      }
      return write({ index: index + 1, token: token(''), generated_text: text, details })
    },
  }
}
