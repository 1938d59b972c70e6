import type { InferenceCall } from '../dialects/inference-call.ts'
import type { JsonEdits } from '../http/json-object.ts'
import type { Operation } from '../http/routes.ts'
import { openaiCompatible, type ProviderOptions } from './openai-compatible.ts'
import type { Provider } from './provider.ts'

/** Together AI (openapi.yaml 2.0.0, 2026-04-28). Streams tell usage on the finishing chunk, unasked. */
export function together(options: ProviderOptions = {}): Provider {
  return openaiCompatible({
    ...options,
    id: 'together',
    baseUrl: options.baseUrl ?? 'https://api.together.xyz/v1',
    operations: ['chat', 'completions', 'embeddings', 'images', 'speech', 'transcriptions'],
    quirks: {
      drop: ['store', 'metadata', 'encoding_format'],
      alwaysTellsUsage: true,
      rewrite: (call) => rewriters[call.operation]?.(call) ?? {},
    },
  })
}

const rewriters: { readonly [operation in Operation]?: (call: InferenceCall) => JsonEdits } = {
  chat: rewriteChat,
  images: rewriteImages,
}

/** Structured output is unwrapped, `logprobs` is a count, and `stop` is always an array. */
function rewriteChat(call: InferenceCall): JsonEdits {
  const {
    response_format: format,
    logprobs,
    top_logprobs: top,
    stop,
  } = call.body.value as Record<string, unknown>
  const edits: Record<string, string | undefined> = {}
  const schema = (format as { json_schema?: { schema?: unknown } } | undefined)?.json_schema?.schema
  if (schema !== undefined) edits['response_format'] = JSON.stringify({ type: 'json_schema', schema })
  if (typeof logprobs === 'boolean') {
    edits['logprobs'] = logprobs ? String(typeof top === 'number' && top > 0 ? top : 1) : undefined
    edits['top_logprobs'] = undefined
  }
  if (typeof stop === 'string') edits['stop'] = JSON.stringify([stop])
  return edits
}

/** Sizes are two numbers, and base64 has another name. */
function rewriteImages(call: InferenceCall): JsonEdits {
  const { width, height, steps } = call.image ?? { width: 1024, height: 1024, steps: 4 }
  return {
    size: undefined,
    width: String(width),
    height: String(height),
    steps: String(steps),
    response_format: call.body.value['response_format'] === 'b64_json' ? '"base64"' : '"url"',
  }
}
