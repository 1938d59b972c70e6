import { type Nano, nano } from '../money.ts'
import type { Access } from './access.ts'
import type { PlanTable } from './plan.ts'
import type { ReceiptAttempt } from './receipt.ts'
import { type ReconcileRequest, type ReconcileResult, reconcile } from './reconcile.ts'
import { refundAttempt } from './refund-attempt.ts'
import { reservationKey } from './reservation.ts'

/**
 * Makes the cost of an attempt final, and tells it as the journal has it. What was charged by an estimate beyond the cost
 * that came later is refunded.
 */
export async function reconcileAttempt(
  access: Access,
  request: ReconcileRequest,
  plans: PlanTable,
): Promise<ReconcileResult> {
  const { accountId, reservationId, attemptId } = request
  const step = await access.run(accountId, [reservationKey(reservationId)], reconcile(request, plans))
  if (!('seq' in step)) return step
  const attempt = await attemptOf(access, accountId, step.seq, attemptId)
  if (attempt === undefined) return { outcome: 'unknown-attempt' }
  if (step.outcome === 'reconciled') {
    const { alerts } = step
    return alerts === undefined
      ? { outcome: 'reconciled', attempt }
      : { outcome: 'reconciled', attempt, alerts }
  }
  // Of an estimate beyond credit and limit the operator has paid a part already: that goes first.
  if (step.outcome === 'overcharged' && attempt.charged > step.cost) {
    await giveDifferenceBack(access, request, plans, nano(attempt.charged - step.cost))
  }
  return { outcome: 'already-final', attempt }
}

async function giveDifferenceBack(
  access: Access,
  { accountId, reservationId, attemptId }: ReconcileRequest,
  plans: PlanTable,
  amount: Nano,
): Promise<void> {
  const request = {
    accountId,
    opId: `late-cost:${reservationId}:${attemptId}`,
    actor: 'farebox',
    reason: 'The provider told a cost below the estimate that was charged.',
    requestId: reservationId,
    attemptId,
    amount,
  }
  const result = await refundAttempt(access, request, plans)
  // Somebody has refunded some of it by hand: what is left is all that can go back.
  if (result.outcome === 'above-refundable' && result.refundable > 0n) {
    await refundAttempt(access, { ...request, amount: result.refundable }, plans)
  }
}

async function attemptOf(
  access: Access,
  accountId: string,
  seq: bigint,
  attemptId: string,
): Promise<ReceiptAttempt | undefined> {
  const entry = await access.entry(accountId, seq)
  return entry?.attempts?.find((attempt) => attempt.attemptId === attemptId)
}
