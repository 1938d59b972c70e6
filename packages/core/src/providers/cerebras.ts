import { openaiCompatible, type ProviderOptions } from './openai-compatible.ts'
import type { Provider } from './provider.ts'

/** Cerebras. Refuses members it does not know with a flat error, `code: wrong_api_format` (SDK 1.91.0, 2026-07-08). */
export function cerebras(options: ProviderOptions = {}): Provider {
  return openaiCompatible({
    ...options,
    id: 'cerebras',
    baseUrl: options.baseUrl ?? 'https://api.cerebras.ai/v1',
    operations: ['chat', 'completions'],
    quirks: {
      outputBound: 'max_completion_tokens',
      drop: ['store', 'metadata', 'verbosity', 'safety_identifier', 'modalities', 'prompt_cache_retention'],
      fallbackCodes: ['wrong_api_format'],
    },
  })
}
