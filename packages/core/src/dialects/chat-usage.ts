import { cachedTold } from '../usage.ts'
import { objectOf } from './chat-answer.ts'
import { isObject } from './members.ts'

/**
 * What a chat tells of its usage, for showing it in other words. Only for show: money is charged by what the meter read. A count that
 * nobody told is missing.
 */
export interface ChatUsage {
  /** All of the prompt, with what was cached or written to a cache. */
  readonly input: number | undefined
  readonly cached: number | undefined
  readonly written: number | undefined
  /** All that was written, with what was thought. */
  readonly output: number | undefined
  readonly reasoning: number | undefined
  /** US dollars as exact decimal text, where they are known. */
  readonly cost: string | undefined
  /** What the provider bills the account itself. */
  readonly memoCost: string | undefined
}

/** Reads `usage`, to which the gateway has added `cost` in a stream; of a whole reply the cost is given. */
export function chatUsage(usage: unknown, cost?: string): ChatUsage | undefined {
  if (!isObject(usage)) return undefined
  const input = count(usage['prompt_tokens'])
  const output = count(usage['completion_tokens'])
  const inputDetails = objectOf(usage['prompt_tokens_details'])
  const reasoning = count(objectOf(usage['completion_tokens_details'])['reasoning_tokens'])
  // Some count reasoning beside the output; the total tells.
  const isBeside =
    reasoning !== undefined && count(usage['total_tokens']) === (input ?? 0) + (output ?? 0) + reasoning
  return {
    input,
    cached: cachedTold(usage, inputDetails, count),
    written: count(inputDetails['cache_write_tokens']),
    output: isBeside ? (output ?? 0) + reasoning : output,
    reasoning,
    cost: text(usage['cost']) ?? cost,
    memoCost: text(usage['memo_cost']),
  }
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
