import { GatewayError } from '../../errors.ts'

/** What is wrong with a member of the body. Anthropic's errors name members in the message alone, so it begins with the path. */
export function refusal(path: string, message: string): GatewayError {
  return new GatewayError('invalid_request', `${path}: ${message}`, { param: path })
}

/**
 * Reads a value as an object.
 *
 * @throws GatewayError `invalid_request` for anything else.
 */
export function objectAt(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>
  throw refusal(path, 'must be an object.')
}

/**
 * Reads a value as text.
 *
 * @throws GatewayError `invalid_request` for anything else.
 */
export function textAt(value: unknown, path: string): string {
  if (typeof value === 'string') return value
  throw refusal(path, 'must be a text.')
}
