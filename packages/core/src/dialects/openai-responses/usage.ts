import { isObject } from '../members.ts'

type Json = Readonly<Record<string, unknown>>

/**
 * Usage of a chat answer as a response has it, with what it cost. SDKs require the details, so that a count nobody told is 0
 * there; usage that nobody told is nothing.
 */
export function responseUsage(usage: unknown, cost?: unknown): Json | undefined {
  if (!isObject(usage)) return undefined
  const input = countOf(usage['prompt_tokens'])
  const output = countOf(usage['completion_tokens'])
  if (input === undefined && output === undefined) return undefined
  const inputDetails = objectOf(usage['prompt_tokens_details'])
  const outputDetails = objectOf(usage['completion_tokens_details'])
  const cached =
    countOf(inputDetails['cached_tokens']) ??
    countOf(usage['cached_tokens']) ??
    countOf(usage['num_cached_tokens']) ??
    countOf(usage['prompt_cache_hit_tokens'])
  const told: Record<string, unknown> = {
    input_tokens: input ?? 0,
    input_tokens_details: {
      cached_tokens: cached ?? 0,
      cache_write_tokens: countOf(inputDetails['cache_write_tokens']) ?? 0,
    },
    output_tokens: output ?? 0,
    output_tokens_details: { reasoning_tokens: countOf(outputDetails['reasoning_tokens']) ?? 0 },
    total_tokens: countOf(usage['total_tokens']) ?? (input ?? 0) + (output ?? 0),
  }
  if (typeof cost === 'string') told['cost'] = cost
  if (typeof usage['memo_cost'] === 'string') told['memo_cost'] = usage['memo_cost']
  return told
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function objectOf(value: unknown): Json {
  return isObject(value) ? value : {}
}
