import type { Target } from '../catalog/target.ts'
import type { RoutePolicy } from '../routing/policy.ts'

/**
 * Spreads first attempts over providers in these proportions, in turns and without chance: weights 3 and 1 give
 * A A B A. Providers without a weight come last.
 */
export function weighted(weights: Readonly<Record<string, number>>): RoutePolicy {
  const credits = new Map<string, number>()
  return (candidates) => {
    let total = 0
    for (const { providerId } of candidates) {
      const weight = weights[providerId] ?? 0
      total += weight
      credits.set(providerId, (credits.get(providerId) ?? 0) + weight)
    }
    const credit = (providerId: string) => credits.get(providerId) ?? 0
    const hasWeight = ({ providerId }: Target) => Number((weights[providerId] ?? 0) > 0)
    // A weighted provider that was just used owes credit, yet it still comes before those without a weight.
    const ordered = candidates.toSorted(
      (a, b) => hasWeight(b) - hasWeight(a) || credit(b.providerId) - credit(a.providerId),
    )
    const first = ordered[0]?.providerId
    if (first !== undefined) credits.set(first, credit(first) - total)
    return ordered
  }
}
