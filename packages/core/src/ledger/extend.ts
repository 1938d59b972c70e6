import type { Nano } from '../money.ts'
import { decide, keep } from './draft.ts'
import { drawHold } from './draw.ts'
import { openAccount } from './open-account.ts'
import { mergeParts } from './parts.ts'
import type { PlanTable } from './plan.ts'
import { putReservation, type Reservation, reservationKey, spenderShare } from './reservation.ts'
import { countSpender, spenderSpendable } from './spender.ts'
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
  /** Holds that are due were looked after first: run again. */
  | { readonly outcome: 'again' }

/**
 * Adds money and time to a hold that is still open: credit of now, then pay-as-you-go of the period that the request began
 * in. An invoice has all of a request.
 *
 * @throws RangeError when money or time are negative, or the time or the ordinal is not a whole number.
 */
export function extend(request: ExtendRequest, plans: PlanTable): Reduce<ExtendResult> {
  const { amount, timeToLiveMs, ordinal } = request
  if (amount < 0n || !Number.isSafeInteger(timeToLiveMs) || timeToLiveMs < 0) {
    throw new RangeError('A hold can only be extended upwards.')
  }
  if (!Number.isSafeInteger(ordinal) || ordinal < 1) throw new RangeError('Extensions are numbered from 1.')
  const key = reservationKey(request.reservationId)
  return (cut) => {
    const draft = openAccount(cut, request.accountId, plans)
    const reservation = (draft.puts.get(key)?.value ?? cut.records.get(key)) as Reservation | undefined
    if (reservation?.state !== 'held') return { result: { outcome: 'not-held' } }
    if (ordinal === reservation.extended) return { result: { outcome: 'extended', reservation } }
    if (ordinal !== reservation.extended + 1) return { result: { outcome: 'not-held' } }
    const missing = amount - spenderSpendable(draft, spenderShare(reservation))
    // An expired hold must never cause a refusal.
    if (missing > 0n && draft.moreDue) return decide(draft, { outcome: 'again' })
    if (missing > 0n) return { result: { outcome: 'insufficient', missing: missing as Nano } }
    const extended: Reservation = {
      ...reservation,
      amount: (reservation.amount + amount) as Nano,
      parts: mergeParts(reservation.parts, drawHold(draft, amount, reservation.periodKey)),
      expiresAtMs: reservation.expiresAtMs + timeToLiveMs,
      extended: ordinal,
    }
    keep(draft, putReservation(extended, 'replace', draft.now))
    countSpender(draft, spenderShare(reservation), { held: amount })
    return decide(draft, { outcome: 'extended', reservation: extended })
  }
}
