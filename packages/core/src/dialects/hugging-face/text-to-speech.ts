import { jsonBodyOf } from '../../http/request-body.ts'
import { openaiSpeech } from '../openai-speech.ts'
import { parametersOf, textInput } from './inputs.ts'
import type { Task } from './task.ts'

/** The voice that models of OpenAI's API have where none is named. */
const defaultVoice = 'alloy'

/** A text is spoken, and the reply is the sound. */
export const textToSpeech: Task = {
  name: 'text-to-speech',
  dialect: openaiSpeech,
  translate(body, model) {
    return jsonBodyOf({ voice: defaultVoice, ...parametersOf(body), model, input: textInput(body) })
  },
  reply: (_call, reply) => reply,
}
