import type { Clock } from '@farebox/core'
import type { Faults } from './faults.ts'
import type { Random } from './random.ts'
import type { Life, Scheduler } from './scheduler.ts'

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
  /** Counts what happened, so that a test can tell that it happens at all. */
  readonly count: (what: string) => void
  /** Writes a line of the log, if one is kept. */
  readonly log: (line: () => string) => void
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
