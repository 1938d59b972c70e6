/**
 * Stops at a broken promise of our own code, at once and loudly.
 *
 * @throws Error always when `condition` is false: a bug in Farebox, never a caller's mistake.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`Farebox invariant broken: ${message}`)
}
