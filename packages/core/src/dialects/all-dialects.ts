import type { DialectName } from '../http/routes.ts'
import { anthropicMessages } from './anthropic-messages/anthropic-messages.ts'
import type { Dialect } from './dialect.ts'
import { huggingFaceTask } from './hugging-face-task.ts'
import { openaiChat } from './openai-chat.ts'
import { openaiCompletions } from './openai-completions.ts'
import { openaiEmbeddings } from './openai-embeddings.ts'
import { openaiImages } from './openai-images.ts'
import { openaiModerations } from './openai-moderations.ts'
import { openaiResponses } from './openai-responses/openai-responses.ts'
import { openaiSpeech } from './openai-speech.ts'
import { openaiTranscriptions } from './openai-transcriptions.ts'

/** Everything that callers may speak, by the name that a route has. */
export const allDialects: Readonly<Record<DialectName, Dialect>> = {
  'anthropic-messages': anthropicMessages,
  'hugging-face-task': huggingFaceTask,
  'openai-chat': openaiChat,
  'openai-completions': openaiCompletions,
  'openai-embeddings': openaiEmbeddings,
  'openai-images': openaiImages,
  'openai-moderations': openaiModerations,
  'openai-responses': openaiResponses,
  'openai-speech': openaiSpeech,
  'openai-transcriptions': openaiTranscriptions,
}

export const dialectNames: readonly DialectName[] = Object.keys(allDialects) as DialectName[]
