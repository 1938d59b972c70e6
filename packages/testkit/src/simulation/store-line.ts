import { OutcomeUnknown, Unavailable } from '@farebox/core'
import type { Life } from './scheduler.ts'
import { travelMs, type World } from './world.ts'

/** The way from one process to its store. Every message can be lost, late or doubled. */
export interface StoreLine {
  /** Asks for something that changes nothing. */
  ask<R>(label: string, atStore: () => Promise<R>): Promise<R>
  /**
   * Sends a write. It is under way on its own: what a process has sent before it died, or has given up, may still arrive.
   */
  send<R>(label: string, atStore: () => Promise<R>): Promise<R>
  close(): void
}

/** How long a call is waited for. */
const patienceMs = 5_000

export function openStoreLine(world: World, life: Life): StoreLine {
  const { scheduler, faults, random, nature } = world
  let isClosed = false
  const travel = () => travelMs(world, 'store slow')
  const refuseClosed = () => {
    if (isClosed) throw new Unavailable('The connection to the store is closed.')
  }

  /** What arrives does so whoever has died, and answers only those who live. */
  function arrive<R>(
    label: string,
    delayMs: number,
    atStore: () => Promise<R>,
    answer: { readonly resolve: (result: R) => void; readonly reject: (error: unknown) => void } | undefined,
  ): void {
    scheduler.after(delayMs, nature, `${label} arrives`, async () => {
      if (life.isOver && faults.happens('last write lost')) return
      try {
        const result = await atStore()
        if (answer === undefined) return
        scheduler.after(travel(), life, `${label} confirmed`, () => answer.resolve(result))
      } catch (error) {
        scheduler.after(0, life, `${label} failed`, () => answer?.reject(error))
      }
    })
  }

  return {
    async ask(label, atStore) {
      refuseClosed()
      const isRefused = faults.happens('store unavailable')
      await scheduler.pause(travel(), life, `${label} ${isRefused ? 'refused' : 'asked'}`)
      if (isRefused) throw new Unavailable('The store cannot be reached.')
      const answer = await atStore()
      await scheduler.pause(travel(), life, `${label} answered`)
      return answer
    },

    async send(label, atStore) {
      refuseClosed()
      return new Promise((resolve, reject) => {
        const giveUp = () =>
          scheduler.after(patienceMs, life, `${label} given up`, () =>
            reject(new OutcomeUnknown('The store did not answer.')),
          )
        const delayMs = travel()
        if (faults.happens('store request lost')) giveUp()
        else if (faults.happens('store write late')) {
          giveUp()
          arrive(label, patienceMs + random.pick([1, 100, 1_000, 60_000]), atStore, undefined)
        } else if (faults.happens('store reply lost')) {
          arrive(label, delayMs, atStore, undefined)
          giveUp()
        } else {
          arrive(label, delayMs, atStore, { resolve, reject })
          if (delayMs > patienceMs) giveUp()
          if (faults.happens('store write twice')) {
            // The one that is answered comes first: else a write would be told to be too late that was made.
            arrive(label, delayMs + random.between(1, 2_000), atStore, undefined)
          }
        }
      })
    },

    close() {
      isClosed = true
    },
  }
}
