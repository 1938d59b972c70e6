/** Usage of a message. Cached tokens are beside the input, not inside. */
export interface MessageUsage {
  readonly input_tokens: number
  readonly cache_creation_input_tokens: number | null
  readonly cache_read_input_tokens: number | null
  readonly output_tokens: number
  readonly output_tokens_details?: { readonly thinking_tokens: number }
  /** US dollars, where they are known. */
  readonly cost?: string
  /** What the provider bills the account itself. */
  readonly memo_cost?: string
}

/**
 * Usage of a chat in Anthropic's words (its own usage is additive, OpenAI's is not). The two counts that clients add up are zero
 * where a provider tells none. Only for show: money is charged by what the provider reported.
 */
export function messageUsage(reported: unknown, cost?: string): MessageUsage {
  const usage = members(reported)
  const input = count(usage['prompt_tokens']) ?? 0
  const inputDetails = members(usage['prompt_tokens_details'])
  const cached =
    count(inputDetails['cached_tokens']) ??
    count(usage['cached_tokens']) ??
    count(usage['num_cached_tokens']) ??
    count(usage['prompt_cache_hit_tokens'])
  const written = count(inputDetails['cache_write_tokens'])
  const thinking = count(members(usage['completion_tokens_details'])['reasoning_tokens'])
  const told = {
    input_tokens: Math.max(0, input - (cached ?? 0) - (written ?? 0)),
    cache_creation_input_tokens: written ?? null,
    cache_read_input_tokens: cached ?? null,
    output_tokens: outputTokens(usage, input, thinking),
  }
  return {
    ...told,
    ...(thinking === undefined ? {} : { output_tokens_details: { thinking_tokens: thinking } }),
    ...money('cost', usage['cost'] ?? cost),
    ...money('memo_cost', usage['memo_cost']),
  }
}

/** Some count reasoning beside the output; the total tells. */
function outputTokens(
  usage: Readonly<Record<string, unknown>>,
  input: number,
  thinking: number | undefined,
): number {
  const output = count(usage['completion_tokens']) ?? 0
  if (thinking === undefined) return output
  return count(usage['total_tokens']) === input + output + thinking ? output + thinking : output
}

function money(name: 'cost' | 'memo_cost', amount: unknown): Readonly<Record<string, string>> {
  return typeof amount === 'string' ? { [name]: amount } : {}
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? value : undefined
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
