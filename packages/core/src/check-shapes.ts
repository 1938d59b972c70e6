import type { GatewayOptions } from './options.ts'
import type { Provider } from './providers/provider.ts'

/** Behind a model's name an id chooses a provider, unless it is the name of a policy. */
const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const policyNames = ['fastest', 'cheapest', 'preferred']

/** What each option must be, beyond its numbers: an option in JavaScript may be anything. */
const shapes: {
  readonly [Name in keyof Required<GatewayOptions>]: ((value: unknown) => boolean) | undefined
} = {
  providers: Array.isArray,
  authenticate: isFunction,
  storage: (value) => hasAll(value, ['ledger']),
  keyRing: Array.isArray,
  plans: (value) => Array.isArray((value as { plans?: unknown } | null)?.plans),
  catalog: (value) =>
    Array.isArray(value) || Array.isArray((value as { versions?: unknown } | null)?.versions),
  policy: isFunction,
  onEvent: isFunction,
  clock: (value) => hasFunctions(value, ['now', 'monotonicMs', 'after']),
  ids: isFunction,
  transport: (value) => hasFunctions(value, ['send', 'close']),
  limits: undefined,
  timeouts: undefined,
  lateCosts: undefined,
  health: undefined,
}

const wanted: { readonly [Name in keyof GatewayOptions]: string } = {
  providers: 'a list of at least one provider: [cerebras({ apiKey }), …]',
  authenticate: 'a function of a request that says who asks',
  storage: 'a storage, such as memoryStorage() or sqlite(database)',
  keyRing: 'a list of keys: [{ id, key }]',
  plans: "a table of plans, such as planPreset('hf-2026-02-04')",
  catalog: 'a list of rows, or a book of createPriceBook()',
  policy: 'a policy, such as cheapest()',
  onEvent: 'a function of an event',
  clock: 'a clock, with now(), monotonicMs() and after()',
  ids: 'a function that gives an id',
  transport: 'a transport, with send() and close()',
}

/**
 * Checks that every option is of its kind, and that there is none nobody knows: a misspelt one would count for nothing.
 *
 * @throws RangeError that names the option at fault.
 */
export function checkShapes(options: GatewayOptions): void {
  if (typeof options !== 'object' || options === null)
    throw new RangeError('createGateway needs options: { providers: [cerebras({ apiKey })], … }.')
  for (const name of Object.keys(options) as (keyof GatewayOptions)[]) {
    if (!Object.hasOwn(shapes, name)) {
      throw new RangeError(
        `createGateway has no option "${name}". There are: ${Object.keys(shapes).join(', ')}.`,
      )
    }
    const value: unknown = options[name]
    if (value !== undefined && shapes[name]?.(value) === false)
      throw new RangeError(`${name} must be ${wanted[name] ?? 'an object'}.`)
  }
  for (const provider of options.providers ?? []) checkProvider(provider)
}

function checkProvider(provider: Provider): void {
  if (!hasFunctions(provider, ['encode', 'usage', 'classify']) || !hasAll(provider, ['id', 'operations'])) {
    throw new RangeError(
      'providers must be what cerebras({ apiKey }) or openaiCompatible({ … }) gives, each of them.',
    )
  }
  const { id } = provider
  if (typeof id === 'string' && idPattern.test(id) && !policyNames.includes(id)) return
  throw new RangeError(
    `providers: "${String(id)}" is no id: it has 1 to 63 letters, digits, dots, dashes and underscores, and is not ${policyNames.join(', ')}.`,
  )
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

function hasAll(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => (value as Record<string, unknown>)[name] != null)
}

function hasFunctions(value: unknown, names: readonly string[]): boolean {
  return hasAll(value, names) && names.every((name) => isFunction((value as Record<string, unknown>)[name]))
}
