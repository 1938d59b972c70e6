import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import type { Quantities } from '../usage.ts'

/** A price list may be behind its model; not by more than this. */
const timesTheContext = 4

/**
 * Whether a provider can have meant what it reports. More tokens than the model could ever read or write are a fault of the
 * provider: the account of one request would be emptied by it.
 */
export function isBelievable(
  quantities: Quantities,
  { inputs, choices }: InferenceCall,
  { limits: { contextTokens } }: Target,
): boolean {
  if (contextTokens === undefined) return true
  const most = contextTokens * timesTheContext * Math.max(inputs, choices)
  for (const name in quantities) {
    const quantity = quantities[name as keyof Quantities]
    if (typeof quantity === 'bigint' && quantity > most) return false
  }
  return true
}
