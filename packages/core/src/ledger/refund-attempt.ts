import type { Access } from './access.ts'
import { operationKey } from './manual-operation.ts'
import type { PlanTable } from './plan.ts'
import {
  checkRefund,
  locateCharge,
  type RefundRequest,
  type RefundResult,
  refund,
  refundKeys,
} from './refund.ts'
import { reservationKey } from './reservation.ts'

/** Refunds in two steps: finds the entry that charged the attempt, which never changes, and gives back what it charged. */
export async function refundAttempt(
  access: Access,
  request: RefundRequest,
  plans: PlanTable,
): Promise<RefundResult> {
  checkRefund(request)
  const { accountId, opId, requestId } = request
  const keys = [operationKey(opId), reservationKey(requestId)]
  for (;;) {
    const located = await access.run(accountId, keys, locateCharge(request))
    if ('done' in located) return located.done
    const charge = await access.entry(accountId, located.seq)
    if (charge === undefined) {
      const isTrimmed = await access.isTrimmed(accountId, located.seq)
      return { outcome: isTrimmed ? 'too-old' : 'unknown-attempt' }
    }
    const result = await access.run(accountId, refundKeys(request, charge), refund(request, charge, plans))
    if (result.outcome !== 'again') return result
  }
}
