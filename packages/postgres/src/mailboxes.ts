import { Unavailable } from '@farebox/core'
import type { Call, Outcome } from '@farebox/core/batching'
import type { RunBatch } from './batch.ts'
import type { Connection, Connections } from './connections.ts'
import type { RunTogether } from './gather.ts'

/** Gathers calls, so that those which wait at the same time share a commit. */
export interface Mailboxes {
  add(call: Call): Promise<unknown>
  /** Refuses further calls and waits for those that were added. */
  close(): Promise<void>
}

export interface MailboxOptions {
  readonly connections: Connections
  readonly run: RunBatch
  readonly runTogether: RunTogether
  /** How many accounts may share a statement. */
  readonly accountsMax: number
  /** Whether an account's turn has to be waited for, which must not keep others waiting. */
  readonly isContended: (accountId: string) => boolean
}

interface WaitingCall {
  readonly call: Call
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** The calls of one account. One batch of them is under way at a time. */
interface Box {
  readonly accountId: string
  calls: WaitingCall[]
  /** Whether its next calls cannot share a statement with other accounts. */
  isAlone: boolean
}

const waitingMax = 10_000
/** Bounds the size of one statement. */
const callsMax = 512
/** So many statements at a time, not counting accounts whose turn is waited for: with more, fewer calls would share each. */
const workersMax = 4
/** So many of them, unless the next one has much to do as well: one is decided while another is written. */
const workersFew = 2

export function mailboxes(options: MailboxOptions): Mailboxes {
  const { connections, run, runTogether, accountsMax, isContended } = options
  const boxes = new Map<string, Box>()
  /** Those with calls that nobody works on. */
  let ready: Box[] = []
  let waitingCount = 0
  let workers = 0
  let isScheduled = false
  let isClosed = false
  const onEmpty: (() => void)[] = []

  /** After this turn of the event loop, so that callers who go on with their results share the next commit too. */
  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      const contended = ready.filter(({ accountId }) => isContended(accountId))
      if (contended.length > 0) ready = ready.filter((box) => !contended.includes(box))
      // Whatever can fail in these is caught inside.
      for (const box of contended) void workAlone(box)
      for (let started = 0; ready.length > 0 && workers < workersMax; started += 1) {
        if (workers >= workersFew && ready.length < accountsMax / 2) break
        // Those that were started take along what is ready, as soon as they have a connection.
        if (ready.length < started * accountsMax) break
        workers += 1
        void work(ready.splice(0, 1))
      }
    })
  }

  async function workAlone(box: Box): Promise<void> {
    await withConnection([box], (connection) => empty(connection, box, () => {}))
  }

  /** Works on this account, and on all others that are ready once there is a connection. */
  async function work(group: Box[]): Promise<void> {
    let isCounted = true
    const leave = (): void => {
      if (isCounted) workers -= 1
      isCounted = false
      if (ready.length > 0) schedule()
    }
    const takeOthers = () => (workers <= 1 ? ready.splice(0) : [])
    await withConnection(
      group,
      async (connection) => {
        const [first] = group
        if (first?.isAlone === false) group.push(...takeReady(accountsMax - 1))
        if (ready.length > 0) schedule()
        if (first !== undefined && group.length === 1) await empty(connection, first, leave)
        else await emptyTogether(connection, group)
      },
      takeOthers,
    )
    leave()
  }

  function takeReady(max: number): readonly Box[] {
    const taken: Box[] = []
    const left: Box[] = []
    for (const box of ready) (box.isAlone || taken.length === max ? left : taken).push(box)
    ready = left
    return taken
  }

  async function withConnection(
    group: Box[],
    work: (connection: Connection) => Promise<void>,
    others: () => readonly Box[] = () => [],
  ): Promise<void> {
    let isConnected = false
    try {
      await connections.use((connection) => {
        isConnected = true
        return work(connection)
      })
    } catch (error) {
      // Nobody else takes the others along, and they would wait as long once more, for the same.
      if (!isConnected) group.push(...others())
      for (const box of group) reject(box.calls.splice(0), error)
    }
    for (const box of group) finish(box)
  }

  async function empty(connection: Connection, box: Box, onQueue: () => void): Promise<void> {
    // Taken only now: what has come while this waited for a connection shares the commit.
    const batch = box.calls.splice(0, callsMax)
    box.isAlone = false
    try {
      const calls = batch.map(({ call }) => call)
      settle(box, batch, await run(connection, { accountId: box.accountId, calls }, onQueue))
    } catch (error) {
      reject(batch, error)
    }
  }

  async function emptyTogether(connection: Connection, group: readonly Box[]): Promise<void> {
    const callsEach = Math.max(1, Math.floor(callsMax / group.length))
    const batches = group.map((box) => box.calls.splice(0, callsEach))
    try {
      const outcomes = await runTogether(
        connection,
        group.map(({ accountId }, index) => ({
          accountId,
          calls: (batches[index] ?? []).map(({ call }) => call),
        })),
      )
      for (const [index, box] of group.entries()) {
        settle(box, batches[index] ?? [], outcomes[index] ?? [])
        box.isAlone = outcomes[index] === undefined
      }
    } catch (error) {
      for (const batch of batches) reject(batch, error)
    }
  }

  function settle(box: Box, batch: readonly WaitingCall[], outcomes: readonly Outcome[]): void {
    for (const [index, outcome] of outcomes.entries()) {
      const waiting = batch[index]
      if (outcome.kind === 'decided') waiting?.resolve(outcome.result)
      else waiting?.reject(outcome.error)
    }
    waitingCount -= outcomes.length
    box.calls.unshift(...batch.slice(outcomes.length))
  }

  function reject(calls: readonly WaitingCall[], error: unknown): void {
    for (const call of calls) call.reject(error)
    waitingCount -= calls.length
  }

  function finish(box: Box): void {
    if (box.calls.length > 0) {
      ready.push(box)
      schedule()
      return
    }
    boxes.delete(box.accountId)
    if (boxes.size === 0) for (const done of onEmpty.splice(0)) done()
  }

  function boxOf(accountId: string): Box {
    const existing = boxes.get(accountId)
    if (existing !== undefined) return existing
    const box: Box = { accountId, calls: [], isAlone: false }
    boxes.set(accountId, box)
    ready.push(box)
    schedule()
    return box
  }

  return {
    add(call) {
      if (isClosed) return Promise.reject(new Unavailable('The PostgreSQL storage is closed.'))
      if (waitingCount >= waitingMax) {
        return Promise.reject(new Unavailable(`${waitingMax} calls are waiting for the database already.`))
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
