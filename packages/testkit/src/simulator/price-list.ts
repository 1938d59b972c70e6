/** The providers the simulator speaks for. */
export type ProviderName = 'cerebras' | 'together' | 'replicate'

export const providerNames: readonly ProviderName[] = ['cerebras', 'together', 'replicate']

/**
 * What a price is for: `input` and `output` are USD per million tokens, `output_image` USD per image, `megapixel` USD per
 * million pixels at the model's default number of steps, `compute_second` USD per second of compute, `character` USD per million
 * characters that are spoken, `audio_second` USD per second of audio that is written down, `request` USD for each.
 */
export type Unit =
  | 'input'
  | 'output'
  | 'output_image'
  | 'megapixel'
  | 'compute_second'
  | 'character'
  | 'audio_second'
  | 'request'

/** Decimal text per unit. A unit without a price is free. */
export type ModelPrice = { readonly [unit in Unit]?: string }

export type PriceList = { readonly [provider in ProviderName]?: { readonly [model: string]: ModelPrice } }

export type Operation =
  | 'chat'
  | 'completions'
  | 'embeddings'
  | 'images'
  | 'moderations'
  | 'speech'
  | 'transcriptions'

/** `amount / per` of one unit, as integers so that nothing is rounded before the end. */
export interface Quantity {
  readonly unit: Unit
  readonly amount: bigint
  readonly per: bigint
}

/** The prices of the simulated models, as the providers published them in 2026. */
export const defaultPrices: {
  readonly [provider in ProviderName]: { readonly [model: string]: ModelPrice }
} = {
  cerebras: {
    'gpt-oss-120b': { input: '0.35', output: '0.75' },
    'zai-glm-4.7': { input: '2.25', output: '2.75' },
    'llama-3.3-70b': { input: '0.85', output: '1.2' },
  },
  together: {
    'openai/gpt-oss-120b': { input: '0.15', output: '0.6' },
    'openai/gpt-oss-20b': { input: '0.05', output: '0.2' },
    'intfloat/multilingual-e5-large-instruct': { input: '0.02' },
    'meta-llama/Llama-3.3-70B-Instruct-Turbo': { input: '0.88', output: '0.88' },
    'black-forest-labs/FLUX.1-schnell': { megapixel: '0.0027' },
    'hexgrad/Kokoro-82M': { character: '4' },
    'openai/whisper-large-v3': { audio_second: '0.000025' },
    'omni-moderation-latest': { request: '0' },
  },
  replicate: {
    'black-forest-labs/flux-schnell': { output_image: '0.003' },
    'stability-ai/sdxl': { compute_second: '0.000975' },
    'meta/meta-llama-3-8b-instruct': { input: '0.05', output: '0.25' },
  },
}

/** The default list with the entries of `prices` added, or put in place of the entries of the same model. */
export function withDefaultPrices(prices: PriceList): PriceList {
  for (const models of Object.values(prices)) {
    for (const price of Object.values(models)) {
      for (const text of Object.values(price)) decimal(text)
    }
  }
  return {
    cerebras: { ...defaultPrices.cerebras, ...prices.cerebras },
    together: { ...defaultPrices.together, ...prices.together },
    replicate: { ...defaultPrices.replicate, ...prices.replicate },
  }
}

/**
 * The price of a model, or undefined when the provider does not know the model.
 *
 * A `sim/...` model without an entry of its own costs as much as the provider's first model of that operation.
 */
export function findPrice(
  prices: PriceList,
  { provider, model, operation }: { provider: ProviderName; model: string; operation: Operation },
): ModelPrice | undefined {
  const models = prices[provider] ?? {}
  if (Object.hasOwn(models, model)) return models[model]
  if (!model.startsWith('sim/')) return undefined
  return Object.values(models).find(kinds[operation])
}

export function isChatPrice(price: ModelPrice): boolean {
  return price.output !== undefined
}

export function isImagePrice(price: ModelPrice): boolean {
  return [price.output_image, price.megapixel, price.compute_second].some((text) => text !== undefined)
}

export function isSpeechPrice(price: ModelPrice): boolean {
  return price.character !== undefined
}

export function isTranscriptionPrice(price: ModelPrice): boolean {
  return price.audio_second !== undefined
}

export function isRequestPrice(price: ModelPrice): boolean {
  return price.request !== undefined
}

const kinds: Readonly<Record<Operation, (price: ModelPrice) => boolean>> = {
  chat: isChatPrice,
  completions: isChatPrice,
  embeddings: isChatPrice,
  images: isImagePrice,
  moderations: isRequestPrice,
  speech: isSpeechPrice,
  transcriptions: isTranscriptionPrice,
}

/** The exact cost summed as one fraction of whole numbers, then rounded up once to a billionth of a US dollar. */
export function costNanoUsd(price: ModelPrice, quantities: readonly Quantity[]): bigint {
  let numerator = 0n
  let denominator = 1n
  for (const { unit, amount, per } of quantities) {
    const rate = decimal(price[unit] ?? '0')
    numerator = numerator * per * rate.per + amount * rate.amount * denominator
    denominator *= per * rate.per
  }
  return (numerator * 1_000_000_000n + denominator - 1n) / denominator
}

export function tokenQuantities(tokens: { input: number; output: number }): readonly Quantity[] {
  return [
    { unit: 'input', amount: BigInt(tokens.input), per: 1_000_000n },
    { unit: 'output', amount: BigInt(tokens.output), per: 1_000_000n },
  ]
}

function decimal(text: string): { readonly amount: bigint; readonly per: bigint } {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text)
  if (match === null) throw new RangeError(`A price must be decimal text such as "0.35", not "${text}".`)
  const [, whole = '', digits = ''] = match
  return { amount: BigInt(whole + digits), per: 10n ** BigInt(digits.length) }
}
