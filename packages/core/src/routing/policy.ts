import type { Target, TargetStats } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'

export interface RouteContext {
  readonly call: InferenceCall
  readonly stats: (target: Target) => TargetStats
  /** What this call is expected to cost at a target, in nano-USD. */
  readonly expectedCost: (target: Target) => bigint
  /** The account's own order of providers; empty without one. */
  readonly preferredProviders: readonly string[]
}

/** Orders the candidates; the first is tried first, the rest are fallbacks. Adds none and leaves none out. */
export type RoutePolicy = (candidates: readonly Target[], context: RouteContext) => readonly Target[]
