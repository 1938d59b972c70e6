import { decide, planOf } from '../draft.ts'
import { openAccount } from '../open-account.ts'
import type { PlanTable } from '../plan.ts'
import type { Reduce } from '../storage.ts'
import { isAnswering, leaseMarks } from './lease-marks.ts'
import { checkpointMsOf } from './lease-terms.ts'

/** Whether it is worth waiting: some process may still give its lease back. */
export interface Recalled {
  readonly isAnswering: boolean
  /** How often processes look whether somebody asks. */
  readonly checkpointMs: number
}

/** Asks every process for its lease of an account back. Repeating it only tells whether any may still answer. */
export function recallLeases(accountId: string, plans: PlanTable): Reduce<Recalled> {
  return (cut) => {
    const draft = openAccount(cut, accountId, plans)
    const marks = leaseMarks(draft)
    const checkpointMs = checkpointMsOf(planOf(draft))
    if (marks.every(({ recalledAtMs }) => recalledAtMs !== undefined)) {
      return { result: { isAnswering: isAnswering(draft), checkpointMs } }
    }
    draft.account.leases = marks.map((mark) => ({ recalledAtMs: draft.now, ...mark }))
    return decide(draft, { isAnswering: true, checkpointMs })
  }
}
