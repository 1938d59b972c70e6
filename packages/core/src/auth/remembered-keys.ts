import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'

/** What a process remembers of API keys, so that most requests wait for nothing. */
export interface RememberedKeys<Entry> {
  /** Found without waiting, or `undefined`: then `load` it. */
  known(keyId: string): Entry | undefined
  /** @throws what reading throws: then nobody knows whether the key is still good. */
  load(keyId: string): Promise<Entry | undefined>
  /** Forgets a key at once. What is being read of it is not remembered. */
  forget(keyId: string): void
}

export interface RememberedKeysOptions<Entry> {
  readonly clock: Clock
  readonly read: (keyId: string) => Promise<Entry | undefined>
  /** Another value after every revocation, in all processes that share the store. */
  readonly readEpoch: () => Promise<bigint | undefined>
}

/**
 * How often a process asks whether a key was revoked: whoever asks later than this after a revocation was answered is refused, in
 * every process.
 */
const epochEveryMs = 1_000

/** For how long a key is remembered at most, in case whoever revoked it died before others could hear of it. */
const rememberedMs = 60_000
const rememberedMax = 10_000

/**
 * Keys are read once a minute, and one small document a second says that none was revoked. When one was, all are read anew:
 * revocations are few.
 */
export function rememberKeys<Entry extends object>(
  options: RememberedKeysOptions<Entry>,
): RememberedKeys<Entry> {
  const { clock, read, readEpoch } = options
  const entries = new LRUCache<string, Entry>({
    // Not `max`: that lays all places out at once.
    maxSize: rememberedMax,
    sizeCalculation: () => 1,
    ttl: rememberedMs,
    ttlResolution: 0,
    // It takes a time of 0 for none at all.
    perf: { now: () => clock.monotonicMs() + 1 },
  })
  const loading = new Map<string, Promise<Entry | undefined>>()
  let epoch: bigint | undefined
  let epochAtMs = Number.NEGATIVE_INFINITY
  let checking: Promise<void> | undefined

  const isCurrent = () => clock.monotonicMs() - epochAtMs < epochEveryMs

  async function check(): Promise<void> {
    // What was asked counts from when it was asked: a revocation may come while the answer is on its way.
    const askedAtMs = clock.monotonicMs()
    const found = await readEpoch()
    if (found !== epoch) {
      entries.clear()
      // What is being read may be older than the revocation.
      loading.clear()
    }
    epoch = found
    epochAtMs = askedAtMs
  }

  function checkOnce(): Promise<void> {
    checking ??= check().finally(() => {
      checking = undefined
    })
    return checking
  }

  async function remember(keyId: string): Promise<Entry | undefined> {
    const reading = read(keyId)
    loading.set(keyId, reading)
    try {
      const entry = await reading
      if (entry !== undefined && loading.get(keyId) === reading) entries.set(keyId, entry)
      return entry
    } finally {
      if (loading.get(keyId) === reading) loading.delete(keyId)
    }
  }

  return {
    known: (keyId) => (isCurrent() ? entries.get(keyId) : undefined),
    async load(keyId) {
      if (!isCurrent()) await checkOnce()
      return entries.get(keyId) ?? (await (loading.get(keyId) ?? remember(keyId)))
    },
    forget(keyId) {
      entries.delete(keyId)
      loading.delete(keyId)
    },
  }
}
