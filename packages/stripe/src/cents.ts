import type { Nano } from '@farebox/core'

/** Nano-USD in a cent. */
export const nanoPerCent = 10_000_000n

/**
 * Stripe's amounts are whole cents as JSON numbers. They become exact here, before anything is computed with them.
 *
 * @throws RangeError when the number is not whole.
 */
export function nanoOfCents(cents: number): Nano {
  if (!Number.isSafeInteger(cents))
    throw new RangeError(`Stripe sent ${cents} where a whole number of cents belongs.`)
  return (BigInt(cents) * nanoPerCent) as Nano
}

/** The amount as Stripe wants it, or undefined when it is not a whole number of cents or beyond what a number can hold. */
export function centsOf(amount: bigint): number | undefined {
  if (amount % nanoPerCent !== 0n) return undefined
  const cents = Number(amount / nanoPerCent)
  return Number.isSafeInteger(cents) ? cents : undefined
}
