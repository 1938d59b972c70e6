import type { LeaseMark } from '../account.ts'
import { type Draft, planOf } from '../draft.ts'
import { recallWithinMs } from './lease-terms.ts'

/** Leases that an account may have at once: each has its mark in the head, which stays small. */
export const leasesMax = 64

export function leaseMarks({ account }: Draft): readonly LeaseMark[] {
  return account.leases ?? []
}

/** Enters a lease, or puts the mark that it has right. */
export function markLease(draft: Draft, mark: LeaseMark): void {
  const marks = leaseMarks(draft)
  const isKnown = marks.some(({ leaseId }) => leaseId === mark.leaseId)
  draft.account.leases = isKnown
    ? marks.map((each) => (each.leaseId === mark.leaseId ? mark : each))
    : [...marks, mark]
}

/** Strikes out a lease that is over. Without any the head has no list. */
export function unmarkLease(draft: Draft, gone: string): void {
  const left = leaseMarks(draft).filter(({ leaseId }) => leaseId !== gone)
  if (left.length > 0) draft.account.leases = left
  else delete draft.account.leases
}

/** Whether somebody asks for the leases of an account: all of them are asked back at once, and none opens meanwhile. */
export function isRecalled(draft: Draft): boolean {
  return leaseMarks(draft).some(({ recalledAtMs }) => recalledAtMs !== undefined)
}

/** Whether a process may still answer that it gives a lease back. One that has not answered in time is taken for dead. */
export function isAnswering(draft: Draft): boolean {
  const { leases } = draft.account
  if (leases === undefined) return false
  const since = draft.now - recallWithinMs(planOf(draft))
  return leases.some(({ recalledAtMs }) => recalledAtMs === undefined || recalledAtMs > since)
}
