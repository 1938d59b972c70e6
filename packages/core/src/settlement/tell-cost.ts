import type { OnEvent } from '../events.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Nano } from '../money.ts'
import type { Announce } from './announce.ts'

export interface TellCostParts {
  readonly ledger: Ledger
  readonly onEvent: OnEvent
  readonly announce: Announce
}

/** What a provider says an attempt cost, after the request was settled. */
export interface LateCost {
  readonly accountId: string
  readonly requestId: string
  readonly attemptId: string
  readonly cost: Nano
  /** Needed for an attempt of a request whose process died. */
  readonly providerId?: string
}

/** Books the cost of an attempt, and tells about it. Gives whether it was news. */
export async function tellCost(
  { accountId, requestId, ...told }: LateCost,
  { ledger, onEvent, announce }: TellCostParts,
): Promise<boolean> {
  const result = await ledger.reconcile({ accountId, reservationId: requestId, ...told })
  if (result.outcome !== 'reconciled') return false
  const receipt = await ledger.receipt(accountId, requestId)
  if (receipt !== undefined) {
    const { alerts } = result
    announce(alerts === undefined ? { outcome: 'settled', receipt } : { outcome: 'settled', receipt, alerts })
  }
  const { cost, charged, absorbed } = result.attempt
  onEvent({ kind: 'cost.late', accountId, requestId, cost: cost ?? told.cost, charged, absorbed })
  return true
}
