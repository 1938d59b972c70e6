import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { GatewayError } from '../errors.ts'

const decoders: ReadonlyMap<string, () => Transform> = new Map([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
])

/**
 * What unpacks a body of this `content-encoding`; `undefined` where nothing has to be unpacked.
 *
 * @throws GatewayError `unsupported_encoding` for one that is not known.
 */
export function decoderOf(encoding: string | null | undefined): Transform | undefined {
  const name = encoding?.toLowerCase() ?? 'identity'
  if (name === 'identity') return undefined
  const decoder = decoders.get(name)
  if (decoder !== undefined) return decoder()
  throw new GatewayError(
    'unsupported_encoding',
    'Send the body with content-encoding gzip, deflate, br or none.',
  )
}

/** A body that is not what its `content-encoding` says. */
export function badEncoding(cause: unknown): GatewayError {
  return new GatewayError('invalid_json', 'The request body does not match its content-encoding.', { cause })
}
