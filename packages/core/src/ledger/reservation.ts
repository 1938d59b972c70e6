import type { Nano } from '../money.ts'
import type { Source } from './account.ts'
import type { KeyCap } from './key-cap.ts'
import { isAwaited, type Late } from './late.ts'
import type { Receipt, ReceiptAttempt } from './receipt.ts'
import type { SpenderShare } from './spender.ts'
import type { Key, Put, Value } from './storage.ts'

/** A share of a hold: this much of this source. */
export type Part = { readonly source: Source; readonly amount: Nano }

/**
 * Money set aside for one request.
 *
 * `held` → `settled` or `released`. A hold nobody settled in time becomes `unresolved` until the providers were asked
 * what the request cost, or until `resolveWithinMs` have passed and it is released. Where a provider tells costs later, the
 * hold shrinks to the estimate and is `provisional` until the cost comes, or the time to wait for it is over.
 */
export type Reservation = {
  /** The request's id. */
  readonly reservationId: string
  readonly state: 'held' | 'unresolved' | 'provisional' | 'settled' | 'released'
  /** What is set aside, or was at last. */
  readonly amount: Nano
  /** In draw order. Empty once resolved. */
  readonly parts: readonly Part[]
  readonly periodKey: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** Extensions so far. */
  readonly extended: number
  /** What the reservation was asked for, to recognise a repeat. */
  readonly fingerprint: string
  readonly subject: ReservationSubject
  /** Once settled, or provisional: the journal entry, which tells what the receipt shows. */
  readonly settledBy?: bigint
  /** Once released by a settlement without a cost: nothing of it is in the journal. */
  readonly receipt?: Receipt
  /** Attempts whose cost has not come yet. */
  readonly late?: Late
  /** Attempts that a process which died may have made besides those that the hold was settled at. */
  readonly untold?: Untold
  /** Attempts whose cost came after the settlement, and the entries that tell it. */
  readonly reconciled?: readonly Reconciled[]
  /** What was given back, by attempt. */
  readonly refunds?: readonly AttemptRefund[]
  /** It is a lease: a process pays requests from it until then, by the store's clock. */
  readonly lease?: { readonly untilMs: number }
}

/** What nobody knows of a request whose process died. Most of it never was, and what it cost is the operator's. */
export type Untold = {
  readonly attemptIds: readonly string[]
  /** Until then the providers are asked, by the store's clock. */
  readonly untilMs: number
}

export type Reconciled = {
  readonly attemptId: string
  readonly seq: bigint
  /** An estimate was charged, because the cost had not come in time. */
  readonly estimate?: Pick<ReceiptAttempt, 'providerId' | 'providerModel' | 'outcome'> & {
    readonly cost: Nano
  }
}

export type AttemptRefund = { readonly attemptId: string; readonly amount: Nano }

/** How a hold ended. */
export type Ending = Pick<Reservation, 'settledBy' | 'receipt'> & { readonly state: 'settled' | 'released' }

/** A hold that is over: nothing is set aside any more. Member by member: spreading a hold takes ten times as long. */
export function ended(reservation: Reservation, { state, settledBy, receipt }: Ending): Reservation {
  const over: { -readonly [Name in keyof Reservation]: Reservation[Name] } = {
    reservationId: reservation.reservationId,
    state,
    amount: reservation.amount,
    parts: [],
    periodKey: reservation.periodKey,
    createdAtMs: reservation.createdAtMs,
    expiresAtMs: reservation.expiresAtMs,
    extended: reservation.extended,
    fingerprint: reservation.fingerprint,
    subject: reservation.subject,
  }
  if (settledBy !== undefined) over.settledBy = settledBy
  if (receipt !== undefined) over.receipt = receipt
  if (reservation.reconciled !== undefined) over.reconciled = reservation.reconciled
  return over
}

/** What the money is for: enough to find out the cost when the process that made the hold is gone. */
export type ReservationSubject = {
  readonly model: string
  readonly memberId?: string
  /** The API key that asked, where there was one. */
  readonly keyId?: string
  /** The cap of that key as the request came: what ends the hold counts for it. Absent for none. */
  readonly keyCap?: KeyCap
  /** Providers that can tell the cost of an attempt afterwards. Empty: an unsettled hold is released as it expires. */
  readonly costProviderIds: readonly string[]
  /** Attempts are numbered `<requestId>.1` to this. */
  readonly attemptsMax: number
}

/** After its expiry a hold waits this long before anyone else may resolve it, for clocks that jump. */
export const graceMs = 30_000

/** How long the providers may be asked for the cost of an unresolved hold, as Hugging Face does (2026-06-23). */
export const resolveWithinMs: number = 30 * 60_000

/** Receipts and the marks that make repeats harmless outlive every window of a downstream system (Metronome: 34 days). */
const keepResolvedMs: number = 40 * 24 * 3_600_000

/** How long after its settlement an attempt may be refunded. */
export const refundWithinMs: number = 400 * 24 * 3_600_000

/** A refund must be remembered for as long as another one may come. */
const keepRefundedMs: number = 2 * refundWithinMs

export function reservationKey(reservationId: string): Key {
  return `hold:${reservationId}`
}

/** Whose caps a reservation counts towards. */
export function spenderShare({ periodKey, subject }: Reservation): SpenderShare {
  const { memberId, keyId, keyCap } = subject
  return { memberId, keyId, keyCap, periodKey }
}

export function attemptId(requestId: string, ordinal: number): string {
  return `${requestId}.${ordinal}`
}

/** The record of a reservation, with the time at which every later operation looks at it in passing. */
export function putReservation(reservation: Reservation, mode: Put['mode'], nowMs: number): Put {
  const isSettled = reservation.state === 'settled' || reservation.state === 'released'
  const isOver = isSettled && !isAwaited(reservation, nowMs)
  const keepMs = reservation.refunds === undefined ? keepResolvedMs : keepRefundedMs
  return {
    key: reservationKey(reservation.reservationId),
    value: reservation as Value,
    mode,
    dueAt: isOver ? undefined : lookAtMs(reservation),
    keepUntil: isOver ? nowMs + keepMs : undefined,
  }
}

/** When a hold is to be looked at next: at its expiry, and once its providers are asked when the time to ask is over. */
export function lookAtMs(reservation: Reservation): number {
  const { late, untold, state, expiresAtMs } = reservation
  if (late !== undefined) return late.untilMs
  if (untold !== undefined) return untold.untilMs
  return state === 'unresolved' ? askUntilMs(reservation) : expiresAtMs + graceMs
}

/** When the providers need not be asked any more about a request whose process died. */
export function askUntilMs({ expiresAtMs }: Reservation): number {
  return expiresAtMs + graceMs + resolveWithinMs
}
