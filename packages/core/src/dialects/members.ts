import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { JsonBody } from '../http/request-body.ts'

/** A whole number of at least one, absent or null when the caller left it open. */
export const positiveCount: z.ZodType<number | null | undefined> = z.int().min(1).nullish()

export const flag: z.ZodType<boolean | null | undefined> = z.boolean().nullish()

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An error that names the member at fault. */
export function wrongMember(param: string, message: string): GatewayError {
  return new GatewayError('invalid_request', message, { param })
}

/** Members that decide what is asked for and what it costs, besides those that a reader is for. */
const countedNames = ['model', 'messages', 'prompt', 'input', 'stream', 'n', 'max_tokens', 'size', 'quality']

/**
 * Refuses a member whose name differs only by case from one that counts. Some providers read names without regard to case, as Go's
 * encoding/json does, with the last one winning: what they serve would not be what is priced and held here.
 */
function checkNames(value: Readonly<Record<string, unknown>>, counted: ReadonlySet<string>): void {
  for (const name in value) {
    if (counted.has(name) || !/[^a-z0-9_]/.test(name)) continue
    // Both ways, because two letters outside of ASCII are other cases of "s" and "k".
    const usual = name.toUpperCase().toLowerCase()
    if (counted.has(usual)) throw wrongMember(name, `"${name}" must be written "${usual}".`)
  }
}

type Shape = Readonly<Record<string, z.ZodType>>
type Members<S extends Shape> = { readonly [Name in keyof S]?: z.infer<S[Name]> | undefined }

/**
 * A reader of the members that routing and money depend on. Content is not looked at: it is the provider's to judge.
 *
 * The reader throws GatewayError `invalid_request` that names the first member at fault, also where it only looks like one of
 * these. Members a caller left out cost nothing, and most leave out most.
 */
export function memberReader<S extends Shape>(shape: S): (body: JsonBody) => Members<S> {
  const readers = Object.entries(shape).map(([name, schema]) => ({
    name,
    schema,
    isRequired: !schema.safeParse(undefined).success,
  }))
  const counted: ReadonlySet<string> = new Set([...countedNames, ...Object.keys(shape)])
  return ({ value }) => {
    checkNames(value, counted)
    const members: Record<string, unknown> = {}
    for (const { name, schema, isRequired } of readers) {
      if (value[name] === undefined && !isRequired) continue
      const result = schema.safeParse(value[name])
      if (!result.success) throw invalid(name, result.error)
      members[name] = result.data
    }
    return members as Members<S>
  }
}

function invalid(name: string, error: z.ZodError): GatewayError {
  const [issue] = error.issues
  const param = [name, ...(issue?.path ?? [])].join('.')
  return new GatewayError(
    'invalid_request',
    `Invalid value for "${param}": ${issue?.message ?? 'not valid'}.`,
    {
      param,
    },
  )
}
