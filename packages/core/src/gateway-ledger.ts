import type { OnEvent } from './events.ts'
import type { Ids } from './ids.ts'
import { leasing } from './ledger/lease/leasing.ts'
import { createLedger, type Ledger, type LedgerOptions } from './ledger/ledger.ts'
import type { Announce } from './settlement/announce.ts'

export interface GatewayLedgerOptions extends Required<LedgerOptions> {
  readonly ids: Ids
  readonly onEvent: OnEvent
  /** Told what checkpoints have settled. Not before the gateway is whole. */
  readonly announce: Announce
}

/** The ledger of a gateway: with leases if any plan has them. */
export interface GatewayLedger {
  readonly ledger: Ledger
  /** Writes what is not written yet. A ledger without leases has written everything. */
  close(): Promise<void>
}

/** @throws RangeError when a plan has terms that no lease could be given under. */
export function createGatewayLedger(options: GatewayLedgerOptions): GatewayLedger {
  const { plans, onEvent, announce } = options
  const ledger = createLedger(options)
  if (plans.plans.every(({ lease }) => lease === undefined)) return { ledger, close: async () => {} }
  const leased = leasing(ledger, {
    ...options,
    onSettled: announce,
    onFailed: (accountId, cause) => onEvent({ kind: 'checkpoint.failed', accountId, cause }),
  })
  return { ledger: leased, close: leased.close }
}
