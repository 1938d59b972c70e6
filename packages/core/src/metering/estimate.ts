import { imageUnit } from '../catalog/image-unit.ts'
import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { formatDecimal } from '../money.ts'
import type { Unit } from '../unit.ts'
import { completeUsage, type Quantities, type Usage } from '../usage.ts'

/** English text averages about four bytes a token; a rule of thumb for estimates, never for a bound. */
const bytesPerToken = 4

/** An image at a guess: what a tile or two make of it. */
const tokensPerImage = 1024

/** Speech is mostly kept at 64 kbit/s or so: a rule of thumb for files that do not tell how long they play. */
const bytesPerAudioSecond = 8_000

/** What is known of an output without the provider's word. */
export interface OutputGuess {
  readonly outputTokens: number
}

/** An estimate of what a call uses, in every measure its price is for: for expected costs. */
export function estimateUsage(call: InferenceCall, target: Target, guess: OutputGuess): Quantities {
  return usageWithEstimates(undefined, call, target, guess).quantities
}

/**
 * Usage in every measure that the price is for: what the provider reported, completed by estimates where it said nothing.
 * A provider that tells some classes of tokens has used none of the others.
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

function estimate(
  unit: Unit,
  call: InferenceCall,
  target: Target,
  guess: OutputGuess,
): Quantities | undefined {
  switch (unit) {
    case 'input_token':
      return { [unit]: BigInt(likelyInput(call, target)) }
    case 'output_token':
      return { [unit]: BigInt(Math.min(guess.outputTokens, outputMost(call, target))) }
    case 'output_image_token':
      return { [unit]: BigInt(guess.outputTokens) }
    case 'output_image':
      return { [unit]: BigInt(call.choices) }
    case 'megapixel':
      return { [unit]: megapixels(call) }
    case 'request':
      return { [unit]: 1n }
    case 'character':
      return { [unit]: BigInt(call.characters ?? 0) }
    case 'audio_second':
      return { [unit]: audioSeconds(call, target) }
    default:
      if (unit.startsWith('compute_second')) return { [unit]: String(target.limits.computeSeconds ?? 10) }
      if (unit.startsWith('output_image:')) return { [imageUnit(call) ?? unit]: BigInt(call.choices) }
      // Nobody can guess how much of a prompt was cached or spoken: the whole is estimated as ordinary tokens.
      return undefined
  }
}

/**
 * Tokens of a prompt at a guess, and never more than a prompt can have. The bytes of images inside the body are not text: a
 * picture of a megabyte would be taken for a novel.
 */
function likelyInput(call: InferenceCall, { limits }: Target): number {
  const textBytes = Math.min(call.body.byteLength, call.inputTokensMax)
  const images = call.inputImages * Math.min(tokensPerImage, limits.imageInputTokens ?? tokensPerImage)
  const context = (limits.contextTokens ?? Number.MAX_SAFE_INTEGER) * call.inputs
  return Math.min(Math.max(call.inputs, tokensOf(textBytes) + images), context)
}

/** All answers are no longer than the caller and the model let them be, whatever else came with them. */
function outputMost(call: InferenceCall, { limits }: Target): number {
  const each = Math.min(
    call.outputTokensMax ?? Number.MAX_SAFE_INTEGER,
    limits.outputTokens ?? limits.contextTokens ?? Number.MAX_SAFE_INTEGER,
  )
  return Math.min(each * call.choices, Number.MAX_SAFE_INTEGER)
}

/**
 * Megapixels of all images of a call, weighted by denoising steps: width × height ÷ 10⁶ × steps ÷ 4, the way Together
 * charges open FLUX models (2026-05-11).
 */
export function megapixels(call: InferenceCall): string {
  const { width, height, steps } = call.image ?? { width: 1024, height: 1024, steps: 4 }
  return formatDecimal({ digits: BigInt(width * height) * BigInt(steps * call.choices * 25), scale: 8 })
}

/** How long the audio of a call plays, at a guess where nobody says so: never longer than the provider takes. */
function audioSeconds({ audioSeconds, body }: InferenceCall, { limits }: Target): string {
  if (audioSeconds !== undefined) return audioSeconds
  const guess = Math.max(1, Math.ceil((body.file?.bytes.length ?? 0) / bytesPerAudioSecond))
  return String(Math.min(guess, limits.audioSeconds ?? guess))
}

/** Tokens of a text of this many bytes, at a guess. */
export function tokensOf(bytes: number): number {
  return Math.ceil(bytes / bytesPerToken)
}
