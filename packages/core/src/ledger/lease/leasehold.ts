import type { Clock } from '../../clock.ts'
import type { Ids } from '../../ids.ts'
import type { Access } from '../access.ts'
import type { LateTerms } from '../late.ts'
import type { PlanTable } from '../plan.ts'
import { readFirstReceipt } from '../read-receipt.ts'
import { reservationKey } from '../reservation.ts'
import type { Settled } from '../settle.ts'
import { type Checkpoint, checkpoint, checkpointKeys, checkpointMax } from './checkpoint.ts'
import { usualLeaseTerms } from './lease-terms.ts'
import { createLocalLease, type LocalLease } from './local-lease.ts'
import { openLease } from './open-lease.ts'
import { recallLeases } from './recall-leases.ts'
import { createTraffic, type Traffic } from './traffic.ts'

export interface LeaseholdOptions {
  readonly access: Access
  readonly plans: PlanTable
  readonly late: LateTerms
  readonly clock: Clock
  readonly ids: Ids
  /** Told of every request that a checkpoint has settled. */
  readonly onSettled: (settled: Settled) => void
  /** Told when a checkpoint could not be written. It is tried again, at the latest as the next one. */
  readonly onFailed: (accountId: string, cause: unknown) => void
}

/** What one process has to do with leases of one account: whether it has one, and what is written of it and when. */
export interface Leasehold {
  readonly lease: LocalLease | undefined
  readonly traffic: Traffic
  /** Whether nothing is lost by forgetting it. */
  readonly isForgettable: boolean
  /** Whether the traffic counts: not while a lease is out of the question. */
  isCounting(nowMs: number): boolean
  /** A request asked the store: if such requests come often, a lease is opened behind them. */
  asked(nowMs: number): void
  /** A request was decided by the lease. */
  decided(nowMs: number): void
  /** Writes everything that has happened. */
  write(): Promise<void>
  /** Writes everything and gives the lease back. */
  release(): Promise<void>
  /** Gives back what this process has of the account, asks others for what they have, and waits until they answered. */
  recall(): Promise<void>
}

/** After so many checkpoints without a new request a lease is given back. */
const quietTicksMax = 3

/** How often whoever asks for leases back looks whether they came, twice in each checkpoint. */
const looksMax = 8

/** How long an account's requests all ask the store, after there could be no lease, or somebody asked for it back. */
const pauses = { never: 60_000, none: 10_000, recalled: 30_000 } as const

export function createLeasehold(accountId: string, options: LeaseholdOptions): Leasehold {
  const { access, plans, late, clock, ids, onSettled, onFailed } = options
  const traffic = createTraffic(clock.monotonicMs())
  let lease: LocalLease | undefined
  let leaseId = ''
  let terms = usualLeaseTerms
  let strictUntilMs = 0
  let opening: Promise<void> | undefined
  let recalling: Promise<void> | undefined
  let passing: Promise<void> | undefined
  let following: Promise<void> | undefined
  let lastPassMs = 0
  let decidedSinceTick = false
  let quietTicks = 0

  async function open(): Promise<void> {
    leaseId = `lease:${ids()}`
    const askedAtMs = clock.monotonicMs()
    const request = { accountId, leaseId, ...traffic.wish(terms, askedAtMs) }
    const result = await access.run(accountId, [reservationKey(leaseId)], openLease(request, plans))
    if (result.outcome === 'none') {
      pause(result.isNever ? pauses.never : pauses.none)
      return
    }
    terms = result.lease.terms
    const opened = createLocalLease(accountId, result.lease, askedAtMs)
    lease = opened
    quietTicks = 0
    tickLater(opened)
  }

  function pause(forMs: number): void {
    strictUntilMs = Math.max(strictUntilMs, clock.monotonicMs() + forMs)
  }

  function tickLater(local: LocalLease): void {
    clock.after(terms.checkpointMs, () => tick(local))
  }

  function tick(local: LocalLease): void {
    // It may be over, and the next one has ticks of its own.
    if (local !== lease) return
    quietTicks = decidedSinceTick ? 0 : quietTicks + 1
    decidedSinceTick = false
    if (quietTicks >= quietTicksMax) local.stop()
    // Also with nothing to write: somebody may ask for the lease.
    const pass = passing ?? startPass(true)
    pass.catch((cause: unknown) => onFailed(accountId, cause)).finally(() => tickLater(local))
  }

  function startPass(isTick = false): Promise<void> {
    passing = pass(isTick).finally(() => {
      passing = undefined
      lastPassMs = clock.monotonicMs()
    })
    return passing
  }

  /** Checkpoint after checkpoint, until what had happened as it began is written; where the lease ends, until it is over. */
  async function pass(isTick: boolean): Promise<void> {
    const local = lease
    if (local === undefined) return
    let left = local.unwritten
    for (let isFirst = isTick; isFirst || left > 0 || local.isStopped; isFirst = false) {
      const requests = local.begin()
      const askedAtMs = clock.monotonicMs()
      // Whoever is not in this checkpoint may need what is left of the lease.
      const isLast = local.isStopped && local.unwritten === requests.length
      const wish = isLast ? null : traffic.wish(terms, askedAtMs)
      const request = { accountId, leaseId, requests, wish }
      const keys = checkpointKeys(request)
      const result = await access.run(accountId, keys, checkpoint(request, plans, late))
      left -= requests.length
      local.written(result.lease, askedAtMs)
      if (result.lease !== null) terms = result.lease.terms
      if (local.isStopped) pause(result.lease?.isEnding === true ? pauses.recalled : pauses.none)
      const isOver = result.lease === null && local.unwritten === 0
      if (isOver) lease = undefined
      await tell(result)
      if (isOver) return
    }
  }

  async function tell({ settled, conflicts }: Checkpoint): Promise<void> {
    for (const step of settled) {
      if (step.outcome === 'settled') {
        onSettled(step)
        continue
      }
      // The reply to an earlier try was lost.
      await readFirstReceipt(access, accountId, step.seq).then(
        (receipt) => receipt && onSettled({ outcome: 'settled', receipt }),
        (cause: unknown) => onFailed(accountId, cause),
      )
    }
    for (const id of conflicts) onFailed(accountId, new Error(`The request id ${id} was used before.`))
  }

  function write(): Promise<void> {
    if (passing === undefined) return startPass()
    // The pass under way may have begun before the latest happened.
    following ??= passing
      .catch(() => undefined)
      .then(() => {
        following = undefined
        // Somebody may have been quicker. Two passes at once would take each other's answers for their own.
        return passing ?? startPass()
      })
    return following
  }

  async function release(): Promise<void> {
    await opening
    lease?.stop()
    await write()
  }

  async function askBack(): Promise<void> {
    pause(pauses.recalled)
    await release()
    for (let look = 0; look < looksMax; look += 1) {
      const { isAnswering, checkpointMs } = await access.run(accountId, [], recallLeases(accountId, plans))
      if (!isAnswering) return
      await new Promise<void>((resolve) => clock.after(checkpointMs / 2, resolve))
    }
  }

  return {
    get lease() {
      return lease
    },
    traffic,
    get isForgettable() {
      return lease === undefined && opening === undefined && recalling === undefined
    },
    isCounting: (nowMs) => nowMs >= strictUntilMs,
    asked(nowMs) {
      if (lease !== undefined || opening !== undefined || nowMs < strictUntilMs) return
      if (!traffic.isBusy(nowMs)) return
      // A store that is out of reach says so to the requests themselves.
      opening = open()
        .catch(() => pause(pauses.none))
        .finally(() => {
          opening = undefined
        })
    },
    decided(nowMs) {
      decidedSinceTick = true
      if (passing !== undefined || lease === undefined) return
      const isDue = lease.isPressed && nowMs - lastPassMs >= terms.checkpointMs / 10
      if (!isDue && lease.unwritten < checkpointMax) return
      startPass().catch((cause: unknown) => onFailed(accountId, cause))
    },
    write,
    release,
    recall() {
      recalling ??= askBack().finally(() => {
        recalling = undefined
      })
      return recalling
    },
  }
}
