import { perToken, perUnit } from '../../money.ts'
import type { LongContextTier, Price, TargetPrice } from '../../price.ts'
import type { Unit } from '../../unit.ts'
import type { CatalogRow } from '../target.ts'
import { type ExactObject, isObject, listOf, objectOf, readExactJson, textOf } from './exact-json.ts'
import {
  amountOf,
  collectRows,
  isZero,
  ladderOf,
  type PriceList,
  type PriceListOptions,
  priceOf,
  tiersOf,
  tokenCountOf,
  withWriteTimes,
} from './price-list.ts'

/** US dollars for one token, as text. */
const tokenNames: Readonly<Record<string, Unit>> = {
  prompt: 'input_token',
  input_cache_read: 'cached_input_token',
  input_cache_write: 'cache_write_token',
  input_cache_write_1h: 'cache_write_1h_token',
  audio: 'input_audio_token',
  input_audio_cache: 'cached_input_audio_token',
  image_token: 'input_image_token',
  completion: 'output_token',
  internal_reasoning: 'reasoning_token',
  audio_output: 'output_audio_token',
}

const unitNames: Readonly<Record<string, Unit>> = { request: 'request' }

/** A fee of a tool at the provider. Usage that reports it has no price; see `rateUsage`. */
const toolFees: readonly string[] = ['web_search']

/**
 * Reads OpenRouter's `GET /api/v1/models`: prices for one token as text, with tiers for long prompts. A price of -1, which
 * stands for one that depends on the route, is refused, and so is one that depends on the time of day, and a price for
 * something that is not sold here.
 *
 * All models are of one provider: `providers` maps `openrouter` to the gateway's name for it.
 *
 * @throws RangeError when the text is not such a list. Single entries that cannot be sold are in `refused`.
 */
export function readOpenRouterPrices(text: string, options: PriceListOptions): PriceList {
  const list = readExactJson(text)
  if (!isObject(list) || !Array.isArray(list['data']))
    throw new RangeError('This is not the list of OpenRouter.')
  const rows = collectRows()
  const providerId = options.providers['openrouter']
  if (providerId === undefined) return rows.list()
  for (const each of listOf(list['data'])) {
    const model = objectOf(each)
    const id = textOf(model['id']) ?? ''
    rows.add(`openrouter/${id}`, () => rowOf(id, model, providerId, options))
  }
  return rows.list()
}

function rowOf(id: string, model: ExactObject, providerId: string, options: PriceListOptions): CatalogRow {
  if (id === '') throw new RangeError('A model has no id.')
  if (!isObject(model['pricing'])) throw new RangeError('The list has no price for it.')
  const architecture = objectOf(model['architecture'])
  const outputs = listOf(architecture['output_modalities'])
  if (outputs.some((output) => output !== 'text' && output !== 'audio')) {
    throw new RangeError(`It gives ${outputs.join(' and ')}, and the list does not say by what that is sold.`)
  }
  const parameters = listOf(model['supported_parameters'])
  // The suffix says that the zero is meant.
  const isFree = id.endsWith(':free') || options.free?.includes(id) === true
  return {
    providerId,
    providerModel: id,
    model: options.models?.[id] ?? (textOf(model['hugging_face_id']) || id),
    operation: 'chat',
    ...pricesOf(model['pricing'], isFree),
    supports: {
      tools: parameters.includes('tools'),
      structuredOutput: parameters.includes('structured_outputs'),
      imageInput: listOf(architecture['input_modalities']).includes('image'),
    },
    source: options.source ?? 'https://openrouter.ai/api/v1/models',
    readOn: options.readOn,
  }
}

function pricesOf(pricing: ExactObject, isFree: boolean): TargetPrice {
  const { overrides, ...base } = pricing
  const steps = listOf(overrides).map((each): LongContextTier => {
    const { min_prompt_tokens: over, ...prices } = objectOf(each)
    const other = Object.keys(prices).find((name) => name.startsWith('utc_'))
    if (over === undefined || other !== undefined)
      throw new RangeError('Its price depends on the time of day.')
    return { overInputTokens: tokenCountOf(over), price: read(prices, isFree) }
  })
  return withWriteTimes({ price: read(base, isFree), ...tiersOf(ladderOf(steps)) })
}

function read(members: ExactObject, isFree: boolean): Price {
  for (const [name, value] of Object.entries(members)) {
    if (Object.hasOwn(tokenNames, name) || Object.hasOwn(unitNames, name) || toolFees.includes(name)) continue
    const amount = amountOf(value, name)
    if (amount === undefined || isZero(amount)) continue
    throw new RangeError(`"${name}" is a price for something that is not sold here.`)
  }
  return {
    ...priceOf(members, { names: tokenNames, toRate: perToken }, isFree),
    ...priceOf(members, { names: unitNames, toRate: perUnit }, isFree),
  }
}
