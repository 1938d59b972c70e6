import { checkModel } from './auth/allowed-models.ts'
import type { Payer } from './auth/payer.ts'
import type { Catalog } from './catalog/catalog.ts'
import type { Target } from './catalog/target.ts'
import type { InferenceCall } from './dialects/inference-call.ts'
import { GatewayError } from './errors.ts'
import type { Provider } from './providers/provider.ts'

/**
 * Where a call could run: what the catalog offers, without what the payer has disabled and without providers that cannot
 * serve this very call.
 *
 * @throws GatewayError what the catalog throws, `model_not_supported` when nothing is left, and `model_not_allowed` for a model
 * that this caller may not ask for.
 */
export function findCandidates(
  call: InferenceCall,
  payer: Payer,
  catalog: Catalog,
  providers: ReadonlyMap<string, Provider>,
): readonly Target[] {
  checkModel(call.model, payer.models)
  const enabled = enabledFor(call, payer, catalog.candidates(call))
  return ableTo(call, unlockedFor(payer, enabled), providers)
}

function enabledFor(call: InferenceCall, payer: Payer, offered: readonly Target[]): readonly Target[] {
  const { name, disabledProviders } = payer
  if (disabledProviders.length === 0) return offered
  const enabled = offered.filter(({ providerId }) => !disabledProviders.includes(providerId))
  if (enabled.length > 0) return enabled
  const disabled = [...new Set(offered.map(({ providerId }) => providerId))]
  throw new GatewayError(
    'model_not_supported',
    // The first sentence is Hugging Face's own, which clients look for.
    `The requested model '${call.model}' is not supported by any provider you have enabled. ` +
      `Disabled for '${name}': ${disabled.join(', ')}.`,
    { param: 'model', facts: { payer: name, disabled } },
  )
}

/** Leaves out targets whose provider the payer wants to pay with a key that cannot be opened. */
function unlockedFor({ name, ownKeys }: Payer, enabled: readonly Target[]): readonly Target[] {
  const { locked } = ownKeys
  if (locked.length === 0) return enabled
  const unlocked = enabled.filter(({ providerId }) => !locked.includes(providerId))
  if (unlocked.length > 0) return unlocked
  throw new GatewayError(
    'provider_failed',
    `No provider could serve this request: the keys that '${name}' brought for ${locked.join(', ')} cannot be read. ` +
      'Set them again, or remove them.',
    { facts: { payer: name, locked } },
  )
}

/** Leaves out targets whose provider cannot serve this very call. */
function ableTo(
  call: InferenceCall,
  candidates: readonly Target[],
  providers: ReadonlyMap<string, Provider>,
): readonly Target[] {
  const reasons: string[] = []
  const able = candidates.filter(({ providerId }) => {
    const provider = providers.get(providerId)
    // A chat model is sold for completions too, which not every provider has.
    const does = provider?.operations.has(call.operation) ?? true
    const reason = does ? provider?.refuses?.(call) : `it does not do ${call.operation}`
    if (reason !== undefined) reasons.push(`${providerId}: ${reason}`)
    return reason === undefined
  })
  if (able.length > 0) return able
  throw new GatewayError(
    'model_not_supported',
    `The requested model '${call.model}' cannot serve this request on any provider (${reasons.join('; ')}).`,
    { param: 'model' },
  )
}
