import { formatUsd, type LongContextTier, type Price, type Rate, type TargetPrice } from '@farebox/core'

/** The list price, and behind it what is another price in other tiers. */
export function priceText({ price, tiers }: TargetPrice): string {
  const ladder = (steps: readonly LongContextTier[] = []) =>
    steps.map((step) => `over ${step.overInputTokens} input tokens ${ratesText(step.price)}`)
  const service = Object.entries(tiers?.service ?? {}).flatMap(([name, tier]) =>
    [ratesText(tier.price), ...ladder(tier.longContext)].map((text) => `${name} ${text}`),
  )
  return [ratesText(price), ...ladder(tiers?.longContext), ...service].join('; ')
}

function ratesText(price: Price): string {
  return Object.entries(price)
    .flatMap(([unit, rate]) => (rate === undefined ? [] : [`${unit} ${rateText(unit, rate)}`]))
    .join(', ')
}

/** Token prices are published by the million, all others by the unit. */
export function rateText(unit: string, { nano, per }: Rate): string {
  const units = unit.endsWith('_token') ? 1_000_000n : 1n
  const exact = nano * units
  return `${exact % per === 0n ? '' : '~'}${formatUsd(exact / per)}${units === 1n ? '' : '/M'}`
}
