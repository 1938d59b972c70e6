// A host's module with prices of its own, which change on 1 December 2026.
import { createGateway, createPriceBook, perMillion } from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'

const row = (input) => ({
  providerId: 'own',
  providerModel: 'llama-3.3-70b',
  model: 'meta-llama/Llama-3.3-70B-Instruct',
  operation: 'chat',
  price: { input_token: perMillion(input), output_token: perMillion('0.60') },
  source: 'https://example.com/our-own-price-list',
  readOn: '2026-11-22',
})

export const gateway = createGateway({
  providers: [openaiCompatible({ id: 'own', baseUrl: 'http://127.0.0.1:9/v1' })],
  authenticate: () => undefined,
  catalog: createPriceBook([
    { effectiveAtMs: 0, rows: [row('0.20')] },
    { effectiveAtMs: Date.UTC(2026, 11, 1), rows: [row('0.25')] },
  ]),
})
