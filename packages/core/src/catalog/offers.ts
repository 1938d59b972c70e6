import type { InferenceCall } from '../dialects/inference-call.ts'
import { GatewayError } from '../errors.ts'
import type { Operation } from '../http/routes.ts'
import { isPriceFor, rateOf } from '../price.ts'
import { imageUnit } from './image-unit.ts'
import type { Target } from './target.ts'

/**
 * The targets among those that offer its model that could serve a call, in their order.
 *
 * @throws GatewayError `model_not_found`, `model_not_supported` or `invalid_model_suffix`.
 */
export function offersFor(
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
  const able = offered.filter(({ operation }) => sells(operation, call.operation))
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
  return soldInTier(call, soldInSize(call, pinnedTo(call, able)))
}

/** A chat model completes texts at the same price, where its provider lets it. */
function sells(sold: Operation, asked: Operation): boolean {
  return sold === asked || (sold === 'chat' && asked === 'completions')
}

function pinnedTo(call: InferenceCall, able: readonly Target[]): readonly Target[] {
  const { selector } = call
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

/** Leaves out targets that have no price for the service tier that is asked for. */
function soldInTier(call: InferenceCall, able: readonly Target[]): readonly Target[] {
  const { serviceTier } = call
  if (serviceTier === undefined) return able
  const sold = able.filter(({ tiers }) => Object.hasOwn(tiers?.service ?? {}, serviceTier))
  if (sold.length > 0) return sold
  throw new GatewayError(
    'invalid_request',
    `The model '${call.model}' is not sold in the service tier '${serviceTier}'. Leave "service_tier" out.`,
    { param: 'service_tier' },
  )
}

/** Leaves out targets whose price, by the size of an image, does not cover what is asked: nothing is sold unpriced. */
function soldInSize(call: InferenceCall, able: readonly Target[]): readonly Target[] {
  if (call.operation !== 'images') return able
  const unit = imageUnit(call)
  const priced = able.filter(
    ({ price }) =>
      !isPriceFor(price, 'sized-image') || (unit !== undefined && rateOf(unit, price) !== undefined),
  )
  if (priced.length > 0) return priced
  const sizes = able
    .flatMap(({ price }) => Object.keys(price))
    .map((name) => name.split(':').slice(1).join(' '))
  throw new GatewayError(
    'model_not_supported',
    `The model '${call.model}' is not sold in this size and quality. Choose one of: ${list(sizes)}.`,
    { param: 'size' },
  )
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : [...new Set(names)].join(', ')
}
