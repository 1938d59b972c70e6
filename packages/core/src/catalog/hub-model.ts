import type { Operation } from '../http/routes.ts'
import type { Catalog } from './catalog.ts'
import type { Target, TargetStats } from './target.ts'

/** What Hugging Face calls what a model does. */
const tasks: Readonly<Record<Operation, string>> = {
  chat: 'conversational',
  completions: 'text-generation',
  embeddings: 'feature-extraction',
  images: 'text-to-image',
  moderations: 'text-classification',
  speech: 'text-to-speech',
  transcriptions: 'automatic-speech-recognition',
}

/**
 * Which providers have a model and what they call it, as Hugging Face's Hub tells it to its clients for
 * `?expand[]=inferenceProviderMapping` (hub-docs, hub-api.md, 2026-08). `undefined` for a model that is not offered.
 */
export function hubModel(
  catalog: Catalog,
  model: string,
  stats: (target: Target) => TargetStats,
): string | undefined {
  const targets = catalog.targetsOf(model)
  if (targets.length === 0) return undefined
  const inferenceProviderMapping = targets.map((target) => ({
    provider: target.providerId,
    providerId: target.providerModel,
    hfModelId: model,
    status: stats(target).isHealthy ? 'live' : 'error',
    task: tasks[target.operation],
    isModelAuthor: false,
    type: 'single-model',
  }))
  return JSON.stringify({ _id: model, id: model, inference: 'warm', inferenceProviderMapping })
}
