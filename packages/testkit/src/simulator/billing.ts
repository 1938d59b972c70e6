import { type Exchange, hashKey, keyOf, parseObject, sendJson } from './exchange.ts'
import type { ProviderName } from './price-list.ts'
import type { Truth } from './truth.ts'

const idsMax = 10_000

/**
 * Answers which of up to 10,000 requests cost how much, in whole billionths of a US dollar. Who asks with a key hears of that
 * key's requests only.
 */
export function answerCosts(
  exchange: Exchange,
  { provider, truth }: { provider: ProviderName; truth: Truth },
): void {
  const { requestIds } = (parseObject(exchange.request.body) ?? {}) as { readonly requestIds?: unknown }
  if (!isIdList(requestIds)) {
    const error = `requestIds must be a list of at most ${idsMax} texts.`
    sendJson(exchange, { status: 400, body: JSON.stringify({ error }) })
    return
  }
  const key = keyOf(exchange.request)
  const costs = truth.lookUp(provider, requestIds, key === undefined ? undefined : hashKey(key))
  // The amount is written as digits, because it may be larger than a number can hold exactly.
  const requests = [...costs].map(([id, cost]) => `{"requestId":${JSON.stringify(id)},"costNanoUsd":${cost}}`)
  const body = `{"requests":${requests.length === 0 ? 'null' : `[${requests.join(',')}]`}}`
  sendJson(exchange, { status: 200, body })
}

function isIdList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= idsMax && value.every((id) => typeof id === 'string')
}
