/**
 * Stops at a broken promise of our own code, at once and loudly. A message with amounts in it is written only when it is
 * needed: turning bigints into text costs more than the check.
 *
 * @throws Error always when `condition` is false: a bug in Farebox, never a caller's mistake.
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (condition) return
  throw new Error(`Farebox invariant broken: ${typeof message === 'string' ? message : message()}`)
}
