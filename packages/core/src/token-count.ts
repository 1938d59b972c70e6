import type { Catalog } from './catalog/catalog.ts'
import { readMessages } from './dialects/anthropic-messages/anthropic-messages.ts'
import type { JsonBody } from './http/request-body.ts'
import { tokensOf } from './metering/estimate.ts'

/** Tokens of a large picture, at a guess (Anthropic's documentation of images: 1.15 megapixels at 750 pixels each, 2026-08). */
const imageTokens = 1_600

/**
 * `POST /v1/messages/count_tokens`: about how long a prompt is, a quarter of its bytes and what templates add. No tokenizer and no
 * provider is asked, and nothing is held or charged.
 *
 * @throws GatewayError `invalid_request` like a request for a message, and what the catalog throws for a model it does not have.
 */
export function countMessageTokens(body: JsonBody, catalog: Catalog): string {
  const call = readMessages(body)
  catalog.candidates(call)
  return JSON.stringify({ input_tokens: tokensOf(call.inputTokensMax) + call.inputImages * imageTokens })
}
