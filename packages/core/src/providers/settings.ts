/** What fits into a header. A key that was read from a file often brings the end of its line along. */
const keyPattern = /^[\x21-\x7e]+$/

/**
 * An address that was configured.
 *
 * @throws RangeError that names the option; it does not quote it, because it may hold a password.
 */
export function addressOf(text: unknown, option: string): string {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url !== undefined && url.username === '' && url.password === '' && url.hash === ''
  if (isPlain && ['http:', 'https:'].includes(url.protocol)) return url.href
  throw new RangeError(
    `${option} must be an address such as https://example.com/v1, without a user or a fragment.`,
  )
}

/**
 * An address that paths are put behind, with a slash at its end.
 *
 * @throws RangeError that names the option.
 */
export function baseOf(text: unknown, option: string): string {
  const address = addressOf(text, option)
  if (address.includes('?'))
    throw new RangeError(`${option} must end with a path: there is no place for a query.`)
  return address.endsWith('/') ? address : `${address}/`
}

/** @throws RangeError that names the option. */
export function checkKey(apiKey: unknown, option: string): void {
  if (apiKey === undefined || (typeof apiKey === 'string' && keyPattern.test(apiKey))) return
  throw new RangeError(
    `${option} must be visible ASCII characters without spaces or ends of lines, or be left out where there is no key.`,
  )
}
