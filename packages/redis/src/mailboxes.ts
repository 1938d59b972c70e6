import { Unavailable } from '@farebox/core'
import type { Call, Outcome } from '@farebox/core/batching'
import type { RunBatch } from './batch.ts'

/** Gathers the calls of each account, so that those which wait at the same time share a commit. */
export interface Mailboxes {
  add(call: Call): Promise<unknown>
  /** Refuses further calls and waits for those that were added. */
  close(): Promise<void>
}

interface WaitingCall {
  readonly call: Call
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

const waitingMax = 10_000
/** Bounds the size of one script's arguments. */
const batchCallsMax = 512

/** One batch of an account is under way at a time. Accounts never wait for one another. */
export function mailboxes(run: RunBatch): Mailboxes {
  const boxes = new Map<string, WaitingCall[]>()
  let waitingCount = 0
  let isClosed = false
  const onEmpty: (() => void)[] = []

  async function empty(accountId: string, box: WaitingCall[]): Promise<void> {
    while (box.length > 0) {
      const batch = box.splice(0, batchCallsMax)
      try {
        const outcomes = await run(
          accountId,
          batch.map(({ call }) => call),
        )
        for (const [index, outcome] of outcomes.entries()) settle(batch[index] as WaitingCall, outcome)
        waitingCount -= outcomes.length
        box.unshift(...batch.slice(outcomes.length))
      } catch (error) {
        reject(batch, error)
      }
      // Callers that go on with their result have a turn to ask again, and then share the next commit too.
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    boxes.delete(accountId)
    if (boxes.size === 0) for (const done of onEmpty.splice(0)) done()
  }

  function reject(calls: readonly WaitingCall[], error: unknown): void {
    for (const call of calls) call.reject(error)
    waitingCount -= calls.length
  }

  function boxOf(accountId: string): WaitingCall[] {
    const existing = boxes.get(accountId)
    if (existing !== undefined) return existing
    const box: WaitingCall[] = []
    boxes.set(accountId, box)
    // Everything that can fail is caught inside.
    setImmediate(() => void empty(accountId, box))
    return box
  }

  return {
    add(call) {
      if (isClosed) return Promise.reject(new Unavailable('The Redis storage is closed.'))
      if (waitingCount >= waitingMax) {
        return Promise.reject(new Unavailable(`${waitingMax} calls are waiting for Redis already.`))
      }
      return new Promise((resolve, reject) => {
        waitingCount += 1
        boxOf(call.accountId).push({ call, resolve, reject })
      })
    },
    close() {
      isClosed = true
      return boxes.size === 0 ? Promise.resolve() : new Promise((resolve) => onEmpty.push(resolve))
    },
  }
}

function settle({ resolve, reject }: WaitingCall, outcome: Outcome): void {
  if (outcome.kind === 'decided') resolve(outcome.result)
  else reject(outcome.error)
}
