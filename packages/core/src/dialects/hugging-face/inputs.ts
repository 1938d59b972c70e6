import { GatewayError } from '../../errors.ts'
import type { JsonBody } from '../../http/request-body.ts'

type Members = Readonly<Record<string, unknown>>

/** `inputs` where it is a text. */
export function textInput({ value }: JsonBody): string {
  const { inputs } = value
  if (typeof inputs === 'string' && inputs !== '') return inputs
  throw wrongInputs('a text')
}

/** `parameters`, which may be missing. */
export function parametersOf({ value }: JsonBody): Members {
  const { parameters = {} } = value
  if (typeof parameters === 'object' && parameters !== null && !Array.isArray(parameters))
    return parameters as Members
  throw new GatewayError('invalid_request', '"parameters" must be an object.', { param: 'parameters' })
}

/** Members with other names, those that are there; `null` counts as left out. */
export function renamed(members: Members, names: Readonly<Record<string, string>>): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [theirs, ours] of Object.entries(names)) {
    const value = members[theirs]
    if (value !== undefined && value !== null) result[ours] = value
  }
  return result
}

export function wrongInputs(wanted: string): GatewayError {
  return new GatewayError('invalid_request', `"inputs" must be ${wanted} for this model.`, {
    param: 'inputs',
  })
}
