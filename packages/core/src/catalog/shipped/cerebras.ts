import { perMillion } from '../../money.ts'
import type { CatalogRow } from '../target.ts'

/** What Cerebras sells. */
export const cerebrasRows: readonly CatalogRow[] = [
  {
    providerId: 'cerebras',
    providerModel: 'gpt-oss-120b',
    model: 'openai/gpt-oss-120b',
    operation: 'chat',
    price: { input_token: perMillion('0.35'), output_token: perMillion('0.75') },
    limits: { contextTokens: 131_072, outputTokens: 32_768 },
    supports: { tools: true, structuredOutput: true },
    source: 'https://github.com/anomalyco/models.dev/blob/dev/providers/cerebras/models/gpt-oss-120b.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'cerebras',
    providerModel: 'zai-glm-4.7',
    model: 'zai-org/GLM-4.7',
    operation: 'chat',
    price: { input_token: perMillion('2.25'), output_token: perMillion('2.75') },
    limits: { contextTokens: 131_072, outputTokens: 40_960 },
    supports: { tools: true, structuredOutput: true },
    source: 'https://github.com/anomalyco/models.dev/blob/dev/providers/cerebras/models/zai-glm-4.7.toml',
    readOn: '2026-07-02',
  },
  {
    providerId: 'cerebras',
    providerModel: 'llama-3.3-70b',
    model: 'meta-llama/Llama-3.3-70B-Instruct',
    operation: 'chat',
    price: { input_token: perMillion('0.85'), output_token: perMillion('1.2') },
    limits: { contextTokens: 131_072, outputTokens: 32_768 },
    supports: { tools: true, structuredOutput: true },
    source: 'https://github.com/pydantic/genai-prices',
    readOn: '2025-11-07',
  },
]
