import type { Target } from '../catalog/target.ts'
import type { InferenceCall, PolicyName } from '../dialects/inference-call.ts'
import { estimateUsage } from '../metering/estimate.ts'
import { rateKnown } from '../rate-usage.ts'
import type { RouteContext, RoutePolicy } from './policy.ts'

/** Output of a typical chat answer, to compare costs by when the caller set no bound. */
const typicalOutputTokens = 512

/** Healthy targets in the order of the policy, then the unhealthy ones: better a bad chance than none. */
export function orderTargets(
  policies: Readonly<Record<'default' | PolicyName, RoutePolicy>>,
  targets: readonly Target[],
  context: RouteContext,
): readonly Target[] {
  const { selector } = context.call
  if (targets.length === 1 || selector.kind === 'provider') return targets
  const policy = selector.kind === 'policy' ? selector.policy : 'default'
  const ordered = policies[policy](targets, context)
  if (ordered.every((target) => context.stats(target).isHealthy)) return ordered
  return ordered.toSorted((a, b) => Number(context.stats(b).isHealthy) - Number(context.stats(a).isHealthy))
}

/** What a call is expected to cost at a target, in nano-USD: for policies to compare, never to charge. */
export function expectedCost(call: InferenceCall, target: Target): bigint {
  const outputTokens =
    Math.min(call.outputTokensMax ?? typicalOutputTokens, typicalOutputTokens) * call.choices
  const { serviceTier } = call
  return rateKnown(estimateUsage(call, target, { outputTokens }), target, { serviceTier }).cost
}
