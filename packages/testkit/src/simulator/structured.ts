import { asObject } from './exchange.ts'

/** A seeded source of whole numbers below a bound. */
export type Draw = (below: number) => number

/** The keywords of JSON Schema that shape an answer; all others are ignored. */
interface Schema {
  readonly type?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly unknown[]
  readonly oneOf?: readonly unknown[]
  readonly allOf?: readonly unknown[]
  readonly $ref?: unknown
  readonly properties?: object
  readonly required?: readonly unknown[]
  readonly items?: unknown
  readonly prefixItems?: readonly unknown[]
  readonly minItems?: number
  readonly maxItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
  readonly format?: unknown
}

interface Place {
  readonly root: unknown
  readonly depth: number
  readonly draw: Draw
}

const depthMax = 12

/** A value that fits a JSON schema. A boolean or missing schema gives a small object. */
export function valueForSchema(schema: unknown, draw: Draw): unknown {
  if (asObject(schema) === undefined) return { answer: 'Simulated answer' }
  return valueFor(schema, { root: schema, depth: 0, draw })
}

function valueFor(schema: unknown, place: Place): unknown {
  const keywords = (asObject(schema) ?? {}) as Schema
  if (place.depth > depthMax) return null
  const below = { ...place, depth: place.depth + 1 }
  if (Object.hasOwn(keywords, 'const')) return keywords.const
  if (keywords.enum !== undefined) return keywords.enum[place.draw(keywords.enum.length)]
  if (typeof keywords.$ref === 'string') return valueFor(resolve(place.root, keywords.$ref), below)
  const either = keywords.anyOf ?? keywords.oneOf
  if (either !== undefined)
    return valueFor(isDeep(place) ? (either.find(isNull) ?? either[0]) : either[0], below)
  if (keywords.allOf !== undefined) return valueFor(merge(keywords, keywords.allOf, place.root), below)
  switch (typeOf(keywords)) {
    case 'object':
      return objectFor(keywords, below)
    case 'array':
      return arrayFor(keywords, below)
    case 'integer':
      return numberFor({ multipleOf: 1, ...keywords }, place.draw)
    case 'number':
      return numberFor(keywords, place.draw)
    case 'boolean':
      return place.draw(2) === 1
    case 'null':
      return null
    default:
      return stringFor(keywords)
  }
}

function objectFor(schema: Schema, place: Place): object {
  const required = new Set(schema.required ?? [])
  // Optional members are left out far down, so that a schema that contains itself comes to an end.
  const members = Object.entries(schema.properties ?? {}).filter(
    ([name]) => required.has(name) || !isDeep(place),
  )
  return Object.fromEntries(members.map(([name, member]) => [name, valueFor(member, place)]))
}

function arrayFor(schema: Schema, place: Place): readonly unknown[] {
  const fixed = schema.prefixItems ?? []
  const wanted = Math.max(schema.minItems ?? 0, isDeep(place) ? 0 : Math.max(1, fixed.length))
  const length = Math.min(wanted, schema.maxItems ?? wanted, 100)
  return Array.from({ length }, (_, index) => valueFor(fixed[index] ?? schema.items, place))
}

function numberFor(schema: Schema, draw: Draw): number {
  const step = schema.multipleOf ?? 1
  const least =
    schema.minimum ?? (schema.exclusiveMinimum === undefined ? undefined : schema.exclusiveMinimum + step)
  const most =
    schema.maximum ?? (schema.exclusiveMaximum === undefined ? undefined : schema.exclusiveMaximum - step)
  const from = least ?? Math.min(0, most ?? 0)
  const to = most ?? from + 10 * step
  const first = Math.ceil(from / step)
  const steps = Math.max(1, Math.floor(to / step) - first + 1)
  const value = (first + draw(Math.min(steps, 10))) * step
  return value >= from && value <= to ? value : from
}

function stringFor(schema: Schema): string {
  if (typeof schema.format === 'string' && Object.hasOwn(formats, schema.format))
    return formats[schema.format] ?? ''
  const text = 'Simulated answer'.padEnd(Math.min(schema.minLength ?? 0, 100_000), '.')
  return text.slice(0, schema.maxLength ?? text.length)
}

const formats: Readonly<Record<string, string>> = {
  date: '2026-01-31',
  time: '12:00:00Z',
  'date-time': '2026-01-31T12:00:00Z',
  duration: 'PT1H',
  email: 'simulated@example.com',
  hostname: 'example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.com/simulated',
  uuid: '00000000-0000-4000-8000-000000000000',
}

function typeOf(schema: Schema): unknown {
  if (Array.isArray(schema.type)) return schema.type.find((type) => type !== 'null') ?? 'null'
  if (schema.type !== undefined) return schema.type
  if (schema.properties !== undefined) return 'object'
  return schema.items === undefined && schema.prefixItems === undefined ? 'string' : 'array'
}

function merge(schema: Schema, parts: readonly unknown[], root: unknown): Schema {
  const { allOf: _, ...own } = schema
  const all = [own, ...parts.map((part) => (asObject(part) ?? {}) as Schema)].map((part) =>
    typeof part.$ref === 'string' ? ((asObject(resolve(root, part.$ref)) ?? {}) as Schema) : part,
  )
  return {
    ...Object.assign({}, ...all),
    properties: Object.assign({}, ...all.map((part) => part.properties ?? {})),
    required: all.flatMap((part) => part.required ?? []),
  }
}

/** Follows a pointer inside the same document, such as `#/$defs/city`. */
function resolve(root: unknown, reference: string): unknown {
  if (!reference.startsWith('#')) return undefined
  return reference
    .slice(1)
    .split('/')
    .filter((step) => step !== '')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>(
      (at, step) => (Object.entries(asObject(at) ?? {}).find(([name]) => name === step) ?? [])[1],
      root,
    )
}

function isDeep(place: Place): boolean {
  return place.depth > depthMax / 2
}

function isNull(schema: unknown): boolean {
  return (asObject(schema) as Schema | undefined)?.type === 'null'
}
