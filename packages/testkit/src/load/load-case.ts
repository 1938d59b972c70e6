import { type OpenedStorage, openStorage, type StorePlace } from './store-place.ts'
import type { Worker } from './workers.ts'

/** One rule about a store that several processes use at once. `run` rejects when the rule is broken. */
export interface LoadCase {
  /** The rule, in a sentence. */
  readonly name: string
  /** `workers` are processes of this place that have nothing to do, as many as the size of the cases has. */
  run(place: StorePlace, workers: readonly Worker[]): Promise<void>
}

export interface LoadContext {
  readonly place: StorePlace
  readonly workers: readonly Worker[]
  readonly address: string
  /** The store as a further process has it. It is closed after the case. */
  open(): Promise<OpenedStorage>
}

/** A case on an empty store, of which everything that it opened is closed on every way out. */
export function loadCase(name: string, check: (context: LoadContext) => Promise<void>): LoadCase {
  return {
    name,
    async run(place, workers) {
      const address = await place.create()
      const opened: OpenedStorage[] = []
      try {
        await check({
          place,
          workers,
          address,
          async open() {
            const one = await openStorage(place.module, address)
            opened.push(one)
            return one
          },
        })
        await place.check?.(address)
      } finally {
        for (const one of opened) await one.close()
      }
    },
  }
}
