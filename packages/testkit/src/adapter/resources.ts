import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Clock, systemClock } from '@farebox/core'

/** What a process holds at a quiet moment. */
export interface Resources {
  /** After the garbage is collected, with the buffers that lie beside the heap. */
  readonly heapBytes: number
  /** What keeps the process alive, by Node's own names: `TCPSocketWrap`, `Timeout`. */
  readonly active: Readonly<Record<string, number>>
}

export function resourcesNow(): Resources {
  return { heapBytes: heapBytes(), active: activeNow() }
}

export function activeNow(): Readonly<Record<string, number>> {
  const active: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) active[name] = (active[name] ?? 0) + 1
  return active
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // What the first collection finalises the second one frees.
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The machine's clock, which knows its own timers. */
export interface CountingClock extends Clock {
  /** How many of its timers have neither run nor been cancelled. */
  readonly pending: number
}

export function countingClock(): CountingClock {
  let pending = 0
  return {
    ...systemClock,
    get pending() {
      return pending
    },
    after(delayMs, task) {
      let isPending = true
      pending += 1
      const finish = () => {
        if (isPending) pending -= 1
        isPending = false
      }
      const cancel = systemClock.after(delayMs, () => {
        finish()
        task()
      })
      return () => {
        finish()
        cancel()
      }
    },
  }
}
