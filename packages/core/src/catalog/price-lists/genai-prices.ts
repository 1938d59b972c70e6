import type { Operation } from '../../http/routes.ts'
import { perMillion, rate } from '../../money.ts'
import type { Price, TargetPrice } from '../../price.ts'
import type { Unit } from '../../unit.ts'
import type { CatalogRow } from '../target.ts'
import {
  type ExactJson,
  type ExactObject,
  isObject,
  listOf,
  objectOf,
  readExactJson,
  textOf,
} from './exact-json.ts'
import {
  collectRows,
  type DatedRow,
  ladderOf,
  type PriceList,
  type PriceListOptions,
  priceOf,
  tiersOf,
  tokenCountOf,
  withWriteTimes,
} from './price-list.ts'

/** US dollars for a million tokens. */
const tokenNames: Readonly<Record<string, Unit>> = {
  input_mtok: 'input_token',
  cache_read_mtok: 'cached_input_token',
  cache_write_mtok: 'cache_write_token',
  cache_write_1h_mtok: 'cache_write_1h_token',
  input_audio_mtok: 'input_audio_token',
  cache_audio_read_mtok: 'cached_input_audio_token',
  input_image_mtok: 'input_image_token',
  cache_image_read_mtok: 'cached_input_image_token',
  output_mtok: 'output_token',
  output_reasoning_mtok: 'reasoning_token',
  output_audio_mtok: 'output_audio_token',
  output_image_mtok: 'output_image_token',
}

/** US dollars for a thousand. */
const thousandNames: Readonly<Record<string, Unit>> = { requests_kcount: 'request' }

/** Fees of tools at the provider. Usage that reports them has no price; see `rateUsage`. */
const toolFees: readonly string[] = ['web_searches_kcount', 'storage_searches_kcount']

/**
 * Reads the data of Pydantic's genai-prices (`prices/data.json`): prices for a million tokens with their history, which
 * becomes editions, and tiers for long prompts. A price that depends on the time of day is refused.
 *
 * @throws RangeError when the text is not such a list. Single entries that cannot be sold are in `refused`.
 */
export function readGenaiPrices(text: string, options: PriceListOptions): PriceList {
  const list = readExactJson(text)
  if (!Array.isArray(list)) throw new RangeError('This is not the list of genai-prices.')
  const rows = collectRows()
  for (const each of listOf(list)) {
    const provider = objectOf(each)
    const providerName = textOf(provider['id']) ?? ''
    if (!Object.hasOwn(options.providers, providerName)) continue
    for (const model of listOf(provider['models'])) {
      const id = textOf(objectOf(model)['id']) ?? ''
      rows.add(`${providerName}/${id}`, () => datedRowOf(providerName, id, objectOf(model), options))
    }
  }
  return rows.list()
}

function datedRowOf(provider: string, id: string, model: ExactObject, options: PriceListOptions): DatedRow {
  const isFree = [id, `${provider}/${id}`].some((each) => options.free?.includes(each) === true)
  const row = (prices: ExactJson | undefined): CatalogRow => {
    const read = pricesOf(objectOf(prices), isFree)
    const operation: Operation = read.price.output_token === undefined ? 'embeddings' : 'chat'
    return {
      providerId: options.providers[provider] ?? provider,
      providerModel: id,
      model: options.models?.[`${provider}/${id}`] ?? options.models?.[id] ?? id,
      operation,
      ...read,
      source: options.source ?? 'https://github.com/pydantic/genai-prices/blob/main/prices/data.json',
      readOn: options.readOn,
    }
  }
  const { prices } = model
  if (!Array.isArray(prices)) return { row: row(prices), changes: [] }
  const [first, ...later] = listOf(prices).map(objectOf)
  if (first === undefined || first['constraint'] !== undefined)
    throw new RangeError('It has no price to begin with.')
  const changes = later.map((each) => {
    const { start_date: startDate, type: _type, ...others } = objectOf(each['constraint'])
    const effectiveAtMs = Date.parse(textOf(startDate) ?? '')
    if (Number.isNaN(effectiveAtMs) || Object.keys(others).length > 0) {
      throw new RangeError('Its price depends on something else than the day, such as the time of day.')
    }
    return { effectiveAtMs, row: row(each['prices']) }
  })
  return { row: row(first['prices']), changes: changes.toSorted((a, b) => a.effectiveAtMs - b.effectiveAtMs) }
}

/** Each unit has its own tiers; here every tier names every unit that has changed by then. */
function pricesOf(members: ExactObject, isFree: boolean): TargetPrice {
  const known = [...Object.keys(tokenNames), ...Object.keys(thousandNames), ...toolFees]
  const unknown = Object.keys(members).find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new RangeError(`"${unknown}" is a price for something that is not sold here.`)
  const base = mapValues(members, (value) => (isObject(value) ? value['base'] : value))
  const starts = new Set(Object.values(members).flatMap((value) => stepsOf(value).map(({ start }) => start)))
  const longContext = ladderOf(
    [...starts].map((start) => ({
      overInputTokens: start,
      price: read(
        mapValues(members, (value) => stepsOf(value).findLast((step) => step.start <= start)?.price),
        isFree,
      ),
    })),
  )
  return withWriteTimes({ price: read(base, isFree), ...tiersOf(longContext) })
}

/** A tier begins with more tokens than its start. */
function stepsOf(
  value: ExactJson | undefined,
): readonly { readonly start: number; readonly price: ExactJson | undefined }[] {
  if (!isObject(value)) return []
  return listOf(value['tiers'])
    .map(objectOf)
    .map(({ start, price }) => ({ start: tokenCountOf(start), price }))
    .toSorted((a, b) => a.start - b.start)
}

function read(members: ExactObject, isFree: boolean): Price {
  return {
    ...priceOf(members, { names: tokenNames, toRate: perMillion }, isFree),
    ...priceOf(members, { names: thousandNames, toRate: (amount) => rate(amount, '1000') }, isFree),
  }
}

function mapValues(
  members: ExactObject,
  change: (value: ExactJson | undefined) => ExactJson | undefined,
): ExactObject {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, change(value)]))
}
