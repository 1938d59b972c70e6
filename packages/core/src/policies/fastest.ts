import type { TargetStats } from '../catalog/target.ts'
import type { RoutePolicy } from '../routing/policy.ts'

/**
 * The default: highest recent throughput first, then shortest time to the first byte. A target without recent history is
 * tried before the others, once, so that there is something to compare.
 */
export function fastest(): RoutePolicy {
  return (candidates, { stats }) =>
    candidates
      .map((target) => ({ target, seen: stats(target) }))
      .sort((a, b) => compare(a.seen, b.seen))
      .map(({ target }) => target)
}

function compare(a: TargetStats, b: TargetStats): number {
  if (a.firstTokenMs === undefined || b.firstTokenMs === undefined) {
    return Number(a.firstTokenMs !== undefined) - Number(b.firstTokenMs !== undefined)
  }
  return (b.tokensPerSecond ?? 0) - (a.tokensPerSecond ?? 0) || a.firstTokenMs - b.firstTokenMs
}
