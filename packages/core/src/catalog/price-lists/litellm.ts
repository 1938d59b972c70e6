import type { Operation } from '../../http/routes.ts'
import { perToken, perUnit } from '../../money.ts'
import type { Price, ServiceTier, TargetPrice } from '../../price.ts'
import type { Unit } from '../../unit.ts'
import type { CatalogRow } from '../target.ts'
import { type ExactObject, isObject, numberTextOf, objectOf, readExactJson, textOf } from './exact-json.ts'
import {
  collectRows,
  isZero,
  ladderOf,
  type PriceList,
  type PriceListOptions,
  priceOf,
  tiersOf,
  withWriteTimes,
} from './price-list.ts'

const source = 'https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json'

const operations: Readonly<Record<string, Operation>> = {
  chat: 'chat',
  embedding: 'embeddings',
  image_generation: 'images',
}

/** US dollars for one token. */
const tokenNames: Readonly<Record<string, Unit>> = {
  input_cost_per_token: 'input_token',
  cache_read_input_token_cost: 'cached_input_token',
  input_cost_per_token_cache_hit: 'cached_input_token',
  cache_creation_input_token_cost: 'cache_write_token',
  cache_creation_input_token_cost_above_1hr: 'cache_write_1h_token',
  input_cost_per_audio_token: 'input_audio_token',
  cache_read_input_audio_token_cost: 'cached_input_audio_token',
  input_cost_per_image_token: 'input_image_token',
  cache_read_input_image_token_cost: 'cached_input_image_token',
  output_cost_per_token: 'output_token',
  output_cost_per_reasoning_token: 'reasoning_token',
  output_cost_per_audio_token: 'output_audio_token',
  output_cost_per_image_token: 'output_image_token',
}

/** US dollars for one. */
const unitNames: Readonly<Record<string, Unit>> = {
  output_cost_per_image: 'output_image',
  input_cost_per_request: 'request',
}

/** `input_cost_per_token_above_200k_tokens_priority`: what is priced, from how many thousand tokens, in which tier. */
const tierName = /^(.+?)(?:_above_(\d+)k_tokens)?(?:_(flex|priority|batches|batch_requests|batch))?$/

/** Fees of tools that run at the provider. Usage that reports them has no price; see `rateUsage`. */
const toolFees =
  /^(search_context|file_search|code_interpreter|computer_use|vector_store|web_search)|^regional_processing_uplift/

/**
 * Reads LiteLLM's `model_prices_and_context_window.json`: prices for one token, in the exponents they are written in, with
 * tiers for long prompts and for flex, priority and batch. An entry with a price that is not understood is refused as a
 * whole. Limits are not taken: a limit that is too low would hold too little.
 *
 * @throws RangeError when the text is not such a list. Single entries that cannot be sold are in `refused`.
 */
export function readLiteLlmPrices(text: string, options: PriceListOptions): PriceList {
  const list = readExactJson(text)
  if (!isObject(list)) throw new RangeError('This is not a list of LiteLLM.')
  const rows = collectRows()
  for (const [key, value] of Object.entries(list)) {
    const entry = objectOf(value)
    const provider = textOf(entry['litellm_provider']) ?? ''
    if (key === 'sample_spec' || !Object.hasOwn(options.providers, provider)) continue
    rows.add(key, () => rowOf(key, provider, entry, options))
  }
  return rows.list()
}

function rowOf(key: string, provider: string, entry: ExactObject, options: PriceListOptions): CatalogRow {
  const mode = textOf(entry['mode']) ?? ''
  const operation = operations[mode]
  if (operation === undefined) throw new RangeError(`Nothing is sold here of the mode "${mode}".`)
  const providerModel = key.startsWith(`${provider}/`) ? key.slice(provider.length + 1) : key
  const prices = pricesOf(entry, operation, options.free?.includes(key) === true)
  return {
    providerId: options.providers[provider] ?? provider,
    providerModel,
    model: options.models?.[key] ?? providerModel,
    operation,
    ...prices,
    supports: {
      tools: entry['supports_function_calling'] === true,
      structuredOutput: entry['supports_response_schema'] === true,
      imageInput: entry['supports_vision'] === true,
    },
    source: options.source ?? source,
    readOn: options.readOn,
  }
}

/** The prices of one tier: of a service tier or the list's, from so many tokens on. */
interface Group {
  readonly tier: string
  readonly over: number
  readonly members: Record<string, ExactObject[string]>
}

function pricesOf(entry: ExactObject, operation: Operation, isFree: boolean): TargetPrice {
  const groups = groupsOf(entry, operation)
  const read = (members: ExactObject): Price => ({
    ...priceOf(members, { names: tokenNames, toRate: perToken }, isFree),
    ...priceOf(members, { names: unitNames, toRate: perUnit }, isFree),
  })
  const base = (tier: string) =>
    read(groups.find((group) => group.tier === tier && group.over === 0)?.members ?? {})
  const ladder = (tier: string) =>
    ladderOf(
      groups
        .filter((group) => group.tier === tier && group.over > 0)
        .map(({ members, over }) => ({ overInputTokens: over, price: read(members) })),
    )
  const service = [...new Set(groups.map(({ tier }) => tier))]
    .filter((tier) => tier !== '')
    .map((tier): [string, ServiceTier] => {
      const longContext = ladder(tier)
      return [tier, { price: base(tier), ...(longContext === undefined ? {} : { longContext }) }]
    })
  return withWriteTimes({ price: base(''), ...tiersOf(ladder(''), Object.fromEntries(service)) })
}

/**
 * Sorts every price of an entry into its tier.
 *
 * @throws RangeError when there is a price for something that is not sold here.
 */
function groupsOf(entry: ExactObject, operation: Operation): readonly Group[] {
  const groups = new Map<string, Group>()
  for (const [name, value] of Object.entries(entry)) {
    if (!/cost|price|pricing|multiplier/.test(name) || value === null || toolFees.test(name)) continue
    const [, base = name, thousands = '0', suffix = ''] = tierName.exec(name) ?? []
    if (!Object.hasOwn(tokenNames, base) && !Object.hasOwn(unitNames, base)) {
      const text = numberTextOf(value)
      if (text !== undefined && isZero(text)) continue
      throw new RangeError(`"${name}" is a price for something that is not sold here.`)
    }
    // The whole answer of an embedding is its input.
    if (operation === 'embeddings' && base === 'output_cost_per_token') continue
    const tier = suffix.startsWith('batch') ? 'batch' : suffix
    const over = Number(thousands) * 1000
    const group = groups.get(`${tier} ${over}`) ?? { tier, over, members: {} }
    group.members[base] = value
    groups.set(`${tier} ${over}`, group)
  }
  return [...groups.values()]
}
