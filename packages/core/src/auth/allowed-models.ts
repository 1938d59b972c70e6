import { GatewayError } from '../errors.ts'

/** Whether a caller may ask for a model. In `models` a `*` at the end stands for whatever follows; without `models` all are allowed. */
export function isAllowed(model: string, models: readonly string[] | undefined): boolean {
  if (models === undefined) return true
  return models.some((allowed) =>
    allowed.endsWith('*') ? model.startsWith(allowed.slice(0, -1)) : model === allowed,
  )
}

/** @throws GatewayError `model_not_allowed` for a model that the caller may not ask for. */
export function checkModel(model: string, models: readonly string[] | undefined): void {
  if (isAllowed(model, models)) return
  throw new GatewayError('model_not_allowed', `Your API key is not for the model '${model}'.`, {
    param: 'model',
  })
}
