/** The only source of time. Milliseconds since 1970 UTC for `now`, milliseconds from anywhere for `monotonicMs`. */
export interface Clock {
  now(): number
  /** Never goes backwards, unaffected by changes of the wall clock: for measuring how long something took. */
  monotonicMs(): number
  /** Runs `task` once after `delayMs`; the returned function cancels it. Never keeps a process alive. */
  after(delayMs: number, task: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** Resolves after a while. What waits for it alone does not keep the process alive. */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve)
  })
}

/** A clock that stands still until told otherwise. For tests of month ends, expiry and time-outs, a host's own too. */
export interface FakeClock extends Clock {
  /** Moves time forward and runs what became due, in order. */
  advance(byMs: number): void
  /** Sets the wall clock, backwards too; timers do not run. */
  set(nowMs: number): void
}

export function fakeClock(startMs: number): FakeClock {
  let wall = startMs
  let elapsed = 0
  let timers: { readonly at: number; readonly task: () => void }[] = []
  return {
    now: () => wall,
    monotonicMs: () => elapsed,
    after(delayMs, task) {
      const timer = { at: elapsed + delayMs, task }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    advance(byMs) {
      const end = elapsed + byMs
      for (;;) {
        const next = timers.filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers = timers.filter((timer) => timer !== next)
        wall += next.at - elapsed
        elapsed = next.at
        next.task()
      }
      wall += end - elapsed
      elapsed = end
    },
    set(nowMs) {
      wall = nowMs
    },
  }
}
