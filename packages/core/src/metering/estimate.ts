import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { formatDecimal } from '../money.ts'
import { completeUsage, type Quantities, type Quantity, type Unit, type Usage } from '../usage.ts'

/** English text averages about four bytes a token; a rule of thumb for estimates, never for a bound. */
const bytesPerToken = 4

/** What is known of an output without the provider's word. */
export interface OutputGuess {
  readonly outputTokens: number
}

/** An estimate of what a call uses, in every unit its price knows: for expected costs. */
export function estimateUsage(call: InferenceCall, target: Target, guess: OutputGuess): Quantities {
  return usageWithEstimates(undefined, call, target, guess).quantities
}

/**
 * Usage in every unit that the price knows: what the provider reported, completed by estimates where it said nothing. A
 * provider that does not mention cached tokens has cached none.
 */
export function usageWithEstimates(
  reported: Quantities | undefined,
  call: InferenceCall,
  target: Target,
  guess: OutputGuess,
): Usage {
  const units = Object.keys(target.price) as Unit[]
  return completeUsage(reported, units, (unit) => estimate(unit, call, target, guess))
}

function estimate(unit: Unit, call: InferenceCall, target: Target, guess: OutputGuess): Quantity | undefined {
  switch (unit) {
    case 'input_token':
      return BigInt(Math.max(call.inputs, Math.ceil(call.body.byteLength / bytesPerToken)))
    case 'output_token':
      return BigInt(guess.outputTokens)
    case 'output_image':
      return BigInt(call.choices)
    case 'megapixel':
      return megapixels(call)
    case 'compute_second':
      return String(target.limits.computeSeconds ?? 10)
    case 'request':
      return 1n
    case 'cached_input_token':
      // Nobody can guess how much of a prompt was cached: the whole prompt is estimated as ordinary input.
      return undefined
  }
}

/**
 * Megapixels of all images of a call, weighted by denoising steps: width × height ÷ 10⁶ × steps ÷ 4, the way Together
 * charges open FLUX models (2026-05-11).
 */
export function megapixels(call: InferenceCall): string {
  const { width, height, steps } = call.image ?? { width: 1024, height: 1024, steps: 4 }
  return formatDecimal({ digits: BigInt(width * height) * BigInt(steps * call.choices * 25), scale: 8 })
}

/** Tokens of a text of this many bytes, at a guess. */
export function tokensOf(bytes: number): number {
  return Math.ceil(bytes / bytesPerToken)
}
