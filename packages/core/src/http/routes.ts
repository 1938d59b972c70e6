/** What a path asks for. */
export type Route =
  | { readonly kind: 'inference'; readonly operation: Operation }
  | { readonly kind: 'models' }
  | { readonly kind: 'model'; readonly model: string }
  | { readonly kind: 'credits' }
  | { readonly kind: 'receipt'; readonly requestId: string }
  | { readonly kind: 'usage' }
  | { readonly kind: 'hub-usage' }
  | { readonly kind: 'invoices' }
  | { readonly kind: 'invoice'; readonly periodKey: string }

/** What an inference call does, in the words of OpenTelemetry where it has them. */
export type Operation = 'chat' | 'embeddings' | 'images'

const inference: ReadonlyMap<string, Operation> = new Map([
  ['/v1/chat/completions', 'chat'],
  ['/v1/embeddings', 'embeddings'],
  ['/v1/images/generations', 'images'],
])

/** The route of a path below the mount; `undefined` when the path is not ours and the host goes on. */
export function findRoute(path: string): Route | undefined {
  const clean = inference.has(path) ? path : path.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '')
  const operation = inference.get(clean)
  if (operation !== undefined) return { kind: 'inference', operation }
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

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
