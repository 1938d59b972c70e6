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

/** The calls of one account. One batch of them is under way at a time. */
interface Box {
  readonly accountId: string
  readonly calls: WaitingCall[]
}

/** Accounts never wait for one another. */
export function mailboxes(run: RunBatch): Mailboxes {
  const boxes = new Map<string, Box>()
  /** Those that nobody works on. */
  let idle: Box[] = []
  let waitingCount = 0
  let isClosed = false
  const onEmpty: (() => void)[] = []

  /**
   * After this turn of the event loop: what comes in one turn is sent together, and callers that go on with their result
   * ask again in time to share the next commit. One turn for all boxes, because there may be thousands.
   */
  function rest(box: Box): void {
    idle.push(box)
    if (idle.length === 1) setImmediate(workOnAll)
  }

  function workOnAll(): void {
    const rested = idle
    idle = []
    for (const box of rested) {
      // Everything that can fail is caught inside.
      if (box.calls.length > 0) void work(box)
      else remove(box.accountId)
    }
  }

  async function work(box: Box): Promise<void> {
    const { accountId, calls } = box
    const batch = calls.splice(0, batchCallsMax)
    try {
      const outcomes = await run(
        accountId,
        batch.map(({ call }) => call),
      )
      for (const [index, outcome] of outcomes.entries()) settle(batch[index] as WaitingCall, outcome)
      waitingCount -= outcomes.length
      if (outcomes.length < batch.length) calls.unshift(...batch.slice(outcomes.length))
    } catch (error) {
      reject(batch, error)
    }
    rest(box)
  }

  function remove(accountId: string): void {
    boxes.delete(accountId)
    if (boxes.size === 0) for (const done of onEmpty.splice(0)) done()
  }

  function reject(calls: readonly WaitingCall[], error: unknown): void {
    for (const call of calls) call.reject(error)
    waitingCount -= calls.length
  }

  function boxOf(accountId: string): Box {
    const existing = boxes.get(accountId)
    if (existing !== undefined) return existing
    const box: Box = { accountId, calls: [] }
    boxes.set(accountId, box)
    rest(box)
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
        boxOf(call.accountId).calls.push({ call, resolve, reject })
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
