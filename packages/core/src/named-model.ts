import type { Catalog } from './catalog/catalog.ts'
import { GatewayError } from './errors.ts'
import type { JsonBody } from './http/request-body.ts'
import type { InferenceRoute } from './http/routes.ts'

/**
 * The body of a request whose path says which model or provider is meant, as if the body said so: a model's own path has its
 * name, and a provider's path goes with the provider's own id, to this provider only.
 *
 * @throws GatewayError `invalid_request` without an id, and `model_not_found` for one that this provider is not known by.
 */
export function namedModel(
  body: JsonBody,
  { model, providerId }: InferenceRoute,
  catalog: Catalog,
): JsonBody {
  if (providerId === undefined) return model === undefined ? body : withModel(body, model)
  const id = body.value['model']
  if (typeof id !== 'string' || id === '') {
    throw new GatewayError('invalid_request', 'You must name a model.', { param: 'model' })
  }
  const target = catalog.targets.find(
    (each) => each.providerId === providerId && (each.providerModel === id || each.model === id),
  )
  if (target !== undefined) return withModel(body, `${target.model}:${providerId}`)
  throw new GatewayError('model_not_found', `The requested model '${id}' does not exist at ${providerId}.`, {
    param: 'model',
  })
}

/** The bytes of the caller stay as they are: a provider is always sent its own id of the model. */
function withModel(body: JsonBody, model: string): JsonBody {
  return { ...body, value: { ...body.value, model } }
}
