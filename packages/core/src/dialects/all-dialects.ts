import type { DialectName } from '../http/routes.ts'
import type { Dialect } from './dialect.ts'
import { openaiChat } from './openai-chat.ts'
import { openaiEmbeddings } from './openai-embeddings.ts'
import { openaiImages } from './openai-images.ts'

/** Everything that callers may speak, by the name that a route has. */
export const allDialects: Readonly<Record<DialectName, Dialect>> = {
  'openai-chat': openaiChat,
  'openai-embeddings': openaiEmbeddings,
  'openai-images': openaiImages,
}

export const dialectNames: readonly DialectName[] = Object.keys(allDialects) as DialectName[]
