import { isGatewayError } from '@farebox/core'
import type { Process, Running } from './process.ts'
import type { World } from './world.ts'

/** How the host behind all processes gets done what it wants, however long it takes. */
export interface Host {
  /** A process that runs. Waits until there is one. */
  anyRunning(): Promise<Running>
  /**
   * Does an operation on any process, and again by the same ids when it is not known to be done: the store was out of
   * reach, or the process died.
   */
  insist<R>(label: string, operation: (running: Running) => Promise<R>): Promise<R>
}

export function createHost(world: World, processes: readonly Process[]): Host {
  const { scheduler, nature, random } = world

  async function anyRunning(): Promise<Running> {
    for (;;) {
      const running = processes.flatMap((process) => process.running ?? [])
      if (running.length > 0) return random.pick(running)
      await scheduler.pause(random.pick([100, 1_000, 5_000]), nature, 'the host waits for a process')
    }
  }

  return {
    anyRunning,
    async insist(label, operation) {
      for (;;) {
        const running = await anyRunning()
        const outcome = await Promise.race([unlessUnavailable(operation(running)), endOf(running)])
        if (outcome !== undefined) return outcome.result
        world.count('host tries again')
        await scheduler.pause(random.pick([1, 500, 5_000]), nature, `the host tries again to ${label}`)
      }
    },
  }
}

/** Errors that say to try again: the store was out of reach, or others were always faster. */
const passing = ['store_unavailable', 'gateway_busy']

/** `undefined` when the store was out of reach: nobody knows what was done. */
async function unlessUnavailable<R>(work: Promise<R>): Promise<{ readonly result: R } | undefined> {
  try {
    return { result: await work }
  } catch (error) {
    if (isGatewayError(error) && passing.includes(error.code)) return undefined
    throw error
  }
}

function endOf(running: Running): Promise<undefined> {
  return new Promise((resolve) => {
    running.onEnd(() => resolve(undefined))
  })
}
