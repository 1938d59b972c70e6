import { type Clock, systemClock } from '../../clock.ts'

/** The time by which the store decides. */
export interface StoreClock {
  /** `undefined` as long as the server has not told its time. */
  now(): number | undefined
  /** The server has just said that it is this late. */
  learn(serverMs: number): void
  /** How far `now` may be from the server's time when a write arrives there; beyond it, the write is decided anew. */
  readonly toleranceMs: number
  /** Whether the host gives the time instead of the server. */
  readonly isHosts: boolean
}

/**
 * The clock of the server, known between its answers too: each of them brings its time, and from then on this
 * process counts on. It counts from when the answer came, so it is never ahead of the server, and late by at most the
 * way of one answer. What this machine believes the time to be does not matter.
 */
export function serverClock(): StoreClock {
  let server: { readonly ms: number; readonly atMs: number } | undefined
  return {
    now: () => server && Math.floor(server.ms + (systemClock.monotonicMs() - server.atMs)),
    learn(serverMs) {
      server = { ms: serverMs, atMs: systemClock.monotonicMs() }
    },
    // A clock that was set, or a process that was asleep: counting on was wrong then.
    toleranceMs: 2000,
    isHosts: false,
  }
}

/** A clock that the host gives, for tests. */
export function hostClock(clock: Clock): StoreClock {
  return { now: () => clock.now(), learn: () => {}, toleranceMs: Number.POSITIVE_INFINITY, isHosts: true }
}
