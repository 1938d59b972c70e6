import type { Operation } from '../../http/routes.ts'
import { type Rate, rate } from '../../money.ts'
import type { LongContextTier, Price } from '../../price.ts'
import { isUnit, type Unit } from '../../unit.ts'
import type { CatalogRow } from '../target.ts'
import {
  type ExactJson,
  type ExactObject,
  isObject,
  listOf,
  numberTextOf,
  objectOf,
  readExactJson,
  textOf,
} from './exact-json.ts'
import { amountOf, collectRows, type DatedRow, type PriceList, tokenCountOf } from './price-list.ts'

/** What the kinds of the list are called here. Other kinds are not sold yet. */
const operations: Readonly<Record<string, Operation>> = {
  chat: 'chat',
  embedding: 'embeddings',
  image: 'images',
  moderation: 'moderations',
  speech: 'speech',
}

/**
 * Reads Farebox' own list of prices, `price-book/1`: entries of provider, model, prices by unit as decimal text, tiers for
 * long prompts, scheduled changes, and where and when each price was read. A zero in it is a price.
 *
 * @throws RangeError when the text is not such a list. Single entries that cannot be sold are in `refused`.
 */
export function readFareboxPrices(text: string): PriceList {
  const list = readExactJson(text)
  if (!isObject(list) || list['schema'] !== 'price-book/1')
    throw new RangeError('This is no list of price-book/1.')
  const rows = collectRows()
  // One model may have an entry for each of its units, such as the sizes of its images.
  const groups = new Map<string, ExactObject[]>()
  for (const each of listOf(list['entries'])) {
    const entry = objectOf(each)
    const key = [entry['provider'], entry['provider_model'], entry['kind']].map(textOf).join('/')
    groups.set(key, [...(groups.get(key) ?? []), entry])
  }
  for (const [key, entries] of groups) rows.add(key, () => datedRowOf(entries))
  return rows.list()
}

function datedRowOf(entries: readonly ExactObject[]): DatedRow {
  const row = entries.map(rowOf).reduce(merge)
  const changes = entries.flatMap((entry) =>
    listOf(entry['scheduled']).map((each) => {
      const change = objectOf(each)
      const effectiveAtMs = Date.parse(textOf(change['effective_from']) ?? '')
      if (Number.isNaN(effectiveAtMs)) throw new RangeError('A scheduled price has no date.')
      return { effectiveAtMs, row: { ...row, price: { ...row.price, ...pricesOf(change['prices']) } } }
    }),
  )
  return { row, changes: changes.toSorted((a, b) => a.effectiveAtMs - b.effectiveAtMs) }
}

function rowOf(entry: ExactObject): CatalogRow {
  const [providerId, providerModel, model] = ['provider', 'provider_model', 'canonical'].map((name) => {
    const text = textOf(entry[name])
    if (text === undefined || text === '') throw new RangeError(`An entry has no "${name}".`)
    return text
  }) as [string, string, string]
  const kind = textOf(entry['kind']) ?? ''
  const operation = operations[kind]
  if (operation === undefined) throw new RangeError(`Nothing is sold here of the kind "${kind}".`)
  const currency = textOf(entry['currency'])
  if (currency !== 'USD') throw new RangeError(`The price is in ${currency}, not in USD.`)
  const { price, hardware } = withHardware(pricesOf(entry['prices']))
  const longContext = listOf(entry['tiers']).map(tierOf)
  return {
    providerId,
    providerModel,
    model,
    operation,
    price,
    ...(longContext.length === 0 ? {} : { tiers: { longContext } }),
    ...(hardware === undefined ? {} : { hardware }),
    source: textOf(entry['source']) ?? '',
    readOn: dayOf(textOf(entry['as_of']) ?? ''),
  }
}

function tierOf(value: ExactJson): LongContextTier {
  const tier = objectOf(value)
  if (tier['applies_to'] !== 'whole_request') throw new RangeError('A tier is not for the whole request.')
  return { overInputTokens: tokenCountOf(tier['when_prompt_tokens_over']), price: pricesOf(tier['prices']) }
}

function pricesOf(value: ExactJson | undefined): Price {
  const price: Partial<Record<Unit, Rate>> = {}
  for (const each of listOf(value)) {
    const line = objectOf(each)
    const unit = textOf(line['unit']) ?? ''
    if (!isUnit(unit)) throw new RangeError(`"${unit}" is no unit.`)
    if (price[unit] !== undefined) throw new RangeError(`"${unit}" has two prices.`)
    const amount = amountOf(line['amount'], unit)
    if (amount === undefined) throw new RangeError(`"${unit}" has no price.`)
    price[unit] = rate(amount, numberTextOf(line['per']) ?? '')
  }
  return price
}

/** A model that runs on one kind of hardware has one price for a second, whatever its provider calls the second. */
function withHardware(price: Price): { readonly price: Price; readonly hardware?: string } {
  const [unit, ...others] = Object.keys(price).filter((name) => name.startsWith('compute_second:')) as Unit[]
  const each = unit === undefined || others.length > 0 ? undefined : price[unit]
  if (unit === undefined || each === undefined) return { price }
  const { [unit]: _moved, ...rest } = price
  return { price: { ...rest, compute_second: each }, hardware: unit.slice('compute_second:'.length) }
}

function merge(row: CatalogRow, other: CatalogRow): CatalogRow {
  const twice = Object.keys(other.price).find((unit) => row.price[unit as Unit] !== undefined)
  if (twice !== undefined) throw new RangeError(`"${twice}" has two prices.`)
  return { ...row, price: { ...row.price, ...other.price } }
}

/** A list may know a month or a year only. */
function dayOf(text: string): string {
  if (!/^\d{4}(-\d{2}){0,2}$/.test(text)) throw new RangeError(`"${text}" is no date.`)
  return `${text}${'-01-01'.slice(text.length - 4)}`
}
