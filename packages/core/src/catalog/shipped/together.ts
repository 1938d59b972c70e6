import { perMillion, perUnit } from '../../money.ts'
import type { CatalogRow } from '../target.ts'

/** What Together AI sells. */
export const togetherRows: readonly CatalogRow[] = [
  {
    providerId: 'together',
    providerModel: 'openai/gpt-oss-120b',
    model: 'openai/gpt-oss-120b',
    operation: 'chat',
    price: { input_token: perMillion('0.15'), output_token: perMillion('0.6') },
    limits: { contextTokens: 131_072, outputTokens: 32_768 },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/openai/gpt-oss-120b.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'openai/gpt-oss-20b',
    model: 'openai/gpt-oss-20b',
    operation: 'chat',
    price: { input_token: perMillion('0.05'), output_token: perMillion('0.2') },
    limits: { contextTokens: 131_072, outputTokens: 32_768 },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/openai/gpt-oss-20b.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'meta-llama/Llama-3.3-70B-Instruct-Turbo',
    model: 'meta-llama/Llama-3.3-70B-Instruct',
    operation: 'chat',
    price: { input_token: perMillion('0.88'), output_token: perMillion('0.88') },
    limits: { contextTokens: 131_072, outputTokens: 32_768 },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/meta-llama/Llama-3.3-70B-Instruct-Turbo.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'deepseek-ai/DeepSeek-V4-Pro',
    model: 'deepseek-ai/DeepSeek-V4-Pro',
    operation: 'chat',
    price: {
      input_token: perMillion('1.74'),
      cached_input_token: perMillion('0.2'),
      output_token: perMillion('3.48'),
    },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/deepseek-ai/DeepSeek-V4-Pro.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'moonshotai/Kimi-K2.6',
    model: 'moonshotai/Kimi-K2.6',
    operation: 'chat',
    price: {
      input_token: perMillion('1.2'),
      cached_input_token: perMillion('0.2'),
      output_token: perMillion('4.5'),
    },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/moonshotai/Kimi-K2.6.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'zai-org/GLM-5.2',
    model: 'zai-org/GLM-5.2',
    operation: 'chat',
    price: {
      input_token: perMillion('1.4'),
      cached_input_token: perMillion('0.26'),
      output_token: perMillion('4.4'),
    },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/zai-org/GLM-5.2.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'Qwen/Qwen3-235B-A22B-Instruct-2507-tput',
    model: 'Qwen/Qwen3-235B-A22B-Instruct-2507',
    operation: 'chat',
    price: { input_token: perMillion('0.2'), output_token: perMillion('0.6') },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/Qwen/Qwen3-235B-A22B-Instruct-2507-tput.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'Qwen/Qwen3.5-397B-A17B',
    model: 'Qwen/Qwen3.5-397B-A17B',
    operation: 'chat',
    price: {
      input_token: perMillion('0.6'),
      cached_input_token: perMillion('0.35'),
      output_token: perMillion('3.6'),
    },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/Qwen/Qwen3.5-397B-A17B.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'google/gemma-4-31B-it',
    model: 'google/gemma-4-31B-it',
    operation: 'chat',
    price: { input_token: perMillion('0.39'), output_token: perMillion('0.97') },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/google/gemma-4-31B-it.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'MiniMaxAI/MiniMax-M2.7',
    model: 'MiniMaxAI/MiniMax-M2.7',
    operation: 'chat',
    price: {
      input_token: perMillion('0.3'),
      cached_input_token: perMillion('0.06'),
      output_token: perMillion('1.2'),
    },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/MiniMaxAI/MiniMax-M2.7.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'meta-llama/Meta-Llama-3-8B-Instruct-Lite',
    model: 'meta-llama/Meta-Llama-3-8B-Instruct',
    operation: 'chat',
    price: { input_token: perMillion('0.14'), output_token: perMillion('0.14') },
    supports: { tools: true, structuredOutput: true },
    source:
      'https://github.com/anomalyco/models.dev/blob/dev/providers/togetherai/models/meta-llama/Meta-Llama-3-8B-Instruct-Lite.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'together',
    providerModel: 'black-forest-labs/FLUX.1-schnell',
    model: 'black-forest-labs/FLUX.1-schnell',
    operation: 'images',
    price: { megapixel: perUnit('0.0027') },
    source: 'https://www.workflowlab.dev/cost/flux-api-options-compared',
    readOn: '2026-05-11',
  },
  {
    providerId: 'together',
    providerModel: 'intfloat/multilingual-e5-large-instruct',
    model: 'intfloat/multilingual-e5-large-instruct',
    operation: 'embeddings',
    price: { input_token: perMillion('0.02') },
    limits: { contextTokens: 514 },
    source: 'https://www.together.ai/pricing',
    readOn: '2025-11-01',
  },
  {
    providerId: 'together',
    providerModel: 'hexgrad/Kokoro-82M',
    model: 'hexgrad/Kokoro-82M',
    operation: 'speech',
    price: { character: perMillion('4') },
    source:
      'https://github.com/togethercomputer/skills/blob/main/skills/together-audio/references/tts-models.md',
    readOn: '2026-08-18',
  },
  {
    providerId: 'together',
    providerModel: 'canopylabs/orpheus-3b-0.1-ft',
    model: 'canopylabs/orpheus-3b-0.1-ft',
    operation: 'speech',
    price: { character: perMillion('15') },
    source:
      'https://github.com/togethercomputer/skills/blob/main/skills/together-audio/references/tts-models.md',
    readOn: '2026-08-18',
  },
  {
    providerId: 'together',
    providerModel: 'cartesia/sonic-2',
    model: 'cartesia/sonic-2',
    operation: 'speech',
    price: { character: perMillion('65') },
    source:
      'https://github.com/togethercomputer/skills/blob/main/skills/together-audio/references/tts-models.md',
    readOn: '2026-08-18',
  },
]
