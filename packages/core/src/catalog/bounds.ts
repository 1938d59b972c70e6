import type { Rate } from '../money.ts'
import { type LongContextTier, type Price, ratesOf, type TargetPrice } from '../price.ts'
import { measureOf, type Unit } from '../unit.ts'

/** The dearest rates a request can meet whose input has at most this many tokens. What holds are computed by. */
export interface PriceBound {
  readonly inputTokensMax: number
  /**
   * One rate for each measure, under its plain unit. `input_token` is for input without audio; `input_audio_token`, where
   * the price has one, for input that may hold audio.
   */
  readonly price: Price
}

/**
 * Bounds for requests of any length, shortest first, the last without a limit. Nobody knows beforehand what will be read
 * from a cache or written to one, nor which tier will be served: each rate is the dearest that can come of it.
 */
export function boundsOf(target: TargetPrice): readonly PriceBound[] {
  const service = Object.values(target.tiers?.service ?? {})
  const ladders = [target.tiers?.longContext ?? [], ...service.map(({ longContext }) => longContext ?? [])]
  const thresholds = [...new Set(ladders.flat().map(({ overInputTokens }) => overInputTokens))]
  return [...thresholds.toSorted((a, b) => a - b), Number.POSITIVE_INFINITY].map((inputTokensMax) => ({
    inputTokensMax,
    price: dearestOf(pricesUpTo(inputTokensMax, target)),
  }))
}

/** Every price that a request with at most so many tokens of input can have. */
function pricesUpTo(tokens: number, { price, tiers }: TargetPrice): readonly Price[] {
  const within = (base: Price, longContext: readonly LongContextTier[] = []) => [
    base,
    ...longContext
      .filter(({ overInputTokens }) => overInputTokens < tokens)
      .map((longer) => ({ ...base, ...longer.price })),
  ]
  const served = Object.values(tiers?.service ?? {}).flatMap((service) =>
    within({ ...price, ...service.price }, service.longContext),
  )
  return [...within(price, tiers?.longContext), ...served]
}

function dearestOf(prices: readonly Price[]): Price {
  const bound: Partial<Record<Unit, Rate>> = {}
  const raise = (unit: Unit, rate: Rate) => {
    const known = bound[unit]
    if (known === undefined || isDearer(rate, known)) bound[unit] = rate
  }
  const isAudioPriced = prices.some((price) => Object.keys(price).some(isInputAudio))
  for (const price of prices) {
    for (const [name, rate] of ratesOf(price)) {
      const unit = boundUnit(name)
      if (unit !== 'input_token' || !isInputAudio(name)) raise(unit, rate)
      if (unit === 'input_token' && isAudioPriced) raise('input_audio_token', rate)
    }
  }
  return bound
}

export function isDearer(rate: Rate, other: Rate): boolean {
  return rate.nano * other.per > other.nano * rate.per
}

function isInputAudio(unit: string): boolean {
  return unit === 'input_audio_token' || unit === 'cached_input_audio_token'
}

/** The plain unit of what a unit measures. */
function boundUnit(unit: string): Unit {
  switch (measureOf(unit)) {
    case 'input':
      return 'input_token'
    case 'output':
      return 'output_token'
    case 'sized-image':
      return 'output_image'
    case 'compute':
      return 'compute_second'
    default:
      return unit as Unit
  }
}
