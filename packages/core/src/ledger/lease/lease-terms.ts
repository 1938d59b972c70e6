import { type Nano, zero } from '../../money.ts'
import type { LeaseTerms, Plan, PlanTable } from '../plan.ts'
import { graceMs as holdGraceMs } from '../reservation.ts'

/** The terms of a plan's leases, with their defaults. */
export interface FullLeaseTerms {
  readonly most: Nano
  readonly timeToLiveMs: number
  readonly graceMs: number
  readonly checkpointMs: number
}

/** The defaults, for a plan that leases nothing. */
export const usualLeaseTerms: FullLeaseTerms = {
  most: zero,
  timeToLiveMs: 30_000,
  graceMs: 120_000,
  checkpointMs: 1_000,
}

/** Within so many checkpoints a process that lives has given back what it was asked for. */
const recallCheckpoints = 3

/** A lease lives through at least so many checkpoints, so that a slow one does not end it. */
const checkpointsMin = 8

/** What a process may lease under a plan; `undefined` when nothing. */
export function leaseTermsOf({ lease }: Plan): FullLeaseTerms | undefined {
  if (lease === undefined) return undefined
  const { most, timeToLiveMs, graceMs, checkpointMs } = lease
  return {
    most,
    timeToLiveMs: timeToLiveMs ?? usualLeaseTerms.timeToLiveMs,
    graceMs: graceMs ?? usualLeaseTerms.graceMs,
    checkpointMs: checkpointMs ?? usualLeaseTerms.checkpointMs,
  }
}

/** How often processes write what their leases have paid. An account may have changed its plan since they were given. */
export function checkpointMsOf(plan: Plan): number {
  return (leaseTermsOf(plan) ?? usualLeaseTerms).checkpointMs
}

/** How long whoever asks for leases back waits for them. */
export function recallWithinMs(plan: Plan): number {
  return recallCheckpoints * checkpointMsOf(plan)
}

/** @throws RangeError that names the plan and its terms that no lease could be given under. */
export function checkLeaseTerms({ plans }: PlanTable): void {
  for (const plan of plans) {
    const terms = leaseTermsOf(plan)
    if (terms === undefined) continue
    const refuse = (name: keyof LeaseTerms, rule: string): never => {
      throw new RangeError(`The plan "${plan.planId}" has lease.${name}: ${terms[name]}; it needs ${rule}.`)
    }
    if (typeof terms.most !== 'bigint' || terms.most <= 0n) refuse('most', 'an amount above zero')
    if (!isWhole(terms.checkpointMs, 100)) refuse('checkpointMs', 'whole milliseconds, at least 100')
    if (!isWhole(terms.timeToLiveMs, checkpointsMin * terms.checkpointMs)) {
      refuse('timeToLiveMs', `whole milliseconds, at least ${checkpointsMin} × checkpointMs`)
    }
    if (!isWhole(terms.graceMs, holdGraceMs)) {
      refuse('graceMs', `whole milliseconds, at least ${holdGraceMs}, for clocks that jump`)
    }
  }
}

function isWhole(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= 24 * 3_600_000
}
