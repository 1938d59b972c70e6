import { objectAt, refusal } from './refusal.ts'

/** Budgets below the first are low effort, below the second medium. */
const budgets = { medium: 4_096, high: 16_384 }

/** Anthropic's efforts in the three words that all open models know. */
const efforts: Readonly<Record<string, string>> = {
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
  max: 'high',
}

/**
 * How much a model is to think, in chat's words; `undefined` leaves it to the model.
 *
 * @throws GatewayError `invalid_request`, naming the member at fault.
 */
export function reasoningEffort(thinking: unknown, effort: unknown): string | undefined {
  const { type, budget_tokens: budget } =
    thinking === undefined || thinking === null ? {} : objectAt(thinking, 'thinking')
  if (type === 'disabled') return 'none'
  if (effort !== undefined && effort !== null) {
    const known = typeof effort === 'string' && Object.hasOwn(efforts, effort) ? efforts[effort] : undefined
    if (known !== undefined) return known
    throw refusal('output_config.effort', `must be one of ${Object.keys(efforts).join(', ')}.`)
  }
  if (type !== 'enabled') return undefined
  if (typeof budget !== 'number') throw refusal('thinking.budget_tokens', 'must be a number of tokens.')
  return budget < budgets.medium ? 'low' : budget < budgets.high ? 'medium' : 'high'
}

/**
 * Whether the caller wants to read what a model thinks. Most who do not ask take the first block for the answer, and open models
 * think unasked.
 */
export function showsThinking(thinking: unknown): boolean {
  if (typeof thinking !== 'object' || thinking === null) return false
  const { type, display } = thinking as { readonly type?: unknown; readonly display?: unknown }
  return (type === 'enabled' || type === 'adaptive') && display !== 'omitted'
}
