/** The SQLSTATE of what the server has said; `undefined` for anything else, such as a lost connection. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error) || !('severity' in error))
    return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
