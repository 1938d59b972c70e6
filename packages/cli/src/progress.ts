import type { Terminal } from './terminal.ts'

/** Tells somebody who waits how far it is. */
export interface Progress {
  show(text: string): void
  /** Takes the line away, before anything else is written. */
  clear(): void
}

/** Often enough to look alive where somebody watches; seldom enough not to fill a log. */
const watchedMs = 100
const loggedMs = 10_000

/** Writes to the error output, so that what is piped on stays clean. Nothing is shown of work that is over at once. */
export function createProgress({ error, clock }: Terminal): Progress {
  const isWatched = error.isTTY === true
  let lastMs = clock.monotonicMs()
  let isShown = false
  return {
    show(text) {
      const nowMs = clock.monotonicMs()
      if (nowMs - lastMs < (isWatched ? watchedMs : loggedMs)) return
      lastMs = nowMs
      isShown = isWatched
      error.write(isWatched ? `\r\u001b[K${text}` : `${text}\n`)
    },
    clear() {
      if (isShown) error.write('\r\u001b[K')
      isShown = false
    },
  }
}
