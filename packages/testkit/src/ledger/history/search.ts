import { isDeepStrictEqual } from 'node:util'
import type { PlanTable } from '@farebox/core'
import { type LedgerModel, ledgerModel } from '../model/ledger-model.ts'
import { modelAnswer } from './check.ts'
import type { Operation } from './record.ts'

/**
 * Whether a short history can be explained by its operations happening one after the other, found by trying every order
 * that agrees with real time (Wing and Gong, 1993). It knows nothing of versions, which is why it is slow, why the store's
 * clock has to stand still, and why it is worth comparing with `checkHistory`.
 */
export function isExplained(operations: readonly Operation[], plans: PlanTable, nowMs: number): boolean {
  return search(ledgerModel(plans), new Set(operations))

  function search(model: LedgerModel, open: ReadonlySet<Operation>): boolean {
    const mustEnd = [...open].filter(({ answer }) => answer !== undefined)
    if (mustEnd.length === 0) return true
    const firstEnd = Math.min(...mustEnd.map(({ endedAt }) => endedAt ?? Number.POSITIVE_INFINITY))
    // Whatever began after something has ended can not come before it.
    const able = [...open].filter(({ beganAt }) => beganAt < firstEnd)
    return able.some((operation) => {
      const branch = model.fork()
      const answer = modelAnswer(branch, operation.request, { ...operation, nowMs })
      if (operation.answer !== undefined && !isDeepStrictEqual(operation.answer, answer)) return false
      const rest = new Set(open)
      rest.delete(operation)
      return search(branch, rest)
    })
  }
}
