import type { Clock } from '@farebox/core'
import type { FaultKind, Faults } from './faults.ts'
import type { Random } from './random.ts'
import { type Choose, createScheduler, type Life, type Scheduler } from './scheduler.ts'

/** What everything in a simulation shares. */
export interface World {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly faults: Faults
  /** The world itself: what it waits for comes, whoever dies. */
  readonly nature: Life
  /** Milliseconds since 1970 at the store. */
  readonly wallMs: () => number
  /** Sets the store's clock. */
  readonly setWall: (nowMs: number) => void
  /** Sets the store's clock to where it has been at most. */
  readonly catchUp: () => void
  /** How often each thing happened, so that a test can tell that it happens at all. */
  readonly counts: ReadonlyMap<string, number>
  readonly count: (what: string, times?: number) => void
  /** Writes a line of the log, if one is kept. */
  readonly log: (line: () => string) => void
}

export interface WorldParts {
  readonly random: Random
  readonly faults: (onFault: (kind: FaultKind) => void) => Faults
  /** Milliseconds since 1970. */
  readonly startMs: number
  /** @default the earliest task first */
  readonly choose?: Choose | undefined
  /** Gets every line of the log. */
  readonly onLine?: ((line: string) => void) | undefined
}

export function createWorld({ random, faults, startMs, choose, onLine }: WorldParts): World {
  const counts = new Map<string, number>()
  const count = (what: string, times = 1): void => {
    counts.set(what, (counts.get(what) ?? 0) + times)
  }
  const log = (line: () => string) => onLine?.(line())
  const scheduler = createScheduler({
    tieBreak: random.next,
    choose,
    onStep: ({ label }) => log(() => `${scheduler.elapsedMs} ms: ${label}`),
  })
  let shiftMs = startMs
  let latestMs = startMs
  const wallMs = () => shiftMs + scheduler.elapsedMs
  function setWall(nowMs: number): void {
    latestMs = Math.max(latestMs, wallMs())
    shiftMs = nowMs - scheduler.elapsedMs
    log(() => `the store's clock is set to ${new Date(nowMs).toISOString()}`)
  }
  return {
    random,
    scheduler,
    faults: faults((kind) => {
      count(kind)
      log(() => `  fault: ${kind}`)
    }),
    nature: { name: 'nature', isOver: false },
    wallMs,
    setWall,
    catchUp: () => setWall(Math.max(latestMs, wallMs())),
    counts,
    count,
    log,
  }
}

/** Milliseconds a message takes. */
export function travelMs({ random, faults }: World, slow: 'store slow' | 'connection slow'): number {
  if (faults.happens(slow)) return random.pick([200, 2_000, 6_000, 40_000])
  return random.between(0, 3)
}

/** A process' own clock: wrong by `skewMs`, and silent once its life is over. */
export function clockOf(world: World, life: Life, skewMs: number): Clock {
  const { scheduler } = world
  return {
    now: () => world.wallMs() + skewMs,
    monotonicMs: () => scheduler.elapsedMs,
    after: (delayMs, task) => scheduler.after(Math.ceil(delayMs), life, `${life.name} timer`, task),
  }
}
