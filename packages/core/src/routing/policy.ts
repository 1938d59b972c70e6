import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'

/** What was observed of a target, by this process. */
export interface TargetStats {
  /** Whether the circuit lets requests through. */
  readonly isHealthy: boolean
  /** Recent time to the first byte of an answer; `undefined` without recent history. */
  readonly firstTokenMs: number | undefined
  /** Recent output tokens per second; `undefined` without recent history. */
  readonly tokensPerSecond: number | undefined
}

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
