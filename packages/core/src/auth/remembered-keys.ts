import type { Clock } from '../clock.ts'
import { type Remembered, remember } from './remembered.ts'

/** What a process remembers of API keys. `forget` is for a key that this process has revoked. */
export type RememberedKeys<Entry extends object> = Omit<Remembered<Entry, Entry | undefined>, 'forgetAll'>

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

/**
 * Keys are read once a minute, and one small document a second says that none was revoked. When one was, all are read anew:
 * revocations are few.
 */
export function rememberKeys<Entry extends object>(
  options: RememberedKeysOptions<Entry>,
): RememberedKeys<Entry> {
  const { clock, read, readEpoch } = options
  const entries = remember<Entry, Entry | undefined>({ clock, forMs: rememberedMs, read })
  let epoch: bigint | undefined
  let epochAtMs = Number.NEGATIVE_INFINITY
  let checking: Promise<void> | undefined

  const isCurrent = () => clock.monotonicMs() - epochAtMs < epochEveryMs

  async function check(): Promise<void> {
    // What was asked counts from when it was asked: a revocation may come while the answer is on its way.
    const askedAtMs = clock.monotonicMs()
    const found = await readEpoch()
    if (found !== epoch) entries.forgetAll()
    epoch = found
    epochAtMs = askedAtMs
  }

  function checkOnce(): Promise<void> {
    checking ??= check().finally(() => {
      checking = undefined
    })
    return checking
  }

  return {
    known: (keyId) => (isCurrent() ? entries.known(keyId) : undefined),
    async load(keyId) {
      const cameAtMs = clock.monotonicMs()
      // The check that is under way may have been asked too long ago. The one after it was not.
      while (cameAtMs - epochAtMs >= epochEveryMs) await checkOnce()
      return entries.known(keyId) ?? entries.load(keyId)
    },
    forget: entries.forget,
  }
}
