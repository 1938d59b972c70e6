import { type Nano, nano } from '../../money.ts'
import { type Draft, decide, keep, planOf, spendable } from '../draft.ts'
import { drawHold } from '../draw.ts'
import type { LateTerms } from '../late.ts'
import { openAccount } from '../open-account.ts'
import { mergeParts, splitParts, sumOfParts } from '../parts.ts'
import type { PlanTable } from '../plan.ts'
import { type Part, putReservation, type Reservation, reservationKey } from '../reservation.ts'
import { type Settled, type SettleStep, settleHold } from '../settle.ts'
import { settleUntold } from '../settle-untold.ts'
import { owedFor, type SettledAttempt } from '../share.ts'
import type { Cut, Key, Reduce } from '../storage.ts'
import { holdExpiresAtMs, latestHold, returnLease } from './lease-hold.ts'
import { isRecalled, markLease } from './lease-marks.ts'
import { type LeaseWish, leaseParts } from './lease-size.ts'
import { leaseTermsOf, usualLeaseTerms } from './lease-terms.ts'
import { type LeaseState, leaseUntilMs, stateOf } from './open-lease.ts'

/** A request that a lease paid, or pays: what its process knows of it. */
export interface LeasedRequest {
  /** The hold as the process has it; its parts are in the lease. */
  readonly reservation: Reservation
  /** How it ended; absent while it is under way. */
  readonly attempts?: readonly SettledAttempt[]
}

export interface CheckpointRequest {
  readonly accountId: string
  readonly leaseId: string
  /** What changed since the last checkpoint. */
  readonly requests: readonly LeasedRequest[]
  /** How the lease is to go on; `null` gives back what is left of it. */
  readonly wish: LeaseWish | null
}

export interface Checkpoint {
  /** The lease as it is now; `null` when it is over. */
  readonly lease: LeaseState | null
  /** How the requests that had ended were settled, in their order. */
  readonly settled: readonly (Settled | Extract<SettleStep, { outcome: 'already-settled' }>)[]
  /** Requests whose id the account knows for something else: nothing was booked for them. */
  readonly conflicts: readonly string[]
}

/** Requests in one checkpoint: stores bound what they write at once. */
export const checkpointMax = 64

export function checkpointKeys({ leaseId, requests }: CheckpointRequest): readonly Key[] {
  return [leaseId, ...requests.map(({ reservation }) => reservation.reservationId)].map(reservationKey)
}

/**
 * Writes what a lease paid since the last time, as if each request had asked: its hold is cut out of the lease, and settled
 * if it has ended. One that is under way is a hold like any other from then on. Then the lease goes on, a little larger or
 * longer, or is given back.
 *
 * A request is known by its id, so a checkpoint that comes twice is written once. When the lease is over, because its
 * process was silent for too long, its requests are paid from what the account has then: they are charged as far as credit
 * and limit go, and the rest is absorbed, as for every hold that was settled too late.
 */
export function checkpoint(
  request: CheckpointRequest,
  plans: PlanTable,
  lateTerms: LateTerms,
): Reduce<Checkpoint> {
  const { accountId, leaseId, requests, wish } = request
  return (cut) => {
    const draft = openAccount(cut, accountId, plans)
    const hold = latestHold(draft, cut, reservationKey(leaseId))
    const lease = hold?.state === 'held' ? hold : undefined
    const desk: Desk = { draft, cut, lateTerms, parts: lease?.parts ?? [], settled: [], conflicts: [] }
    for (const each of requests) write(desk, each)
    const { settled, conflicts, parts } = desk
    const left = lease && (parts === lease.parts ? lease : { ...lease, parts, amount: sumOfParts(parts) })
    if (left !== undefined && left !== lease) keepLease(draft, left)
    const state = left === undefined ? null : goOn(draft, left, wish)
    const result: Checkpoint = { lease: state, settled, conflicts }
    return draft.puts.size === 0 ? { result } : decide(draft, result)
  }
}

/** What a checkpoint works on, request by request. */
interface Desk {
  readonly draft: Draft
  readonly cut: Cut
  readonly lateTerms: LateTerms
  /** What is left of the lease. */
  parts: readonly Part[]
  readonly settled: Checkpoint['settled'][number][]
  readonly conflicts: string[]
}

function write(desk: Desk, { reservation, attempts }: LeasedRequest): void {
  const { draft, cut, lateTerms } = desk
  const { reservationId, fingerprint } = reservation
  const known = latestHold(draft, cut, reservationKey(reservationId))
  if (known === undefined) {
    const hold = cutOut(desk, reservation, attempts === undefined ? reservation.amount : owedFor(attempts))
    if (attempts !== undefined) desk.settled.push(settleHold(draft, hold, { attempts }, lateTerms))
    else keep(draft, putReservation(borrowed(draft, hold), 'create', draft.now))
    return
  }
  if (known.fingerprint !== fingerprint) {
    desk.conflicts.push(reservationId)
    return
  }
  if (attempts === undefined) return
  if (known.settledBy !== undefined) {
    desk.settled.push(settleUntold(draft, known, known.settledBy, attempts).result)
  } else if (known.receipt === undefined) {
    desk.settled.push(settleHold(draft, known, { attempts }, lateTerms))
  } else {
    desk.settled.push({ outcome: 'settled', receipt: known.receipt })
  }
}

/** The hold of a request, with so much of the lease as its own: of a lease that is over there is nothing. */
function cutOut(desk: Desk, reservation: Reservation, amount: Nano): Reservation {
  const [parts, left] = splitParts(desk.parts, amount)
  desk.parts = left
  // A process counts its time on from what the store has told it, and may be a little ahead.
  const createdAtMs = Math.min(reservation.createdAtMs, desk.draft.now)
  return { ...reservation, createdAtMs, parts }
}

/** A hold of a request under way whose lease is over takes what the account still has for it. */
function borrowed(draft: Draft, hold: Reservation): Reservation {
  const has = sumOfParts(hold.parts)
  const missing = hold.amount - has
  if (missing === 0n) return hold
  const able = spendable(draft, hold.periodKey)
  const more = nano(missing < able ? missing : able)
  const parts = mergeParts(hold.parts, drawHold(draft, more, hold.periodKey))
  return { ...hold, parts, amount: nano(has + more) }
}

/** Renews a lease and makes it larger, as far as it may be, or gives it back. */
function goOn(draft: Draft, lease: Reservation, wish: LeaseWish | null): LeaseState | null {
  if (wish === null) {
    returnLease(draft, lease)
    return null
  }
  const { reservationId: leaseId, periodKey } = lease
  const terms = leaseTermsOf(planOf(draft))
  // What is left of the lease pays what its process promises meanwhile. It gives the rest back with its next checkpoint.
  if (terms === undefined) return stateOf(draft, lease, usualLeaseTerms, true)
  const untilMs = leaseUntilMs(draft, terms)
  const isOfThisPeriod = periodKey === draft.account.period.key
  if (untilMs === undefined || isRecalled(draft) || !isOfThisPeriod) return stateOf(draft, lease, terms, true)
  const parts = leaseParts(draft, terms, wish, { leaseId, parts: lease.parts, untilMs })
  if (parts === undefined) return stateOf(draft, lease, terms, true)
  const isFresh = (lease.lease?.untilMs ?? 0) - draft.now > terms.timeToLiveMs / 2
  if (draft.puts.size === 0 && parts === lease.parts && isFresh) return stateOf(draft, lease, terms)
  const renewed: Reservation = {
    ...lease,
    parts,
    amount: sumOfParts(parts),
    expiresAtMs: holdExpiresAtMs(untilMs, terms.graceMs),
    lease: { untilMs },
  }
  keepLease(draft, renewed)
  markLease(draft, { leaseId, expiresAtMs: untilMs + terms.graceMs })
  return stateOf(draft, renewed, terms)
}

function keepLease(draft: Draft, lease: Reservation): void {
  keep(draft, putReservation(lease, 'replace', draft.now))
}
