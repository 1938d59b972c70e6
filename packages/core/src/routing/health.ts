import type { Target, TargetStats } from '../catalog/target.ts'
import type { Clock } from '../clock.ts'

/** What this process has seen of each target, and the circuit that keeps requests away from one that fails. */
export interface Health {
  stats(target: Target): TargetStats
  recordSuccess(target: Target, sample: Sample): void
  recordFailure(target: Target): void
  /** Takes another process' word that a target fails: requests are kept away for so long, as if it had failed here. */
  learnOpen(target: Target, forMs: number): void
  /** Takes another process' word that a target answers again. */
  learnClosed(target: Target): void
}

/** Hears what other processes should know of a target. */
export interface HealthTeller {
  /** Requests are kept away from it for so long from now. */
  opened(target: Target, forMs: number): void
  /** It has answered again. */
  closed(target: Target): void
}

export interface Sample {
  /** When the attempt began, on the monotonic clock. */
  readonly startedMs: number
  readonly firstTokenMs: number
  /** `undefined` when the answer was too short to tell. */
  readonly tokensPerSecond: number | undefined
}

export interface HealthOptions {
  readonly clock: Clock
  readonly onCircuit: (target: Target, state: 'open' | 'closed') => void
  /** @default nobody: what this process has seen it keeps to itself */
  readonly teller?: HealthTeller | undefined
}

interface TargetRecord {
  failuresInRow: number
  /** Whether it failed and has not answered since. */
  isOpen: boolean
  /** When the circuit opened. What was asked before says nothing about whether it may close. */
  openedAtMs: number
  /** The circuit is open until then, on the monotonic clock; then requests may try, until one fails again. */
  openUntilMs: number
  /** Whether this process itself has seen it fail since it last answered here. */
  hasFailedHere: boolean
  /**
   * Whether it answered others while it failed here. Then the trouble may be of this process alone, which tells no more of it
   * before it has an answer of its own: or one bad network would keep a good target from everybody, again and again.
   */
  isDoubted: boolean
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

export function createHealth({ clock, onCircuit, teller }: HealthOptions): Health {
  const records = new Map<string, TargetRecord>()
  const recordOf = (target: Target): TargetRecord => {
    const known = records.get(target.targetId)
    if (known !== undefined) return known
    const fresh: TargetRecord = {
      failuresInRow: 0,
      isOpen: false,
      openedAtMs: 0,
      openUntilMs: 0,
      hasFailedHere: false,
      isDoubted: false,
      sampledAtMs: Number.NEGATIVE_INFINITY,
      firstTokenMs: undefined,
      tokensPerSecond: undefined,
    }
    records.set(target.targetId, fresh)
    return fresh
  }
  const open = (target: Target, record: TargetRecord, forMs: number): void => {
    const now = clock.monotonicMs()
    record.openUntilMs = Math.max(record.openUntilMs, now + forMs)
    if (record.isOpen) return
    record.isOpen = true
    record.openedAtMs = now
    onCircuit(target, 'open')
  }
  const close = (target: Target, record: TargetRecord): void => {
    record.isOpen = false
    record.failuresInRow = 0
    record.openUntilMs = 0
    onCircuit(target, 'closed')
  }
  return {
    stats(target) {
      const record = recordOf(target)
      const now = clock.monotonicMs()
      const isKnown = isFresh(record, now)
      return {
        isHealthy: !record.isOpen || now >= record.openUntilMs,
        firstTokenMs: isKnown ? record.firstTokenMs : undefined,
        tokensPerSecond: isKnown ? record.tokensPerSecond : undefined,
      }
    },
    recordSuccess(target, sample) {
      const record = recordOf(target)
      const now = clock.monotonicMs()
      const isKnown = isFresh(record, now)
      record.sampledAtMs = now
      record.firstTokenMs = average(isKnown ? record.firstTokenMs : undefined, sample.firstTokenMs)
      record.tokensPerSecond = average(isKnown ? record.tokensPerSecond : undefined, sample.tokensPerSecond)
      // A long stream that began before a provider went down may end well while everything new fails.
      if (record.isOpen && sample.startedMs < record.openedAtMs) return
      record.hasFailedHere = false
      record.isDoubted = false
      record.failuresInRow = 0
      if (!record.isOpen) return
      close(target, record)
      teller?.closed(target)
    },
    recordFailure(target) {
      const record = recordOf(target)
      record.failuresInRow += 1
      record.hasFailedHere = true
      if (record.failuresInRow < failuresMax) return
      const pause = Math.min(pauseMsMax, pauseMs * 2 ** (record.failuresInRow - failuresMax))
      open(target, record, pause)
      if (!record.isDoubted) teller?.opened(target, pause)
    },
    learnOpen(target, forMs) {
      const record = recordOf(target)
      // The next failure here opens it again at once, and for longer.
      record.failuresInRow = Math.max(record.failuresInRow, failuresMax)
      open(target, record, Math.min(forMs, pauseMsMax))
    },
    learnClosed(target) {
      const record = recordOf(target)
      if (!record.isOpen) return
      record.isDoubted = record.hasFailedHere
      close(target, record)
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
