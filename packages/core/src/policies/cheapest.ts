import type { RoutePolicy } from '../routing/policy.ts'

/** Lowest expected cost of this very request first: input and output together, not the price of an output token. */
export function cheapest(): RoutePolicy {
  return (candidates, { expectedCost }) =>
    candidates
      .map((target) => ({ target, cost: expectedCost(target) }))
      .sort((a, b) => (a.cost < b.cost ? -1 : a.cost > b.cost ? 1 : 0))
      .map(({ target }) => target)
}
