import type { Announce } from './announce.ts'
import { lookUpCosts } from './dispatch/costs.ts'
import type { Transport } from './dispatch/transport.ts'
import type { OnEvent } from './events.ts'
import type { Ledger } from './ledger/ledger.ts'
import { attemptId, type Reservation } from './ledger/reservation.ts'
import type { SettledAttempt } from './ledger/share.ts'
import type { Nano } from './money.ts'
import type { Provider } from './providers/provider.ts'

export interface ReconcileOptions {
  readonly ledger: Ledger
  readonly providers: ReadonlyMap<string, Provider>
  readonly transport: Transport
  readonly onEvent: OnEvent
  readonly announce: Announce
}

/** What one run of reconciliation did. */
export interface ReconcileReport {
  /** Holds settled at the cost their provider told. */
  readonly settled: number
  /** Holds released: nobody can tell their cost, or the time to ask is over. */
  readonly released: number
  /** Holds whose providers have not told a cost yet. */
  readonly pending: number
}

/**
 * Resolves holds that their process left behind: asks the providers what those requests cost, by the ids that were sent
 * along, and settles. Safe to run at any time, in several processes, and again after it broke off.
 */
export async function reconcile(options: ReconcileOptions): Promise<ReconcileReport> {
  const { ledger, onEvent, announce } = options
  let settled = 0
  let released = 0
  let pending = 0
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<Ledger['accountsDue']>> = await ledger.accountsDue(cursor)
    for (const accountId of page.accountIds) {
      const left = await ledger.unresolved(accountId)
      released += left.released.length
      for (const requestId of left.released)
        onEvent({ kind: 'hold.resolved', requestId, accountId, outcome: 'released' })
      const costs = await costsOf(left.reservations, options)
      for (const reservation of left.reservations) {
        const attempts = attemptsOf(reservation, costs)
        if (attempts.length === 0) {
          pending += 1
          continue
        }
        const requestId = reservation.reservationId
        const result = await ledger.settle({ accountId, reservationId: requestId, attempts })
        if (result.outcome !== 'settled') continue
        settled += 1
        const { cost, charged, absorbed } = announce(result)
        onEvent({ kind: 'cost.late', accountId, requestId, cost, charged, absorbed })
        onEvent({ kind: 'hold.resolved', requestId, accountId, outcome: 'settled' })
      }
    }
    cursor = page.cursor
  } while (cursor !== null)
  return { settled, released, pending }
}

/** Costs by provider and attempt id. */
type Costs = ReadonlyMap<string, ReadonlyMap<string, Nano>>

async function costsOf(
  reservations: readonly Reservation[],
  { providers, transport }: ReconcileOptions,
): Promise<Costs> {
  const idsByProvider = new Map<string, string[]>()
  for (const reservation of reservations) {
    for (const providerId of reservation.subject.costProviderIds) {
      const ids = idsByProvider.get(providerId) ?? []
      ids.push(...possibleAttempts(reservation))
      idsByProvider.set(providerId, ids)
    }
  }
  const costs = new Map<string, ReadonlyMap<string, Nano>>()
  for (const [providerId, ids] of idsByProvider) {
    const provider = providers.get(providerId)
    if (provider !== undefined) costs.set(providerId, await lookUpCosts(provider, ids, transport))
  }
  return costs
}

function possibleAttempts({ reservationId, subject }: Reservation): string[] {
  return Array.from({ length: subject.attemptsMax }, (_, index) => attemptId(reservationId, index + 1))
}

/** The attempts that a provider knows of. The last one served the caller, the ones before it had failed. */
function attemptsOf(reservation: Reservation, costs: Costs): SettledAttempt[] {
  const attempts: SettledAttempt[] = []
  for (const id of possibleAttempts(reservation)) {
    for (const providerId of reservation.subject.costProviderIds) {
      const cost = costs.get(providerId)?.get(id)
      if (cost === undefined) continue
      attempts.push({
        attemptId: id,
        providerId,
        providerModel: reservation.subject.model,
        outcome: 'aborted',
        costSource: 'provider',
        cost,
        payer: 'customer',
      })
    }
  }
  return attempts.map((attempt, index) =>
    index === attempts.length - 1 ? attempt : { ...attempt, outcome: 'failed', payer: 'operator' },
  )
}
