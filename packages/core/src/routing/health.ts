import type { Target } from '../catalog/target.ts'
import type { Clock } from '../clock.ts'
import type { TargetStats } from './policy.ts'

/** What this process has seen of each target, and the circuit that keeps requests away from one that fails. */
export interface Health {
  stats(target: Target): TargetStats
  recordSuccess(target: Target, sample: Sample): void
  recordFailure(target: Target): void
}

export interface Sample {
  readonly firstTokenMs: number
  /** `undefined` when the answer was too short to tell. */
  readonly tokensPerSecond: number | undefined
}

export interface HealthOptions {
  readonly clock: Clock
  readonly onCircuit: (target: Target, state: 'open' | 'closed') => void
}

interface TargetRecord {
  failuresInRow: number
  /** The circuit is open until then, on the monotonic clock; then one request may try. */
  openUntilMs: number
  sampledAtMs: number
  firstTokenMs: number | undefined
  tokensPerSecond: number | undefined
}

/** This many failures in a row open the circuit. */
const failuresMax = 3

/** The first pause; it doubles with each further failure up to the longest. */
const pauseMs = 5_000
const pauseMsMax = 120_000

/** Older samples say nothing about now. The target then counts as unknown and is tried again. */
const sampleLifeMs = 5 * 60_000

/** Weight of the newest sample in the moving averages. */
const weight = 0.3

export function createHealth({ clock, onCircuit }: HealthOptions): Health {
  const records = new Map<string, TargetRecord>()
  const recordOf = (target: Target): TargetRecord => {
    const known = records.get(target.targetId)
    if (known !== undefined) return known
    const fresh: TargetRecord = {
      failuresInRow: 0,
      openUntilMs: 0,
      sampledAtMs: Number.NEGATIVE_INFINITY,
      firstTokenMs: undefined,
      tokensPerSecond: undefined,
    }
    records.set(target.targetId, fresh)
    return fresh
  }
  return {
    stats(target) {
      const record = recordOf(target)
      const now = clock.monotonicMs()
      const isFresh = now - record.sampledAtMs < sampleLifeMs
      return {
        isHealthy: record.failuresInRow < failuresMax || now >= record.openUntilMs,
        firstTokenMs: isFresh ? record.firstTokenMs : undefined,
        tokensPerSecond: isFresh ? record.tokensPerSecond : undefined,
      }
    },
    recordSuccess(target, sample) {
      const record = recordOf(target)
      if (record.failuresInRow >= failuresMax) onCircuit(target, 'closed')
      record.failuresInRow = 0
      record.sampledAtMs = clock.monotonicMs()
      record.firstTokenMs = average(record.firstTokenMs, sample.firstTokenMs)
      record.tokensPerSecond = average(record.tokensPerSecond, sample.tokensPerSecond)
    },
    recordFailure(target) {
      const record = recordOf(target)
      record.failuresInRow += 1
      if (record.failuresInRow < failuresMax) return
      if (record.failuresInRow === failuresMax) onCircuit(target, 'open')
      const pause = Math.min(pauseMsMax, pauseMs * 2 ** (record.failuresInRow - failuresMax))
      record.openUntilMs = clock.monotonicMs() + pause
    },
  }
}

function average(before: number | undefined, sample: number | undefined): number | undefined {
  if (before === undefined || sample === undefined) return sample ?? before
  return before + weight * (sample - before)
}
