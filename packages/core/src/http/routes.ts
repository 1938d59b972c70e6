/** What a path asks for. */
export type Route =
  | InferenceRoute
  | { readonly kind: 'models' }
  | { readonly kind: 'model'; readonly model: string }
  | { readonly kind: 'credits' }
  | { readonly kind: 'receipt'; readonly requestId: string }
  | { readonly kind: 'usage' }
  | { readonly kind: 'hub-usage' }
  | { readonly kind: 'invoices' }
  | { readonly kind: 'invoice'; readonly periodKey: string }

export interface InferenceRoute {
  readonly kind: 'inference'
  readonly dialect: DialectName
}

/** What a caller speaks: who defined it, and what it is for. */
export type DialectName =
  | 'openai-chat'
  | 'openai-completions'
  | 'openai-embeddings'
  | 'openai-images'
  | 'openai-moderations'
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
  ['/v1/chat/completions', routeOf('openai-chat')],
  ['/v1/completions', routeOf('openai-completions')],
  ['/v1/embeddings', routeOf('openai-embeddings')],
  ['/v1/images/generations', routeOf('openai-images')],
  ['/v1/moderations', routeOf('openai-moderations')],
  ['/v1/audio/speech', routeOf('openai-speech')],
  ['/v1/audio/transcriptions', routeOf('openai-transcriptions')],
])

/** The route of a path below the mount; `undefined` when the path is not ours and the host goes on. */
export function findRoute(path: string): Route | undefined {
  const clean = inference.has(path) ? path : path.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '')
  const asked = inference.get(clean)
  if (asked !== undefined) return asked
  if (clean === '/v1/models') return { kind: 'models' }
  if (clean === '/v1/credits') return { kind: 'credits' }
  if (clean === '/v1/usage') return { kind: 'usage' }
  if (clean === '/api/settings/billing/usage-v2') return { kind: 'hub-usage' }
  if (clean === '/v1/invoices') return { kind: 'invoices' }
  if (clean.startsWith('/v1/models/'))
    return { kind: 'model', model: decode(clean.slice('/v1/models/'.length)) }
  if (clean.startsWith('/v1/receipts/')) {
    return { kind: 'receipt', requestId: decode(clean.slice('/v1/receipts/'.length)) }
  }
  if (clean.startsWith('/v1/invoices/')) {
    return { kind: 'invoice', periodKey: decode(clean.slice('/v1/invoices/'.length)) }
  }
  return undefined
}

/** The methods a route answers. */
export function methodsOf(route: Route): readonly string[] {
  return route.kind === 'inference' ? ['POST'] : ['GET', 'HEAD']
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
