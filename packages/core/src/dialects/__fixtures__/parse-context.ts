import type { DialectName, Operation } from '../../http/routes.ts'
import type { ParseContext } from '../dialect.ts'

/** What a dialect is told besides the body, of a request whose path and headers do not matter. */
export function parseContext(
  dialect: DialectName,
  facts: {
    readonly path?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly operations?: readonly Operation[]
  } = {},
): ParseContext {
  return {
    request: {
      method: 'POST',
      path: facts.path ?? '/',
      headers: facts.headers ?? {},
      body: { kind: 'drained' },
      signal: new AbortController().signal,
    },
    route: { kind: 'inference', dialect },
    operationsOf: () => facts.operations ?? [],
  }
}
