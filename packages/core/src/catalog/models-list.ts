import type { Operation } from '../http/routes.ts'
import type { Catalog } from './catalog.ts'
import type { Target, TargetStats } from './target.ts'

/**
 * `GET /v1/models` in the shape of Hugging Face's router (hub-docs, 2026-05-12), which OpenAI's SDKs read as well. `isShown`
 * says which of the models the caller gets to see.
 */
export function listModels(
  catalog: Catalog,
  status: (target: Target) => TargetStats,
  isShown: (model: string) => boolean,
): string {
  const models = [...new Set(catalog.targets.map((target) => target.model))].filter(isShown)
  return JSON.stringify({
    object: 'list',
    data: models.map((model) => describe(model, catalog.targetsOf(model), status)),
  })
}

/** `GET /v1/models/{id}`, or `undefined` when there is no such model. */
export function showModel(
  catalog: Catalog,
  model: string,
  status: (target: Target) => TargetStats,
): string | undefined {
  const targets = catalog.targetsOf(model)
  return targets.length === 0 ? undefined : JSON.stringify(describe(model, targets, status))
}

/** What comes out, where that is no text. */
const outputs: { readonly [operation in Operation]?: string } = {
  embeddings: 'embedding',
  images: 'image',
  speech: 'audio',
}

function describe(model: string, targets: readonly Target[], status: (target: Target) => TargetStats) {
  const [first] = targets
  const takesImages = targets.some((target) => target.supports?.imageInput === true)
  return {
    id: model,
    object: 'model',
    created: first === undefined ? 0 : Math.floor(Date.parse(first.readOn) / 1000),
    owned_by: model.split('/')[0],
    architecture: {
      input_modalities:
        first?.operation === 'transcriptions' ? ['audio'] : takesImages ? ['text', 'image'] : ['text'],
      output_modalities: [outputs[first?.operation ?? 'chat'] ?? 'text'],
    },
    providers: targets.map((target) => describeTarget(target, status(target))),
  }
}

function describeTarget(target: Target, status: TargetStats) {
  const input = perMillionUsd(target.price.input_token)
  const output = perMillionUsd(target.price.output_token)
  return {
    provider: target.providerId,
    status: status.isHealthy ? 'live' : 'error',
    ...(target.limits.contextTokens === undefined ? {} : { context_length: target.limits.contextTokens }),
    ...(input === undefined ? {} : { pricing: { input, output: output ?? 0 } }),
    ...(target.supports?.tools === undefined ? {} : { supports_tools: target.supports.tools }),
    ...(target.supports?.structuredOutput === undefined
      ? {}
      : { supports_structured_output: target.supports.structuredOutput }),
    ...(status.firstTokenMs === undefined ? {} : { first_token_latency_ms: Math.round(status.firstTokenMs) }),
    ...(status.tokensPerSecond === undefined ? {} : { throughput: status.tokensPerSecond }),
    is_model_author: false,
  }
}

/** For display only: the number a JSON reader expects, not an amount anything is charged by. */
function perMillionUsd(
  rate: { readonly nano: bigint; readonly per: bigint } | undefined,
): number | undefined {
  return rate === undefined ? undefined : Number((rate.nano * 1_000_000n) / rate.per) / 1e9
}
