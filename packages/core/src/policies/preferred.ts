import type { RoutePolicy } from '../routing/policy.ts'

/** The account's own order of providers; those it does not name follow in the order of the catalog. */
export function preferred(): RoutePolicy {
  return (candidates, { preferredProviders }) => {
    const rank = (providerId: string) => {
      const index = preferredProviders.indexOf(providerId)
      return index === -1 ? preferredProviders.length : index
    }
    return candidates.toSorted((a, b) => rank(a.providerId) - rank(b.providerId))
  }
}
