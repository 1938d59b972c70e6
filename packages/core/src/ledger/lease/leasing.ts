import type { Clock } from '../../clock.ts'
import type { Ids } from '../../ids.ts'
import { accessTo } from '../access.ts'
import { type LateTerms, usualLateTerms } from '../late.ts'
import type { Ledger } from '../ledger.ts'
import type { PlanTable } from '../plan.ts'
import type { ReserveRequest } from '../reserve.ts'
import type { SettleRequest } from '../settle.ts'
import { hasSpender } from '../spender.ts'
import type { LedgerStore } from '../storage.ts'
import { behindCheckpoints } from './behind-checkpoints.ts'
import { checkLeaseTerms } from './lease-terms.ts'
import { createLeasehold, type Leasehold, type LeaseholdOptions } from './leasehold.ts'

export interface LeasingOptions {
  readonly store: LedgerStore
  readonly plans: PlanTable
  readonly clock: Clock
  readonly ids: Ids
  /** As of the ledger. */
  readonly late?: LateTerms
  readonly onSettled?: LeaseholdOptions['onSettled']
  readonly onFailed?: LeaseholdOptions['onFailed']
}

/** A ledger that pays most requests of busy accounts from leases. */
export interface LeasingLedger extends Ledger {
  /** Writes what is not written yet and gives all leases back: `onFailed` is told where it can not. Then the store is asked. */
  close(): Promise<void>
}

/** Accounts whose traffic is remembered; the one that was busy longest ago is forgotten first. */
const accountsMax = 10_000

/** How often a refusal asks for leases back: others may have got one meanwhile. */
const recallsMax = 3

/**
 * A ledger that sets credit of busy accounts aside, where their plan allows it, and decides their requests in this process.
 * Everything else it leaves to `ledger`, after what this process knows and the store does not is written: whoever asks
 * this ledger finds every request that it has answered.
 *
 * @throws RangeError when a plan has terms that no lease could be given under.
 */
export function leasing(ledger: Ledger, options: LeasingOptions): LeasingLedger {
  const { store, plans, clock, ids, late = usualLateTerms } = options
  const { onSettled = () => undefined, onFailed = () => undefined } = options
  checkLeaseTerms(plans)
  const access = accessTo(store, clock)
  const leaseholds = new Map<string, Leasehold>()
  let isClosed = false

  function leaseholdOf(accountId: string): Leasehold {
    const known = leaseholds.get(accountId)
    if (known !== undefined) return known
    const made = createLeasehold(accountId, { access, plans, late, clock, ids, onSettled, onFailed })
    leaseholds.set(accountId, made)
    for (const [oldest, { isForgettable }] of leaseholds) {
      if (leaseholds.size <= accountsMax) break
      if (isForgettable) leaseholds.delete(oldest)
    }
    return made
  }

  /** Writes what the store does not know of an account yet. */
  async function write(accountId: string): Promise<void> {
    const leasehold = leaseholds.get(accountId)
    if (leasehold?.lease !== undefined && leasehold.lease.unwritten > 0) await leasehold.write()
  }

  /** Gives back what this process has leased of an account. */
  async function release(accountId: string): Promise<void> {
    await leaseholds.get(accountId)?.release()
  }

  async function askStore(leasehold: Leasehold, request: ReserveRequest): ReturnType<Ledger['reserve']> {
    const nowMs = clock.monotonicMs()
    if (request.amount > 0n && !hasSpender(request.subject) && leasehold.isCounting(nowMs)) {
      leasehold.traffic.held(request.amount, nowMs)
      if (!isClosed) leasehold.asked(nowMs)
    }
    let result = await ledger.reserve(request)
    // Credit that is only set aside must not cause a refusal.
    for (let round = 0; round < recallsMax; round += 1) {
      if (result.outcome !== 'insufficient' || result.isLeased === undefined) return result
      await leasehold.recall()
      result = await ledger.reserve(request)
    }
    return result
  }

  /** The store is to decide about a request that this process has decided about so far. */
  async function handOver({ lease, write: writeAll }: Leasehold, reservationId: string): Promise<void> {
    if (lease?.knows(reservationId) !== true) return
    await writeAll()
    lease.handOver(reservationId)
  }

  async function askToSettle(request: SettleRequest): ReturnType<Ledger['settle']> {
    const leasehold = leaseholds.get(request.accountId)
    if (leasehold !== undefined) await handOver(leasehold, request.reservationId)
    const result = await ledger.settle(request)
    if (result.outcome === 'settled' && leasehold?.isCounting(clock.monotonicMs()) === true) {
      leasehold.traffic.spent(result.receipt.cost)
    }
    return result
  }

  return {
    async reserve(request) {
      const leasehold = leaseholdOf(request.accountId)
      const { lease, traffic } = leasehold
      if (lease === undefined) return askStore(leasehold, request)
      const nowMs = clock.monotonicMs()
      const result = lease.reserve(request, nowMs)
      if (result === undefined) {
        await handOver(leasehold, request.reservationId)
        return askStore(leasehold, request)
      }
      traffic.held(request.amount, nowMs)
      leasehold.decided(nowMs)
      return result
    },
    async settle(request) {
      const leasehold = leaseholds.get(request.accountId)
      if (leasehold?.lease === undefined) return askToSettle(request)
      const nowMs = clock.monotonicMs()
      const result = leasehold.lease.settle(request, nowMs)
      if (result === undefined) return askToSettle(request)
      leasehold.traffic.spent(result.receipt.cost)
      leasehold.decided(nowMs)
      return result
    },
    async extend(request) {
      const leasehold = leaseholds.get(request.accountId)
      if (leasehold !== undefined) await handOver(leasehold, request.reservationId)
      return ledger.extend(request)
    },
    ...behindCheckpoints(ledger, write, release),
    async close() {
      isClosed = true
      await Promise.all(
        [...leaseholds].map(([accountId, { release: giveBack }]) =>
          giveBack().catch((cause: unknown) => onFailed(accountId, cause)),
        ),
      )
      leaseholds.clear()
    },
  }
}
