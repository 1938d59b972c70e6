import type { Operation } from '../../http/routes.ts'
import { perMillion } from '../../money.ts'
import type { LongContextTier, Price, TargetPrice } from '../../price.ts'
import type { Unit } from '../../unit.ts'
import type { CatalogRow } from '../target.ts'
import { type ExactObject, isObject, listOf, objectOf, readExactJson, textOf } from './exact-json.ts'
import {
  collectRows,
  ladderOf,
  type PriceList,
  type PriceListOptions,
  priceOf,
  tiersOf,
  tokenCountOf,
} from './price-list.ts'

const names: Readonly<Record<string, Unit>> = {
  input: 'input_token',
  cache_read: 'cached_input_token',
  cache_write: 'cache_write_token',
  input_audio: 'input_audio_token',
  output: 'output_token',
  reasoning: 'reasoning_token',
  output_audio: 'output_audio_token',
}

/**
 * Reads the `api.json` of models.dev: prices for a million tokens, with tiers for long prompts. An entry with a price that
 * is not understood is refused as a whole. Limits are not taken: a limit that is too low would hold too little.
 *
 * @throws RangeError when the text is not such a list. Single entries that cannot be sold are in `refused`.
 */
export function readModelsDevPrices(text: string, options: PriceListOptions): PriceList {
  const list = readExactJson(text)
  if (!isObject(list)) throw new RangeError('This is not the list of models.dev.')
  const rows = collectRows()
  for (const provider of Object.keys(options.providers)) {
    const models = objectOf(objectOf(Object.hasOwn(list, provider) ? list[provider] : undefined)['models'])
    for (const [id, model] of Object.entries(models)) {
      rows.add(`${provider}/${id}`, () => rowOf(provider, id, objectOf(model), options))
    }
  }
  return rows.list()
}

function rowOf(provider: string, id: string, model: ExactObject, options: PriceListOptions): CatalogRow {
  if (!isObject(model['cost'])) throw new RangeError('The list has no price for it.')
  const modalities = objectOf(model['modalities'])
  const outputs = listOf(modalities['output'])
  if (outputs.length > 0 && !outputs.includes('text')) {
    throw new RangeError('The list does not say by what it is sold: it does not write text.')
  }
  const operation: Operation = /embed/i.test(id) ? 'embeddings' : 'chat'
  const isFree = [id, `${provider}/${id}`].some((each) => options.free?.includes(each) === true)
  return {
    providerId: options.providers[provider] ?? provider,
    providerModel: id,
    model: options.models?.[`${provider}/${id}`] ?? options.models?.[id] ?? id,
    operation,
    ...pricesOf(model['cost'], operation, isFree),
    supports: {
      tools: model['tool_call'] === true || isObject(model['tool_call']),
      structuredOutput: model['structured_output'] === true,
      imageInput: listOf(modalities['input']).includes('image'),
    },
    source: options.source ?? 'https://models.dev/api.json',
    readOn: options.readOn,
  }
}

function pricesOf(cost: ExactObject, operation: Operation, isFree: boolean): TargetPrice {
  const { tiers, context_over_200k: over200k, ...base } = cost
  const steps: LongContextTier[] = listOf(tiers).map((each) => {
    const { tier, ...prices } = objectOf(each)
    const { type, size } = objectOf(tier)
    if (textOf(type) !== 'context') throw new RangeError('A tier depends on something else than the context.')
    return { overInputTokens: tokenCountOf(size), price: read(prices, operation, isFree) }
  })
  // The older way of writing it, whose name is wrong where the newer one is there as well.
  if (steps.length === 0 && isObject(over200k)) {
    steps.push({ overInputTokens: 200_000, price: read(over200k, operation, isFree) })
  }
  return { price: read(base, operation, isFree), ...tiersOf(ladderOf(steps)) }
}

function read(members: ExactObject, operation: Operation, isFree: boolean): Price {
  const unknown = Object.keys(members).find((name) => !Object.hasOwn(names, name))
  if (unknown !== undefined)
    throw new RangeError(`"${unknown}" is a price for something that is not sold here.`)
  // The whole answer of an embedding is its input.
  const { output: _output, ...input } = members
  return priceOf(operation === 'embeddings' ? input : members, { names, toRate: perMillion }, isFree)
}
