import { decide } from '../draft.ts'
import { openAccount } from '../open-account.ts'
import type { PlanTable } from '../plan.ts'
import type { Reduce } from '../storage.ts'
import { isAnswering, leaseMarks } from './lease-marks.ts'

/** Whether it is worth waiting: some process may still give its lease back. */
export interface Recalled {
  readonly isAnswering: boolean
}

/** Asks every process for its lease of an account back. Repeating it only tells whether any may still answer. */
export function recallLeases(accountId: string, plans: PlanTable): Reduce<Recalled> {
  return (cut) => {
    const draft = openAccount(cut, accountId, plans)
    const marks = leaseMarks(draft)
    if (marks.every(({ recalledAtMs }) => recalledAtMs !== undefined)) {
      return { result: { isAnswering: isAnswering(draft) } }
    }
    draft.account.leases = marks.map((mark) => ({ recalledAtMs: draft.now, ...mark }))
    return decide(draft, { isAnswering: true })
  }
}
