/** What a path asks for. */
export type Route =
  | InferenceRoute
  | TokenCountRoute
  | { readonly kind: 'models' }
  | { readonly kind: 'model'; readonly model: string }
  | { readonly kind: 'hub-model'; readonly model: string }
  | { readonly kind: 'credits' }
  | { readonly kind: 'receipt'; readonly requestId: string }
  | { readonly kind: 'stored-response' }
  | { readonly kind: 'usage' }
  | { readonly kind: 'hub-usage' }
  | { readonly kind: 'invoices' }
  | { readonly kind: 'invoice'; readonly periodKey: string }

export interface InferenceRoute {
  readonly kind: 'inference'
  readonly dialect: DialectName
  /** The model that the path names, in place of the body. */
  readonly model?: string
  /** The provider that the path names: the body has this provider's own id of the model. */
  readonly providerId?: string
  /** What the path says is to be done with the model. */
  readonly task?: string
}

/** Asks how long a prompt is. */
export interface TokenCountRoute {
  readonly kind: 'token-count'
  readonly dialect: DialectName
}

/** What a caller speaks: who defined it, and what it is for. */
export type DialectName =
  | 'anthropic-messages'
  | 'hugging-face-task'
  | 'openai-chat'
  | 'openai-completions'
  | 'openai-embeddings'
  | 'openai-images'
  | 'openai-moderations'
  | 'openai-responses'
  | 'openai-speech'
  | 'openai-transcriptions'

/** What an inference call does, in the words of OpenAI's paths. */
export type Operation =
  | 'chat'
  | 'completions'
  | 'embeddings'
  | 'images'
  | 'moderations'
  | 'speech'
  | 'transcriptions'

const inference: ReadonlyMap<string, InferenceRoute> = new Map([
  ['/v1/messages', routeOf('anthropic-messages')],
  ['/v1/chat/completions', routeOf('openai-chat')],
  ['/v1/completions', routeOf('openai-completions')],
  ['/v1/embeddings', routeOf('openai-embeddings')],
  ['/v1/images/generations', routeOf('openai-images')],
  ['/v1/moderations', routeOf('openai-moderations')],
  ['/v1/audio/speech', routeOf('openai-speech')],
  ['/v1/audio/transcriptions', routeOf('openai-transcriptions')],
  ['/v1/responses', routeOf('openai-responses')],
])

/**
 * Paths of Hugging Face's router and of the per-model API before it, which name a model: `/models/org/name`, also behind
 * `/hf-inference`, and then perhaps what to do with it.
 */
const modelPath =
  /^(?:\/hf-inference)?\/models\/(.+?)(?:\/pipeline\/([a-z-]+)|(\/v1\/(?:chat\/)?completions))?$/

/** Paths that name a provider, in front of what it calls its own: `/together/v1/chat/completions`. */
const providerPath = /^\/([a-z0-9][a-z0-9-]{0,62})(\/v1\/.+)$/

const hubModels = '/api/models/'

/** The route of a path below the mount; `undefined` when the path is not ours and the host goes on. */
export function findRoute(path: string): Route | undefined {
  const clean = inference.has(path) ? path : path.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '')
  const asked = inference.get(clean)
  if (asked !== undefined) return asked
  if (clean === '/v1/messages/count_tokens') return { kind: 'token-count', dialect: 'anthropic-messages' }
  if (clean === '/v1/models') return { kind: 'models' }
  if (clean === '/v1/credits') return { kind: 'credits' }
  if (clean === '/v1/usage') return { kind: 'usage' }
  if (clean === '/api/settings/billing/usage-v2') return { kind: 'hub-usage' }
  if (clean === '/v1/invoices') return { kind: 'invoices' }
  if (clean.startsWith('/v1/models/'))
    return { kind: 'model', model: decode(clean.slice('/v1/models/'.length)) }
  if (clean.startsWith('/v1/responses/')) return { kind: 'stored-response' }
  if (clean.startsWith('/v1/receipts/')) {
    return { kind: 'receipt', requestId: decode(clean.slice('/v1/receipts/'.length)) }
  }
  if (clean.startsWith('/v1/invoices/')) {
    return { kind: 'invoice', periodKey: decode(clean.slice('/v1/invoices/'.length)) }
  }
  if (clean.startsWith(hubModels)) return { kind: 'hub-model', model: decode(clean.slice(hubModels.length)) }
  return modelRoute(clean) ?? providerRoute(clean)
}

function modelRoute(path: string): InferenceRoute | undefined {
  const [, name, task, openaiPath] = modelPath.exec(path) ?? []
  if (name === undefined) return undefined
  const model = decode(name)
  if (openaiPath !== undefined) {
    const route = inference.get(openaiPath)
    return route && { ...route, model }
  }
  const route: InferenceRoute = { kind: 'inference', dialect: 'hugging-face-task', model }
  return task === undefined ? route : { ...route, task }
}

function providerRoute(path: string): InferenceRoute | undefined {
  const [, providerId, openaiPath] = providerPath.exec(path) ?? []
  const route = openaiPath === undefined ? undefined : inference.get(openaiPath)
  return providerId === undefined || route === undefined ? undefined : { ...route, providerId }
}

/** The methods a route answers. */
export function methodsOf(route: Route): readonly string[] {
  if ('dialect' in route) return ['POST']
  return route.kind === 'stored-response' ? ['GET', 'HEAD', 'DELETE', 'POST'] : ['GET', 'HEAD']
}

function routeOf(dialect: DialectName): InferenceRoute {
  return { kind: 'inference', dialect }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
