import { lookUpCosts } from '../dispatch/costs.ts'
import type { Transport } from '../dispatch/transport.ts'
import { type AwaitedAttempt, awaitedAttempts } from '../ledger/awaited.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Reservation } from '../ledger/reservation.ts'
import type { SettledAttempt } from '../ledger/share.ts'
import type { Unresolved } from '../ledger/unresolved.ts'
import type { Nano } from '../money.ts'
import type { Provider } from '../providers/provider.ts'
import { type TellCostParts, tellCost } from './tell-cost.ts'

export interface ReconcileOptions extends TellCostParts {
  readonly providers: ReadonlyMap<string, Provider>
  readonly transport: Transport
}

/** What one run of reconciliation did. */
export interface ReconcileReport {
  /** Holds that their process left behind, settled at the cost their provider told. */
  readonly settled: number
  /** Attempts of settled requests whose cost came. */
  readonly reconciled: number
  /** Holds released: nobody can tell their cost, or the time to ask is over. */
  readonly released: number
  /** Holds and settled requests whose providers have not told a cost yet. */
  readonly pending: number
  /** Accounts that something went wrong with. The others were looked after. */
  readonly failed: number
}

type Counts = { -readonly [Name in keyof ReconcileReport]: number }

/** An account with what has to be found out about it. */
interface Waiting {
  readonly accountId: string
  readonly left: Unresolved
}

/**
 * Finds out costs that are still unknown, of requests whose process died and of those whose provider tells costs later: asks
 * the providers by the ids that were sent along, many accounts at a time, and books. Safe to run at any time, in several
 * processes, and again after it broke off.
 */
export async function reconcile(options: ReconcileOptions): Promise<ReconcileReport> {
  const counts: Counts = { settled: 0, reconciled: 0, released: 0, pending: 0, failed: 0 }
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<Ledger['accountsDue']>> = await options.ledger.accountsDue(cursor)
    await reconcileAccounts(page.accountIds, options, counts)
    cursor = page.cursor
  } while (cursor !== null)
  return counts
}

async function reconcileAccounts(
  accountIds: readonly string[],
  options: ReconcileOptions,
  counts: Counts,
): Promise<void> {
  for (let todo = accountIds; todo.length > 0; ) {
    const waiting: Waiting[] = []
    for (const accountId of todo) {
      await tryAccount(accountId, options, counts, async () => {
        waiting.push({ accountId, left: await lookAfter(accountId, options, counts) })
      })
    }
    const costs = await costsOf(waiting, options)
    const more: string[] = []
    for (const { accountId, left } of waiting) {
      await tryAccount(accountId, options, counts, async () => {
        const isNews = await book(accountId, left, costs, options, counts)
        // What has waited longest comes first. As long as that brings news, what comes after it may, too.
        if (left.hasMore && isNews) more.push(accountId)
      })
    }
    todo = more
  }
}

/** One account must not keep the others from being looked after. */
async function tryAccount(
  accountId: string,
  { onEvent }: ReconcileOptions,
  counts: Counts,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (cause) {
    counts.failed += 1
    onEvent({ kind: 'reconcile.failed', accountId, cause })
  }
}

async function lookAfter(
  accountId: string,
  { ledger, onEvent }: ReconcileOptions,
  counts: Counts,
): Promise<Unresolved> {
  const left = await ledger.unresolved(accountId)
  counts.released += left.released.length
  for (const requestId of left.released) {
    onEvent({ kind: 'hold.resolved', requestId, accountId, outcome: 'released' })
  }
  return left
}

/** Books the costs that are known now. Gives whether there were any. */
async function book(
  accountId: string,
  { reservations, late }: Unresolved,
  costs: Costs,
  options: ReconcileOptions,
  counts: Counts,
): Promise<boolean> {
  const { ledger, onEvent, announce } = options
  const before = counts.settled + counts.reconciled
  for (const reservation of reservations) {
    const { attempts, untold } = attemptsOf(reservation, costs)
    if (attempts.length === 0) {
      counts.pending += 1
      continue
    }
    const requestId = reservation.reservationId
    const result = await ledger.settle({ accountId, reservationId: requestId, attempts, untold })
    if (result.outcome !== 'settled') continue
    counts.settled += 1
    const { cost, charged, absorbed } = announce(result)
    onEvent({ kind: 'cost.late', accountId, requestId, cost, charged, absorbed })
    onEvent({ kind: 'hold.resolved', requestId, accountId, outcome: 'settled' })
  }
  for (const reservation of late) await bookLate(accountId, reservation, costs, options, counts)
  return counts.settled + counts.reconciled > before
}

async function bookLate(
  accountId: string,
  reservation: Reservation,
  costs: Costs,
  options: ReconcileOptions,
  counts: Counts,
): Promise<void> {
  for (const awaited of awaitedAttempts(reservation)) {
    const told = findCost(costs, awaited)
    if (told === undefined) {
      // What nobody knows of most often never was: there is no cost to wait for.
      if (reservation.untold === undefined) counts.pending += 1
      continue
    }
    const { attemptId } = awaited
    if (await tellCost({ accountId, requestId: reservation.reservationId, attemptId, ...told }, options)) {
      counts.reconciled += 1
    }
  }
}

/** Costs by provider and attempt id. */
type Costs = ReadonlyMap<string, ReadonlyMap<string, Nano>>

async function costsOf(
  waiting: readonly Waiting[],
  { providers, transport }: ReconcileOptions,
): Promise<Costs> {
  const idsByProvider = new Map<string, Set<string>>()
  const ask = (providerId: string, id: string): void => {
    const ids = idsByProvider.get(providerId)
    if (ids === undefined) idsByProvider.set(providerId, new Set([id]))
    else ids.add(id)
  }
  for (const { left } of waiting) {
    for (const reservation of [...left.reservations, ...left.late]) {
      for (const { attemptId, providerIds } of awaitedAttempts(reservation)) {
        for (const providerId of providerIds) ask(providerId, attemptId)
      }
    }
  }
  const costs = new Map<string, ReadonlyMap<string, Nano>>()
  for (const [providerId, ids] of idsByProvider) {
    const provider = providers.get(providerId)
    if (provider !== undefined) costs.set(providerId, await lookUpCosts(provider, [...ids], transport))
  }
  return costs
}

/** What the first provider that knows an attempt says it cost. It went to one of them: another that knows it is mistaken. */
function findCost(
  costs: Costs,
  { attemptId, providerIds }: AwaitedAttempt,
): { readonly providerId: string; readonly cost: Nano } | undefined {
  for (const providerId of providerIds) {
    const cost = costs.get(providerId)?.get(attemptId)
    if (cost !== undefined) return { providerId, cost }
  }
  return undefined
}

/**
 * The attempts that the providers know of, and those they know nothing of. The last one known is taken for the one that
 * served the caller; the ones before it had failed.
 */
function attemptsOf(
  reservation: Reservation,
  costs: Costs,
): { readonly attempts: readonly SettledAttempt[]; readonly untold: readonly string[] } {
  const attempts: SettledAttempt[] = []
  const untold: string[] = []
  for (const awaited of awaitedAttempts(reservation)) {
    const { attemptId } = awaited
    const told = findCost(costs, awaited)
    if (told === undefined) {
      untold.push(attemptId)
      continue
    }
    attempts.push({
      attemptId,
      ...told,
      providerModel: reservation.subject.model,
      outcome: 'aborted',
      costSource: 'provider',
      payer: 'customer',
    })
  }
  return {
    attempts: attempts.map((attempt, index) =>
      index === attempts.length - 1 ? attempt : { ...attempt, outcome: 'failed', payer: 'operator' },
    ),
    untold,
  }
}
