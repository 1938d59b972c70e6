import { Unavailable } from '@farebox/core'
import type { Call } from '@farebox/core/batching'
import type { BatchResult, Outcome } from './batch.ts'
import { isContention, unavailable } from './fault.ts'

/** Gathers the calls of one turn of the event loop, so that they share one commit and its wait for the disk. */
export interface CommitQueue {
  add(call: Call): Promise<unknown>
  /** Refuses further calls and waits for those that were added. */
  close(): Promise<void>
}

export interface CommitQueueOptions {
  readonly run: (calls: readonly Call[]) => BatchResult
  readonly busyTimeoutMs: number
}

interface WaitingCall {
  readonly call: Call
  readonly sinceMs: number
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

const waitingMax = 10_000
/** Bounds how long one batch keeps the event loop. */
const batchCallsMax = 512
/** How long to wait before asking for the lock again. */
const retryMs = 2
/** While others write too, how often to leave the lock alone, long enough for one that asks every `retryMs`. */
const courtesyEveryMs = 100
const courtesyMs = 5
const sharedForMs = 10_000

export function commitQueue({ run, busyTimeoutMs }: CommitQueueOptions): CommitQueue {
  let waiting: WaitingCall[] = []
  let isScheduled = false
  let isClosed = false
  let resumeAtMs = 0
  let lastPauseMs = 0
  let lastSharedMs = Number.NEGATIVE_INFINITY
  const onEmpty: (() => void)[] = []

  // Time here is the machine's, not the clock of the ledger: the lock is held by another process in real time. And a
  // timer that keeps the process alive, because a caller waits.
  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    const delayMs = resumeAtMs - performance.now()
    if (delayMs <= 0) setImmediate(commit)
    else setTimeout(commit, delayMs)
  }

  function commit(): void {
    isScheduled = false
    const batch = waiting.slice(0, batchCallsMax)
    let result: BatchResult
    try {
      result = run(batch.map(({ call }) => call))
    } catch (error) {
      if (isContention(error)) retry(error)
      else fail(batch, error)
      return
    }
    waiting = waiting.slice(batch.length)
    for (const [index, waitingCall] of batch.entries()) settle(waitingCall, result.outcomes[index] as Outcome)
    leaveRoom(result.isShared)
    proceed()
  }

  function proceed(): void {
    if (waiting.length > 0) schedule()
    else for (const done of onEmpty.splice(0)) done()
  }

  function fail(batch: readonly WaitingCall[], error: unknown): void {
    waiting = waiting.slice(batch.length)
    for (const { reject } of batch) reject(unavailable(error))
    proceed()
  }

  function retry(cause: unknown): void {
    const startedBeforeMs = performance.now() - busyTimeoutMs
    for (const { sinceMs, reject } of waiting) {
      if (sinceMs <= startedBeforeMs) {
        reject(new Unavailable(`The database stayed locked for ${busyTimeoutMs} ms.`, { cause }))
      }
    }
    waiting = waiting.filter(({ sinceMs }) => sinceMs > startedBeforeMs)
    pause(retryMs)
    proceed()
  }

  /** Commits back to back would leave other processes no moment to take the lock. */
  function leaveRoom(isShared: boolean): void {
    const nowMs = performance.now()
    if (isShared) lastSharedMs = nowMs
    if (nowMs - lastSharedMs <= sharedForMs && nowMs - lastPauseMs >= courtesyEveryMs) pause(courtesyMs)
  }

  function pause(forMs: number): void {
    lastPauseMs = performance.now()
    resumeAtMs = lastPauseMs + forMs
  }

  return {
    add(call) {
      if (isClosed) return Promise.reject(new Unavailable('The SQLite storage is closed.'))
      if (waiting.length >= waitingMax) {
        return Promise.reject(new Unavailable(`${waitingMax} calls are waiting for the database already.`))
      }
      return new Promise((resolve, reject) => {
        waiting.push({ call, sinceMs: performance.now(), resolve, reject })
        schedule()
      })
    },
    close() {
      isClosed = true
      return waiting.length === 0 ? Promise.resolve() : new Promise((resolve) => onEmpty.push(resolve))
    },
  }
}

function settle({ resolve, reject }: WaitingCall, outcome: Outcome): void {
  if (outcome.kind === 'decided') resolve(outcome.result)
  else reject(outcome.error)
}
