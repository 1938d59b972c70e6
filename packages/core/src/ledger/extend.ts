import type { Nano } from '../money.ts'
import { decide, keep, spendable } from './draft.ts'
import { drawHold } from './draw.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import { type Part, putReservation, type Reservation, reservationKey } from './reservation.ts'
import type { Reduce } from './storage.ts'

export interface ExtendRequest {
  readonly accountId: string
  readonly reservationId: string
  /** 1 for the first extension, 2 for the second, …: a repeat of the last one changes nothing. */
  readonly ordinal: number
  /** Money to add to the hold. */
  readonly amount: Nano
  /** Time to add to the hold. */
  readonly timeToLiveMs: number
}

export type ExtendResult =
  | { readonly outcome: 'extended'; readonly reservation: Reservation }
  | { readonly outcome: 'insufficient'; readonly missing: Nano }
  /** Unknown, already resolved, or an ordinal that does not follow the last one. */
  | { readonly outcome: 'not-held' }

/** Adds money and time to a hold that is still open. */
export function extend(request: ExtendRequest, plans: PlanTable): Reduce<ExtendResult> {
  if (request.amount < 0n || request.timeToLiveMs < 0)
    throw new RangeError('A hold can only be extended upwards.')
  const key = reservationKey(request.reservationId)
  return (cut) => {
    const draft = openAccount(cut, request.accountId, plans)
    const reservation = (draft.puts.get(key)?.value ?? cut.records.get(key)) as Reservation | undefined
    if (reservation?.state !== 'held') return { result: { outcome: 'not-held' } }
    if (request.ordinal === reservation.extended) return { result: { outcome: 'extended', reservation } }
    if (request.ordinal !== reservation.extended + 1) return { result: { outcome: 'not-held' } }
    const missing = request.amount - spendable(draft)
    if (missing > 0n) return { result: { outcome: 'insufficient', missing: missing as Nano } }
    const extended: Reservation = {
      ...reservation,
      amount: (reservation.amount + request.amount) as Nano,
      parts: mergeParts(reservation.parts, drawHold(draft, request.amount)),
      expiresAtMs: reservation.expiresAtMs + request.timeToLiveMs,
      extended: request.ordinal,
    }
    keep(draft, putReservation(extended, 'replace', draft.now))
    return decide(draft, { outcome: 'extended', reservation: extended })
  }
}

/** One part per source, in the order they were drawn. */
function mergeParts(first: readonly Part[], second: readonly Part[]): readonly Part[] {
  const merged = new Map(first.map((part) => [part.source, part]))
  for (const part of second) {
    const amount = ((merged.get(part.source)?.amount ?? 0n) + part.amount) as Nano
    merged.set(part.source, { source: part.source, amount })
  }
  return [...merged.values()]
}
