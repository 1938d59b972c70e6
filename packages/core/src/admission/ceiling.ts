import { boundsOf } from '../catalog/bounds.ts'
import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { megapixels } from '../metering/estimate.ts'
import { type Nano, zero } from '../money.ts'
import { charge, type Price } from '../price.ts'
import type { Unit } from '../unit.ts'
import type { Quantities, Quantity } from '../usage.ts'

/** What bounds a call at a target where neither the caller nor the catalog does. */
export interface CeilingDefaults {
  /** Output tokens of one answer. */
  readonly outputTokens: number
}

/** A bound on prompt tokens of an image, for models that do not say (largest seen in November 2026). */
const imageInputTokens = 8192

/** Seconds a job may run where the catalog does not say. */
const computeSeconds = 600

/**
 * Output tokens one answer can have at this target: the caller's bound, within what the model can write at all.
 */
export function outputLimit(call: InferenceCall, target: Target, defaults: CeilingDefaults): number {
  return Math.min(
    call.outputTokensMax ?? Number.MAX_SAFE_INTEGER,
    modelLimit(target) ?? defaults.outputTokens,
  )
}

/** Whether the model itself keeps to the limit, so that none has to be sent. */
export function keepsLimitItself(call: InferenceCall, target: Target): boolean {
  return call.outputTokensMax === undefined && modelLimit(target) !== undefined
}

/**
 * The most this call can cost at this target, with at most `outputTokens` in each answer, whatever is cached and whichever
 * tier is served.
 *
 * Input is bounded without a tokenizer: no text has more tokens than UTF-8 bytes, and no prompt more than the context.
 */
export function ceiling(call: InferenceCall, target: Target, outputTokens: number): Nano {
  const inputTokens = inputLimit(call, target)
  const price = dearestPrice(target, inputTokens)
  return charge(ceilingQuantities(call, target, price, { inputTokens, outputTokens }), price)
}

/** The dearest of several targets: failover is sequential, so one hold covers all. */
export function dearest(amounts: readonly Nano[]): Nano {
  let most: Nano = zero
  for (const amount of amounts) if (amount > most) most = amount
  return most
}

/** How many output tokens in each answer this amount can pay at this target; not below zero. */
export function affordableOutput(call: InferenceCall, target: Target, amount: Nano): number {
  const rate = dearestPrice(target, inputLimit(call, target)).output_token
  const left = amount - ceiling(call, target, 0)
  if (left <= 0n) return 0
  if (rate === undefined || rate.nano === 0n) return Number.MAX_SAFE_INTEGER
  const tokens = (left * rate.per) / rate.nano / BigInt(call.choices)
  return tokens > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(tokens)
}

function modelLimit({ limits }: Target): number | undefined {
  return limits.outputTokens ?? limits.contextTokens
}

/** Input tokens this call can have at this target. */
export function inputLimit(call: InferenceCall, { limits }: Target): number {
  const images = call.inputImages * (limits.imageInputTokens ?? imageInputTokens)
  const context = (limits.contextTokens ?? Number.MAX_SAFE_INTEGER) * call.inputs
  return Math.min(call.inputTokensMax + images, context)
}

/** The dearest rates that a request of at most this length can meet. */
function dearestPrice(target: Target, inputTokens: number): Price {
  const bounds = target.bounds ?? boundsOf(target)
  for (const bound of bounds) if (inputTokens <= bound.inputTokensMax) return bound.price
  return target.price
}

interface TokenLimits {
  readonly inputTokens: number
  readonly outputTokens: number
}

function ceilingQuantities(
  call: InferenceCall,
  target: Target,
  price: Price,
  tokens: TokenLimits,
): Quantities {
  const quantities: Partial<Record<Unit, Quantity>> = {}
  const hasAudio = price.input_audio_token !== undefined && call.inputAudios !== 0
  for (const name in price) {
    const unit = name as Unit
    if (unit === (hasAudio ? 'input_token' : 'input_audio_token')) continue
    quantities[unit] = boundOf(unit, call, target, tokens)
  }
  return quantities
}

function boundOf(unit: Unit, call: InferenceCall, { limits }: Target, tokens: TokenLimits): Quantity {
  switch (unit) {
    case 'input_token':
    case 'input_audio_token':
      return BigInt(tokens.inputTokens)
    case 'output_token': {
      // An image cannot be cut short: it has the tokens it has.
      const outputTokens = call.operation === 'images' ? limits.outputTokens : undefined
      return BigInt(outputTokens ?? tokens.outputTokens) * BigInt(call.choices)
    }
    case 'output_image':
      return BigInt(call.choices)
    case 'megapixel':
      return megapixels(call)
    case 'character':
      return known(unit, call.characters === undefined ? undefined : BigInt(call.characters))
    case 'audio_second':
      return known(unit, call.audioSeconds ?? limits.audioSeconds?.toString())
    case 'compute_second':
      return String((limits.computeSeconds ?? computeSeconds) * call.choices)
    case 'web_search_request':
      return BigInt(limits.webSearches ?? 0) * BigInt(call.choices)
    case 'request':
      return 1n
    default:
      return known(unit, undefined)
  }
}

/** The catalog takes no row for a measure that no request of its operation is bounded in. */
function known(unit: Unit, bound: Quantity | undefined): Quantity {
  if (bound === undefined) throw new RangeError(`Nothing in a request bounds "${unit}".`)
  return bound
}
