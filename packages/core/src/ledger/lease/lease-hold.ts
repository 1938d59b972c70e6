import { zero } from '../../money.ts'
import { append, type Draft, keep } from '../draft.ts'
import { resolvePart } from '../draw.ts'
import type { Posting } from '../entry.ts'
import { sumOfParts } from '../parts.ts'
import { graceMs as holdGraceMs, putReservation, type Reservation } from '../reservation.ts'
import type { Cut, Key } from '../storage.ts'
import { unmarkLease } from './lease-marks.ts'

/** A hold, as an operation that has looked after the account finds it. */
export function latestHold(draft: Draft, { records }: Cut, key: Key): Reservation | undefined {
  return (draft.puts.get(key)?.value ?? records.get(key)) as Reservation | undefined
}

/** When the hold of a lease is said to expire, so that what is left of it goes back so long after it was last to be used. */
export function holdExpiresAtMs(untilMs: number, graceMs: number): number {
  return untilMs + graceMs - holdGraceMs
}

/** Ends a lease: what is left of it goes back to where it came from. */
export function returnLease(draft: Draft, lease: Reservation): void {
  const postings: Posting[] = []
  for (const part of lease.parts) resolvePart(draft, part, zero, postings)
  unmarkLease(draft, lease.reservationId)
  // Credit that was voided meanwhile, or has expired, does not come back as what it was: that moves money.
  if (postings.length > 0) {
    append(draft, {
      kind: 'released',
      opId: `return:${lease.reservationId}`,
      recordedAtMs: draft.now,
      effectiveAtMs: lease.createdAtMs,
      requestId: lease.reservationId,
      postings,
      terms: { reason: 'lease_returned', model: lease.subject.model, amount: sumOfParts(lease.parts) },
    })
  }
  keep(draft, putReservation({ ...lease, state: 'released', parts: [] }, 'replace', draft.now))
}
