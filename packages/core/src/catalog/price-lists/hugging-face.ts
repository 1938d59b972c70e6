import { perMillion } from '../../money.ts'
import type { Price } from '../../price.ts'
import type { CatalogRow } from '../target.ts'
import { type ExactObject, isObject, listOf, objectOf, readExactJson, textOf } from './exact-json.ts'
import { collectRows, type PriceList, type PriceListOptions, priceOf } from './price-list.ts'

const names = { input: 'input_token', output: 'output_token' } as const

/** Hugging Face's list does not tell what a provider itself calls a model. */
export interface HuggingFaceOptions extends PriceListOptions {
  /** What a provider calls a model, by `provider/model` of the list. @default the model's id on the Hub */
  readonly providerModels?: Readonly<Record<string, string>>
}

/**
 * Reads `GET /v1/models` of Hugging Face's router: who serves a model, at which price for a million tokens. A provider
 * without a price is refused, and so is a price of zero that is not marked as free.
 *
 * @throws RangeError when the text is not such a list. Single entries that cannot be sold are in `refused`.
 */
export function readHuggingFacePrices(text: string, options: HuggingFaceOptions): PriceList {
  const list = readExactJson(text)
  if (!isObject(list) || !Array.isArray(list['data']))
    throw new RangeError('This is not the list of Hugging Face.')
  const rows = collectRows()
  for (const each of listOf(list['data'])) {
    const model = objectOf(each)
    const id = textOf(model['id']) ?? ''
    for (const served of listOf(model['providers'])) {
      const offer = objectOf(served)
      const provider = textOf(offer['provider']) ?? ''
      if (!Object.hasOwn(options.providers, provider)) continue
      rows.add(`${provider}/${id}`, () => rowOf(id, model, provider, offer, options))
    }
  }
  return rows.list()
}

function rowOf(
  id: string,
  model: ExactObject,
  provider: string,
  offer: ExactObject,
  options: HuggingFaceOptions,
): CatalogRow {
  if (id === '') throw new RangeError('A model has no id.')
  if (!isObject(offer['pricing'])) throw new RangeError('The list has no price for it.')
  const architecture = objectOf(model['architecture'])
  const outputs = listOf(architecture['output_modalities'])
  if (outputs.some((output) => output !== 'text')) {
    throw new RangeError(`It gives ${outputs.join(' and ')}, and the list does not say by what that is sold.`)
  }
  const isFree = offer['is_free'] === true || options.free?.includes(id) === true
  const price: Price = priceOf(offer['pricing'], { names, toRate: perMillion }, isFree)
  return {
    providerId: options.providers[provider] ?? provider,
    providerModel: options.providerModels?.[`${provider}/${id}`] ?? id,
    model: options.models?.[id] ?? id,
    operation: 'chat',
    price,
    supports: {
      tools: offer['supports_tools'] === true,
      structuredOutput: offer['supports_structured_output'] === true,
      imageInput: listOf(architecture['input_modalities']).includes('image'),
    },
    source: options.source ?? 'https://router.huggingface.co/v1/models',
    readOn: options.readOn,
  }
}
