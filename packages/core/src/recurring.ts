import type { Clock } from './clock.ts'

/** A task that runs again and again in the background. */
export interface Recurring {
  /** No run begins any more. Resolves when the one under way is over. */
  stop(): Promise<void>
}

/**
 * Runs a task every so often, the first time after one pause, and each pause from the end of the run before: runs never
 * overlap, however long one takes. A run that rejects is the task's to report. Never keeps a process alive.
 */
export function recurring(clock: Clock, everyMs: number, task: () => Promise<void>): Recurring {
  let isStopped = false
  let running: Promise<void> = Promise.resolve()
  let cancel = clock.after(everyMs, begin)

  function begin(): void {
    running = task()
      .catch(() => undefined)
      .then(() => {
        if (!isStopped) cancel = clock.after(everyMs, begin)
      })
  }

  return {
    stop() {
      isStopped = true
      cancel()
      return running
    },
  }
}
