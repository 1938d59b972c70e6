import { type Nano, nano } from '../money.ts'
import type { Part } from './reservation.ts'

/** The first `amount` of parts, as far as they go, and what comes after it. */
export function splitParts(
  parts: readonly Part[],
  amount: Nano,
): readonly [front: readonly Part[], back: readonly Part[]] {
  const front: Part[] = []
  const back: Part[] = []
  let left: bigint = amount
  for (const { source, amount: size } of parts) {
    const taken = nano(size < left ? size : left)
    if (taken > 0n) front.push({ source, amount: taken })
    if (taken < size) back.push({ source, amount: nano(size - taken) })
    left -= taken
  }
  return [front, back]
}

/** One part per source, in the order they were drawn. */
export function mergeParts(first: readonly Part[], second: readonly Part[]): readonly Part[] {
  const merged = new Map(first.map((part) => [part.source, part]))
  for (const part of second) {
    const amount = ((merged.get(part.source)?.amount ?? 0n) + part.amount) as Nano
    merged.set(part.source, { source: part.source, amount })
  }
  return [...merged.values()]
}

export function sumOfParts(parts: readonly Part[]): Nano {
  let sum = 0n
  for (const { amount } of parts) sum += amount
  return sum as Nano
}
