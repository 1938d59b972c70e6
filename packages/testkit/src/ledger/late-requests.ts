import assert from 'node:assert/strict'
import {
  createLedger,
  type Ledger,
  nano,
  type Receipt,
  type ReconcileResult,
  type SettledAttempt,
} from '@farebox/core'
import { casePlans, type LedgerContext } from './ledger-case.ts'
import { failed, minute, served, settled } from './requests.ts'

/** How long a settlement waits for a cost. */
export const waitMs: number = 30 * minute

export const midnight: number = Date.UTC(2026, 11, 1)

/** An attempt whose cost comes later, and what it is expected to be. */
export function expected(cost: bigint, attemptId = 'attempt'): SettledAttempt {
  return { ...served(cost, attemptId), costSource: 'estimate', state: 'provisional' }
}

/** An attempt that failed and that its provider may charge. */
export function doubtful(attemptId = 'failed'): SettledAttempt {
  return { ...failed(null, attemptId), costSource: 'unknown', state: 'provisional' }
}

export async function settleWith(
  ledger: Ledger,
  reservationId: string,
  ...attempts: SettledAttempt[]
): Promise<Receipt> {
  return settled(await ledger.settle({ accountId: 'alice', reservationId, attempts }))
}

export function tell(
  ledger: Ledger,
  reservationId: string,
  cost: bigint | null,
  attemptId = 'attempt',
): Promise<ReconcileResult> {
  const told = cost === null ? null : nano(cost)
  return ledger.reconcile({ accountId: 'alice', reservationId, attemptId, cost: told })
}

/** `[cost, charged, absorbed, reason]` of an attempt that became final. */
export function final(result: ReconcileResult): (bigint | string | null | undefined)[] {
  assert.equal(result.outcome, 'reconciled')
  const { cost, charged, absorbed, absorbedReason } = (
    result as Extract<ReconcileResult, { outcome: 'reconciled' }>
  ).attempt
  return [cost, charged, absorbed, absorbedReason]
}

/** The same account with a ledger that charges the estimate when no cost comes. */
export function charging({ store, clock }: LedgerContext): Ledger {
  return createLedger({
    store,
    clock,
    plans: casePlans,
    late: { withinMs: waitMs, policy: 'charge-estimate' },
  })
}
