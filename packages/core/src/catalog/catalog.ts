import { hash } from 'node:crypto'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { GatewayError } from '../errors.ts'
import type { Operation } from '../http/routes.ts'
import type { Unit } from '../usage.ts'
import type { CatalogRow, Target } from './target.ts'

/** What can be bought from the providers of one gateway. */
export interface Catalog {
  /** Changes whenever a price does. */
  readonly version: string
  readonly targets: readonly Target[]
  /**
   * The targets that could serve a call, in catalog order.
   *
   * @throws GatewayError `model_not_found`, `model_not_supported` or `invalid_model_suffix`.
   */
  candidates(call: InferenceCall): readonly Target[]
  /** All targets of a canonical model; empty when there is none. */
  targetsOf(model: string): readonly Target[]
}

/**
 * Builds the catalog of these providers. A later row replaces an earlier one for the same provider and model.
 *
 * @throws RangeError when a price is negative, or does not cover what the operation uses, so that nothing is ever sold
 * unpriced.
 */
export function createCatalog(rows: readonly CatalogRow[], providerIds: readonly string[]): Catalog {
  const byTarget = new Map<string, CatalogRow>()
  for (const row of rows) {
    if (!providerIds.includes(row.providerId)) continue
    checkPrice(row)
    byTarget.set(`${row.providerId}/${row.model}/${row.operation}`, row)
  }
  const version = priceVersion([...byTarget.values()])
  const targets = [...byTarget.values()].map(
    (row): Target => ({
      ...row,
      targetId: `${row.providerId}/${row.providerModel}`,
      limits: row.limits ?? {},
      priceVersion: version,
    }),
  )
  const byModel = groupByModel(targets)
  const targetsOf = (model: string) => byModel.get(model) ?? []
  return {
    version,
    targets,
    targetsOf,
    candidates: (call) => findCandidates(call, targetsOf(call.model), providerIds),
  }
}

/** The sets of units that pay for an operation: all units of one of them must have a rate. */
const billableBases: Readonly<Record<Operation, readonly (readonly Unit[])[]>> = {
  chat: [['input_token', 'output_token'], ['compute_second']],
  embeddings: [['input_token'], ['compute_second']],
  images: [['output_image'], ['megapixel'], ['compute_second'], ['request']],
}

function checkPrice({ providerId, providerModel, operation, price }: CatalogRow): void {
  const row = `The catalog row of ${providerModel} on ${providerId}`
  for (const [unit, { nano, per }] of Object.entries(price)) {
    if (nano < 0n || per <= 0n) throw new RangeError(`${row} has a price for "${unit}" that is no price.`)
  }
  const bases = billableBases[operation]
  if (!bases.some((units) => units.every((unit) => price[unit] !== undefined))) {
    const needed = bases.map((units) => units.join(' and ')).join(', or ')
    throw new RangeError(`${row} needs prices for ${operation}: ${needed}.`)
  }
  const { input_token: input, cached_input_token: cached } = price
  // Nobody knows beforehand how much of a prompt is cached, so a hold is for all of it at the rate of input.
  if (input !== undefined && cached !== undefined && cached.nano * input.per > input.nano * cached.per) {
    throw new RangeError(`${row} has cached input that is dearer than input.`)
  }
}

function findCandidates(
  call: InferenceCall,
  offered: readonly Target[],
  providerIds: readonly string[],
): readonly Target[] {
  const { selector } = call
  if (selector.kind === 'provider' && !providerIds.includes(selector.providerId)) {
    throw new GatewayError(
      'invalid_model_suffix',
      `":${selector.providerId}" is neither a policy nor a provider. Use :fastest, :cheapest, :preferred or one of ${list(providerIds)}.`,
      { param: 'model' },
    )
  }
  if (offered.length === 0) {
    throw new GatewayError(
      'model_not_found',
      `The requested model '${call.model}' does not exist. Looked at: ${list(providerIds)}.`,
      { param: 'model' },
    )
  }
  const able = offered.filter((target) => target.operation === call.operation)
  if (able.length === 0) {
    const does = [...new Set(offered.map((target) => target.operation))].join(', ')
    throw new GatewayError(
      'model_not_supported',
      `The model '${call.model}' does ${does}, not ${call.operation}.`,
      {
        param: 'model',
      },
    )
  }
  if (selector.kind !== 'provider') return able
  const pinned = able.filter((target) => target.providerId === selector.providerId)
  if (pinned.length > 0) return pinned
  const serving = list(able.map((target) => target.providerId))
  throw new GatewayError(
    'model_not_supported',
    `The requested model '${call.model}' is not offered by ${selector.providerId}. It is offered by: ${serving}.`,
    { param: 'model' },
  )
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : [...new Set(names)].join(', ')
}

function groupByModel(targets: readonly Target[]): Map<string, Target[]> {
  const groups = new Map<string, Target[]>()
  for (const target of targets) {
    const group = groups.get(target.model)
    if (group === undefined) groups.set(target.model, [target])
    else group.push(target)
  }
  return groups
}

/** The first 16 hexadecimal digits of SHA-256 over all prices, in a fixed order. */
function priceVersion(rows: readonly CatalogRow[]): string {
  const lines = rows.map((row) => {
    const rates = Object.entries(row.price).map(
      ([unit, rate]) => `${unit as Unit}=${rate?.nano}/${rate?.per}`,
    )
    return `${row.providerId} ${row.providerModel} ${row.operation} ${rates.sort().join(' ')}`
  })
  return hash('sha256', lines.sort().join('\n')).slice(0, 16)
}
