import type { Target, TargetStats } from '../catalog/target.ts'
import type { Clock } from '../clock.ts'

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
  /** The circuit is open until then, on the monotonic clock; then requests may try, until one fails again. */
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
      const isKnown = isFresh(record, now)
      return {
        isHealthy: record.failuresInRow < failuresMax || now >= record.openUntilMs,
        firstTokenMs: isKnown ? record.firstTokenMs : undefined,
        tokensPerSecond: isKnown ? record.tokensPerSecond : undefined,
      }
    },
    recordSuccess(target, sample) {
      const record = recordOf(target)
      if (record.failuresInRow >= failuresMax) onCircuit(target, 'closed')
      const now = clock.monotonicMs()
      const isKnown = isFresh(record, now)
      record.failuresInRow = 0
      record.sampledAtMs = now
      record.firstTokenMs = average(isKnown ? record.firstTokenMs : undefined, sample.firstTokenMs)
      record.tokensPerSecond = average(isKnown ? record.tokensPerSecond : undefined, sample.tokensPerSecond)
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

function isFresh({ sampledAtMs }: TargetRecord, now: number): boolean {
  return now - sampledAtMs < sampleLifeMs
}

function average(before: number | undefined, sample: number | undefined): number | undefined {
  if (before === undefined || sample === undefined) return sample ?? before
  return before + weight * (sample - before)
}
