import type { Nano } from '../../money.ts'
import { type Alert, warningOf } from '../alerts.ts'
import { type Draft, decide, keep, planOf, spendable } from '../draft.ts'
import { openAccount } from '../open-account.ts'
import { sumOfParts } from '../parts.ts'
import type { PlanTable } from '../plan.ts'
import { putReservation, type Reservation, reservationKey } from '../reservation.ts'
import type { Decision, Reduce } from '../storage.ts'
import { holdExpiresAtMs, latestHold } from './lease-hold.ts'
import { isRecalled, leaseMarks, leasesMax, markLease } from './lease-marks.ts'
import { type LeaseWish, leaseParts } from './lease-size.ts'
import { type FullLeaseTerms, leaseTermsOf } from './lease-terms.ts'

export interface OpenLeaseRequest extends LeaseWish {
  readonly accountId: string
  /** `lease:` and an id of its own. The same id opens once. */
  readonly leaseId: string
}

/** A lease as the store has it. */
export interface LeaseState {
  /** What is set aside. */
  readonly amount: Nano
  /** Whose credit it is, and who pays what goes beyond it. */
  readonly periodKey: string
  /** Until when it may be spent from, and when that was decided, by the store's clock. */
  readonly untilMs: number
  readonly nowMs: number
  /** It is to be given back: somebody asked for it, its period ends, or the account has too little left. */
  readonly isEnding: boolean
  /** What else the account may spend. */
  readonly spendable: Nano
  readonly warning: Alert | undefined
  readonly terms: FullLeaseTerms
}

export type OpenLeaseResult =
  | { readonly outcome: 'open'; readonly lease: LeaseState }
  /** Not now: there is too little credit, it expires soon, or somebody asks for it back. `never` under this plan. */
  | { readonly outcome: 'none'; readonly isNever: boolean }

const notNow: Decision<OpenLeaseResult> = { result: { outcome: 'none', isNever: false } }

/** Sets credit of an account aside for one process to pay requests from, in one step with the check that it is there. */
export function openLease(
  { accountId, leaseId, ...wish }: OpenLeaseRequest,
  plans: PlanTable,
): Reduce<OpenLeaseResult> {
  const key = reservationKey(leaseId)
  return (cut) => {
    const draft = openAccount(cut, accountId, plans)
    const terms = leaseTermsOf(planOf(draft))
    if (terms === undefined) return { result: { outcome: 'none', isNever: true } }
    const earlier = latestHold(draft, cut, key)
    if (earlier?.state === 'held')
      return { result: { outcome: 'open', lease: stateOf(draft, earlier, terms) } }
    const isWelcome = earlier === undefined && leaseMarks(draft).length < leasesMax && !isRecalled(draft)
    const untilMs = leaseUntilMs(draft, terms)
    if (!isWelcome || untilMs === undefined) return notNow
    const parts = leaseParts(draft, terms, wish, { leaseId, parts: [], untilMs })
    if (parts === undefined) return notNow
    const hold: Reservation = {
      reservationId: leaseId,
      state: 'held',
      amount: sumOfParts(parts),
      parts,
      periodKey: draft.account.period.key,
      createdAtMs: draft.now,
      expiresAtMs: holdExpiresAtMs(untilMs, terms.graceMs),
      extended: 0,
      fingerprint: leaseId,
      subject: { model: 'lease', costProviderIds: [], attemptsMax: 0 },
      lease: { untilMs },
    }
    keep(draft, putReservation(hold, 'create', draft.now))
    markLease(draft, { leaseId, expiresAtMs: untilMs + terms.graceMs })
    return decide(draft, { outcome: 'open', lease: stateOf(draft, hold, terms) })
  }
}

/** A lease ends with its period at the latest. `undefined` when too little of the period is left for one. */
export function leaseUntilMs(
  { account, now }: Draft,
  { timeToLiveMs }: Pick<FullLeaseTerms, 'timeToLiveMs'>,
): number | undefined {
  const leftMs = account.period.endMs - now
  return leftMs < timeToLiveMs / 2 ? undefined : now + Math.min(timeToLiveMs, leftMs)
}

export function stateOf(
  draft: Draft,
  { amount, periodKey, lease }: Reservation,
  terms: FullLeaseTerms,
  isEnding = false,
): LeaseState {
  return {
    amount,
    periodKey,
    untilMs: lease?.untilMs ?? draft.now,
    nowMs: draft.now,
    isEnding,
    spendable: spendable(draft),
    warning: warningOf(draft),
    terms,
  }
}
