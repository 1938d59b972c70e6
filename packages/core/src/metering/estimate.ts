import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { formatDecimal } from '../money.ts'
import type { Quantities, Quantity, Unit } from '../usage.ts'

/** English text averages about four bytes a token; a rule of thumb for estimates, never for a bound. */
const bytesPerToken = 4

/** What is known of an output without the provider's word. */
export interface OutputGuess {
  readonly outputTokens: number
}

/** An estimate of what a call uses, in every unit its price knows: for expected costs, and where usage never came. */
export function estimateUsage(call: InferenceCall, target: Target, guess: OutputGuess): Quantities {
  const estimates: Partial<Record<Unit, Quantity>> = {
    input_token: BigInt(Math.max(call.inputs, Math.ceil(call.body.byteLength / bytesPerToken))),
    output_token: BigInt(guess.outputTokens),
    output_image: BigInt(call.choices),
    megapixel: megapixels(call),
    compute_second: String(target.limits.computeSeconds ?? 10),
    request: 1n,
  }
  const quantities: Partial<Record<Unit, Quantity>> = {}
  for (const unit of Object.keys(target.price) as Unit[]) {
    // Nobody can guess how much of a prompt was cached: the whole prompt is estimated as ordinary input.
    const estimate = estimates[unit]
    if (estimate !== undefined) quantities[unit] = estimate
  }
  return quantities
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
