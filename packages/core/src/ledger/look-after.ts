import { nano, zero } from '../money.ts'
import { append, type Draft, keep } from './draft.ts'
import { resolvePart } from './draw.ts'
import type { Posting } from './entry.ts'
import { bookLateCost } from './late-cost.ts'
import { unmarkLease } from './lease/lease-marks.ts'
import { sum } from './receipt.ts'
import { needRecords } from './records-needed.ts'
import { lookAtMs, putReservation, type Reservation, spenderShare } from './reservation.ts'
import { countSpender, spenderKeys } from './spender.ts'
import type { Cut } from './storage.ts'

/** Looks after all holds that are due. */
export function lookAfterAll(draft: Draft, due: Cut['due']): void {
  const reservations = due.map(({ value }) => value as Reservation)
  // What ends is given back to its members and keys too: their records are asked for at once.
  needRecords(
    draft.records,
    reservations.flatMap(({ subject }) => spenderKeys(subject)),
  )
  for (const reservation of reservations) lookAfter(draft, reservation)
}

/** Looks after a hold that is due: nobody settled it, or told its cost, in time. */
function lookAfter(draft: Draft, reservation: Reservation): void {
  if (draft.now < lookAtMs(reservation)) return
  const { state, subject } = reservation
  if (state === 'held' && subject.costProviderIds.length > 0) {
    const asked: Reservation = { ...reservation, state: 'unresolved' }
    keep(draft, putReservation(asked, 'replace', draft.now))
    // Nobody looked for so long that the time to ask is over too: the next run releases it.
    if (draft.now >= lookAtMs(asked)) draft.moreDue = true
    return
  }
  const ended =
    state === 'held' || state === 'unresolved'
      ? released(draft, reservation, 'cost_unknown')
      : endWait(draft, reservation)
  keep(draft, putReservation(ended, 'replace', draft.now))
}

/**
 * Ends the wait for late costs: gives back what was set aside for them, or charges the estimates, as the request was
 * settled under. What the operator would have paid stays unknown.
 */
export function endWait(draft: Draft, reservation: Reservation): Reservation {
  if (reservation.state !== 'provisional') return reservation
  if (reservation.late?.policy !== 'charge-estimate') {
    draft.account.provisional = nano(draft.account.provisional - reservation.amount)
    return released(draft, reservation, 'waived_late_cost')
  }
  let left = reservation
  for (const late of reservation.late.attempts) {
    if (late.payer !== 'customer') continue
    const { estimate: cost, costSource } = late
    const { next } = bookLateCost(draft, left, late, { cost, costSource, isInTime: true })
    left = estimated(next, late.attemptId, {
      cost,
      providerId: late.providerId,
      providerModel: late.providerModel,
      outcome: late.outcome,
    })
  }
  return left
}

/** Remembers that what was charged is an estimate, in case the cost still comes. */
function estimated(
  reservation: Reservation,
  attemptId: string,
  estimate: NonNullable<NonNullable<Reservation['reconciled']>[number]['estimate']>,
): Reservation {
  const reconciled = (reservation.reconciled ?? []).map((told) =>
    told.attemptId === attemptId ? { ...told, estimate } : told,
  )
  return { ...reservation, reconciled }
}

/** Gives a hold back although nobody knows what its request cost. The journal says so: unknown is never silently zero. */
function released(
  draft: Draft,
  reservation: Reservation,
  reason: 'cost_unknown' | 'waived_late_cost',
): Reservation {
  const { reservationId, amount, subject } = reservation
  const postings: Posting[] = []
  if (reservation.lease !== undefined) unmarkLease(draft, reservationId)
  for (const part of reservation.parts) resolvePart(draft, part, zero, postings)
  countSpender(draft, spenderShare(reservation), { held: -sum(reservation.parts.map((part) => part.amount)) })
  append(draft, {
    kind: 'released',
    opId: `${reason === 'cost_unknown' ? 'release' : 'waive'}:${reservationId}`,
    recordedAtMs: draft.now,
    effectiveAtMs: reservation.createdAtMs,
    requestId: reservationId,
    ...(subject.memberId === undefined ? {} : { memberId: subject.memberId }),
    postings,
    terms: { reason, model: subject.model, amount },
  })
  return { ...reservation, state: 'released', parts: [], ...nothingHeld(reservation) }
}

function nothingHeld({ late }: Reservation): Pick<Reservation, 'late'> {
  if (late === undefined) return {}
  return { late: { ...late, attempts: late.attempts.map((attempt) => ({ ...attempt, held: zero })) } }
}
