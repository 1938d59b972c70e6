import { attemptId, type Reservation } from './reservation.ts'

/** An attempt whose cost may still be told, and the providers that may tell it: it went to one of them, if to any. */
export interface AwaitedAttempt {
  readonly attemptId: string
  readonly providerIds: readonly string[]
}

/** What the providers are to be asked about a hold that `unresolved` has listed. */
export function awaitedAttempts(reservation: Reservation): readonly AwaitedAttempt[] {
  const { reservationId, state, subject, late, untold } = reservation
  if (late !== undefined) {
    return late.attempts.map(({ attemptId: id, providerId }) => ({
      attemptId: id,
      providerIds: [providerId],
    }))
  }
  // How many attempts a process made died with it.
  const ids =
    state === 'unresolved'
      ? Array.from({ length: subject.attemptsMax }, (_, index) => attemptId(reservationId, index + 1))
      : (untold?.attemptIds ?? [])
  return ids.map((id) => ({ attemptId: id, providerIds: subject.costProviderIds }))
}
