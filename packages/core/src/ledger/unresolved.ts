import { decide } from './draft.ts'
import { isAwaited } from './late.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import type { Reservation } from './reservation.ts'
import type { Reduce } from './storage.ts'

export interface Unresolved {
  /** Holds whose providers have to be asked what the request cost. */
  readonly reservations: readonly Reservation[]
  /** Settled requests with attempts whose cost is still to come, or may be: `awaitedAttempts` says which. */
  readonly late: readonly Reservation[]
  /** Holds that were released in passing: nobody can tell their cost, or the time to ask is over. */
  readonly released: readonly string[]
  /** Whether more are due than were looked at. */
  readonly hasMore: boolean
}

/** Looks after every hold that is due, and lists those that only a provider's answer can resolve. */
export function unresolved(accountId: string, plans: PlanTable): Reduce<Unresolved> {
  return (cut) => {
    const draft = openAccount(cut, accountId, plans)
    const due = cut.due.map(({ key, value }) => {
      const before = value as Reservation
      return { before, after: (draft.puts.get(key)?.value ?? value) as Reservation }
    })
    const after = due.map((each) => each.after)
    const result: Unresolved = {
      reservations: after.filter(({ state }) => state === 'unresolved'),
      late: after.filter((reservation) => isAwaited(reservation, draft.now)),
      released: due
        .filter((each) => each.after.state === 'released' && each.before.state !== 'released')
        .map((each) => each.after.reservationId),
      hasMore: cut.moreDue,
    }
    return draft.puts.size === 0 ? { result } : decide(draft, result)
  }
}
