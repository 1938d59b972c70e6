import type { Catalog } from './catalog.ts'
import type { Target } from './target.ts'

/**
 * `GET /v1/models` in Anthropic's shape (anthropic-sdk-typescript 1.14.0, 2026-11-24): all models that chat, on one page. `isShown`
 * says which of them the caller gets to see.
 */
export function listAnthropicModels(catalog: Catalog, isShown: (model: string) => boolean): string {
  const targets = catalog.targets.filter(({ operation }) => operation === 'chat')
  const models = [...new Set(targets.map(({ model }) => model))].filter(isShown)
  const data = models.map((model) => describe(model, chatTargets(catalog, model)))
  return JSON.stringify({
    data,
    has_more: false,
    first_id: models.at(0) ?? null,
    last_id: models.at(-1) ?? null,
  })
}

/** `GET /v1/models/{id}`, or `undefined` when there is no such model that chats. */
export function showAnthropicModel(catalog: Catalog, model: string): string | undefined {
  const targets = chatTargets(catalog, model)
  return targets.length === 0 ? undefined : JSON.stringify(describe(model, targets))
}

function chatTargets(catalog: Catalog, model: string): readonly Target[] {
  return catalog.targetsOf(model).filter(({ operation }) => operation === 'chat')
}

function describe(model: string, targets: readonly Target[]): object {
  return {
    type: 'model',
    id: model,
    display_name: model.split('/').at(-1),
    // Nobody says when a model was made: this is since when it is known here.
    created_at: `${targets[0]?.readOn ?? '1970-01-01'}T00:00:00Z`,
    max_input_tokens: most(targets.map(({ limits }) => limits.contextTokens)),
    max_tokens: most(targets.map(({ limits }) => limits.outputTokens ?? limits.contextTokens)),
  }
}

/** What the target that allows most allows; null when none says. */
function most(bounds: readonly (number | undefined)[]): number | null {
  const told = bounds.filter((bound) => bound !== undefined)
  return told.length === 0 ? null : Math.max(...told)
}
