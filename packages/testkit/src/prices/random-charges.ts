import { type Price, type Quantities, rate, type TargetPrice, type Unit } from '@farebox/core'
import type { Random } from '../simulation/random.ts'

/** A rate as a price list writes it: decimal US dollars for so many units. */
export interface RateText {
  readonly amount: string
  readonly per: string
}

export type PriceText = Readonly<Partial<Record<Unit, RateText>>>

/** A target twice: as texts, for the oracle, and as what is charged by. */
export interface RandomTarget {
  readonly price: PriceText
  readonly longContext: readonly { readonly overInputTokens: number; readonly price: PriceText }[]
  readonly service: Readonly<Record<string, PriceText>>
  readonly target: TargetPrice
}

export interface RandomCharge {
  readonly of: RandomTarget
  readonly quantities: Quantities
  readonly serviceTier: string | undefined
}

const optionalUnits: readonly Unit[] = [
  'cached_input_token',
  'input_audio_token',
  'input_image_token',
  'reasoning_token',
  'output_audio_token',
]

/** Measures that a price is for instead of tokens, and what one unit of them is counted in. */
const otherMeasures: readonly (readonly [Unit, 'count' | 'decimal', per: string])[] = [
  ['output_image', 'count', '1'],
  ['megapixel', 'decimal', '1'],
  ['compute_second', 'decimal', '1'],
  ['audio_second', 'decimal', '3600'],
  ['character', 'count', '1000000'],
]

/** A pool of targets, some with tiers, from which any number of charges can be drawn. */
export function randomTargets(random: Random, count: number): readonly RandomTarget[] {
  return Array.from({ length: count }, () => (random.chance(0.8) ? tokenTarget(random) : otherTarget(random)))
}

/** One attempt at one of the targets, at random. */
export function randomCharge(random: Random, targets: readonly RandomTarget[]): RandomCharge {
  const of = random.pick(targets)
  const tiers = Object.keys(of.service)
  return {
    of,
    quantities: of.price.input_token === undefined ? otherUse(random, of) : tokenUse(random, of),
    serviceTier: tiers.length > 0 && random.chance(0.5) ? random.pick(tiers) : undefined,
  }
}

function tokenTarget(random: Random): RandomTarget {
  const named = optionalUnits.filter(() => random.chance(0.4))
  // Writes are named for both times to live, or not at all: one alone does not say what the other costs.
  const writes: readonly Unit[] = random.chance(0.3) ? ['cache_write_5m_token', 'cache_write_1h_token'] : []
  const units: readonly Unit[] = ['input_token', 'output_token', ...named, ...writes]
  const price = tokenPrice(random, units)
  if (random.chance(0.2)) Object.assign(price, { request: { amount: amount(random), per: '1000' } })
  const some = () =>
    tokenPrice(
      random,
      units.filter(() => random.chance(0.7)),
    )
  const thresholds = random.chance(0.3) ? [random.below(200_000) + 1] : []
  if (thresholds[0] !== undefined && random.chance(0.3))
    thresholds.push(thresholds[0] + random.below(200_000) + 1)
  const longContext = thresholds.map((overInputTokens) => ({ overInputTokens, price: some() }))
  const hasService = longContext.length === 0 && random.chance(0.3)
  const service = hasService ? { flex: some(), priority: some(), batch: some() } : {}
  return targetOf(price, longContext, service)
}

function otherTarget(random: Random): RandomTarget {
  const [unit, , per] = random.pick(otherMeasures)
  return targetOf({ [unit]: { amount: amount(random), per } }, [], {})
}

function targetOf(
  price: PriceText,
  longContext: RandomTarget['longContext'],
  service: RandomTarget['service'],
): RandomTarget {
  const tiers = {
    ...(longContext.length === 0
      ? {}
      : { longContext: longContext.map((step) => ({ ...step, price: ratesOf(step.price) })) }),
    ...(Object.keys(service).length === 0
      ? {}
      : {
          service: Object.fromEntries(
            Object.entries(service).map(([name, text]) => [name, { price: ratesOf(text) }]),
          ),
        }),
  }
  const isFlat = Object.keys(tiers).length === 0
  return { price, longContext, service, target: { price: ratesOf(price), ...(isFlat ? {} : { tiers }) } }
}

function ratesOf(price: PriceText): Price {
  return Object.fromEntries(
    Object.entries(price).map(([unit, text]) => [unit, rate(text?.amount ?? '', text?.per ?? '')]),
  )
}

function tokenPrice(random: Random, units: readonly Unit[]): PriceText {
  const per = random.chance(0.8) ? '1000000' : '1'
  return Object.fromEntries(units.map((unit) => [unit, { amount: amount(random, per === '1' ? 7 : 0), per }]))
}

/** Up to nine digits, with up to twelve places behind the point, sometimes nothing and sometimes with an exponent. */
function amount(random: Random, placesMin = 0): string {
  if (random.chance(0.03)) return '0'
  const digits = String(random.below(10 ** (1 + random.below(9))))
  const places = placesMin + random.below(8)
  if (random.chance(0.1)) return `${digits}e-${String(places).padStart(2, '0')}`
  const text = digits.padStart(places + 1, '0')
  return places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`
}

const tokenUnits: readonly Unit[] = [
  'cached_input_token',
  'cache_write_5m_token',
  'cache_write_1h_token',
  'input_audio_token',
  'input_image_token',
  'reasoning_token',
  'output_audio_token',
]

/** Tokens in any classes, named by the price or not, and other measures of the same work beside them. */
function tokenUse(random: Random, { price, longContext }: RandomTarget): Quantities {
  const quantities: Record<string, bigint | string> = {
    input_token: tokens(random),
    output_token: tokens(random),
  }
  for (const unit of tokenUnits) if (random.chance(0.3)) quantities[unit] = tokens(random)
  // As many as a tier begins with, one more and one less.
  const [step] = longContext
  if (step !== undefined && random.chance(0.3)) {
    for (const unit of tokenUnits.slice(0, 5)) delete quantities[unit]
    quantities['input_token'] = BigInt(step.overInputTokens + random.below(3) - 1)
  }
  if (price.request !== undefined) quantities['request'] = 1n
  if (random.chance(0.2)) quantities['compute_second'] = decimal(random)
  return quantities as Quantities
}

function otherUse(random: Random, { price }: RandomTarget): Quantities {
  const measured: Record<string, bigint | string> = {
    input_token: tokens(random),
    output_token: tokens(random),
  }
  for (const [unit, kind] of otherMeasures) {
    if (price[unit] !== undefined) measured[unit] = kind === 'count' ? tokens(random) : decimal(random)
  }
  return measured as Quantities
}

function tokens(random: Random): bigint {
  if (random.chance(0.05)) return 0n
  if (random.chance(0.01)) return 2n ** 53n + BigInt(random.below(1000))
  return BigInt(random.below(10 ** (1 + random.below(6))))
}

function decimal(random: Random): string {
  return `${random.below(1000)}.${String(random.below(1_000_000_000)).padStart(9, '0')}`
}
