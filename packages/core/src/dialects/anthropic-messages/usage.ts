import { chatUsage } from '../chat-usage.ts'

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
  const usage = chatUsage(reported, cost)
  const { input = 0, cached, written, output = 0, reasoning, memoCost } = usage ?? {}
  const told = usage === undefined ? cost : usage.cost
  return {
    input_tokens: Math.max(0, input - (cached ?? 0) - (written ?? 0)),
    cache_creation_input_tokens: written ?? null,
    cache_read_input_tokens: cached ?? null,
    output_tokens: output,
    ...(reasoning === undefined ? {} : { output_tokens_details: { thinking_tokens: reasoning } }),
    ...(told === undefined ? {} : { cost: told }),
    ...(memoCost === undefined ? {} : { memo_cost: memoCost }),
  }
}
