import { decide } from './draft.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import type { Reservation } from './reservation.ts'
import type { Reduce } from './storage.ts'

export interface Unresolved {
  /** Holds whose providers have to be asked what the request cost. */
  readonly reservations: readonly Reservation[]
  /** Holds that were released in passing: nobody can tell their cost, or the time to ask is over. */
  readonly released: readonly string[]
}

/** Looks after every hold that is due, and lists those that only a provider's answer can resolve. */
export function unresolved(accountId: string, plans: PlanTable): Reduce<Unresolved> {
  return (cut) => {
    const draft = openAccount(cut, accountId, plans)
    const reservations = cut.due
      .map(({ key, value }) => (draft.puts.get(key)?.value ?? value) as Reservation)
      .filter((reservation) => reservation.state === 'unresolved')
    const released = [...draft.puts.values()]
      .map((put) => put.value as Reservation)
      .filter((reservation) => reservation.state === 'released')
      .map((reservation) => reservation.reservationId)
    const result = { reservations, released }
    return draft.puts.size === 0 ? { result } : decide(draft, result)
  }
}
