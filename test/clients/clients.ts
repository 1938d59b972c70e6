import { aiSdk } from './ai-sdk.ts'
import { aiSdkResponses } from './ai-sdk-responses.ts'
import { anthropic } from './anthropic.ts'
import type { Client } from './client.ts'
import { curlProgram } from './curl.ts'
import { huggingFace } from './hugging-face.ts'
import { langchain } from './langchain.ts'
import { openai } from './openai.ts'
import { openaiResponses } from './openai-responses.ts'

/** Every client that is proved at every example server. A further one is a file beside this one, and its line here. */
export const clients: readonly Client[] = [
  openai,
  openaiResponses,
  anthropic,
  aiSdk,
  aiSdkResponses,
  langchain,
  huggingFace,
  curlProgram,
]
