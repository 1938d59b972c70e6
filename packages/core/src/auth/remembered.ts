import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'

/** What a process has read lately, so that most requests wait for nothing. */
export interface Remembered<Value extends object, Read extends Value | undefined = Value> {
  /** Found without waiting, or `undefined`: then `load` it. */
  known(id: string): Value | undefined
  /** Reads it, together with whoever is reading it already. @throws what reading throws. */
  load(id: string): Promise<Read>
  /** Forgets it at once, and what is being read of it: that may be older than the change. */
  forget(id: string): void
  forgetAll(): void
}

export interface RememberedOptions<Read> {
  readonly clock: Clock
  /** For how long, in milliseconds. */
  readonly forMs: number
  /** `undefined` is not remembered. */
  readonly read: (id: string) => Promise<Read>
}

/** What was not used for longest is forgotten beyond this. */
const rememberedMax = 10_000

export function remember<Value extends object, Read extends Value | undefined = Value>({
  clock,
  forMs,
  read,
}: RememberedOptions<Read>): Remembered<Value, Read> {
  const entries = new LRUCache<string, Value>({
    // Not `max`: that lays all places out at once, which takes longer than everything else at the start.
    maxSize: rememberedMax,
    sizeCalculation: () => 1,
    ttl: forMs,
    // Zero keeps it from starting a timer for every look at the time. It takes a time of 0 for none at all.
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() + 1 },
  })
  const loading = new Map<string, Promise<Read>>()

  async function readAnew(id: string): Promise<Read> {
    const reading = read(id)
    loading.set(id, reading)
    try {
      const value = await reading
      // Whoever changed it meanwhile has taken the reading away.
      if (value !== undefined && loading.get(id) === reading) entries.set(id, value)
      return value
    } finally {
      if (loading.get(id) === reading) loading.delete(id)
    }
  }

  return {
    known: (id) => entries.get(id),
    load: (id) => loading.get(id) ?? readAnew(id),
    forget(id) {
      entries.delete(id)
      loading.delete(id)
    },
    forgetAll() {
      entries.clear()
      loading.clear()
    },
  }
}
