import { chatUsage } from '../chat-usage.ts'

/**
 * Usage of a chat answer as a response has it, with what it cost. SDKs require the details, so that a count nobody told is 0
 * there; usage that nobody told is nothing.
 */
export function responseUsage(
  reported: unknown,
  cost?: string,
): Readonly<Record<string, unknown>> | undefined {
  const usage = chatUsage(reported, cost)
  if (usage === undefined || (usage.input === undefined && usage.output === undefined)) return undefined
  const { input = 0, cached = 0, written = 0, output = 0, reasoning = 0 } = usage
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: input + output,
    ...(usage.cost === undefined ? {} : { cost: usage.cost }),
    ...(usage.memoCost === undefined ? {} : { memo_cost: usage.memoCost }),
  }
}
