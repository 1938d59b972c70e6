import { assert } from '../assert.ts'
import { type Nano, nano } from '../money.ts'
import { splitParts, sumOfParts } from './parts.ts'
import type { CostSource, ReceiptAttempt } from './receipt.ts'
import type { Part, Reservation } from './reservation.ts'

/** What becomes of a cost that nobody told in time: nothing is charged, as Hugging Face does, or what was estimated. */
export type LatePolicy = 'waive' | 'charge-estimate'

/** For how long, and then how, a settlement waits for a cost. */
export interface LateTerms {
  readonly withinMs: number
  readonly policy: LatePolicy
}

/** Half an hour, then nothing is charged (Hugging Face, hub-docs 2026-06-23). */
export const usualLateTerms: LateTerms = { withinMs: 30 * 60_000, policy: 'waive' }

/** An attempt whose cost its provider tells later. */
export type LateAttempt = Pick<ReceiptAttempt, 'attemptId' | 'providerId' | 'providerModel' | 'outcome'> & {
  readonly payer: 'customer' | 'operator'
  readonly priceVersion?: string
  /** Where the estimate comes from. */
  readonly costSource: CostSource
  /** What it is expected to cost, and how much of that is set aside; 0 for what the operator pays. */
  readonly estimate: Nano
  readonly held: Nano
}

/** What a settled request still waits for. */
export type Late = {
  /** In the order in which their shares of the hold come. */
  readonly attempts: readonly LateAttempt[]
  /** By the store's clock. */
  readonly untilMs: number
  readonly policy: LatePolicy
}

/** Whether the providers are still to be asked about a request that is settled. */
export function isAwaited({ late, untold }: Reservation, nowMs: number): boolean {
  if (late !== undefined) return late.attempts.length > 0 && nowMs < late.untilMs
  return untold !== undefined && untold.attemptIds.length > 0 && nowMs < untold.untilMs
}

/** Splits the parts of a provisional hold: those of one of its attempts, and the others. */
export function partsOf(
  { parts, late }: Reservation,
  attempt: LateAttempt,
): { readonly own: readonly Part[]; readonly others: readonly Part[] } {
  const before = late?.attempts.slice(0, late.attempts.indexOf(attempt)) ?? []
  const fromFront = before.reduce<bigint>((sum, { held }) => sum + held, 0n)
  const [front, rest] = splitParts(parts, nano(fromFront))
  const [own, back] = splitParts(rest, attempt.held)
  assert(
    sumOfParts(front) === fromFront && sumOfParts(own) === attempt.held,
    'a provisional hold has fewer parts than its attempts hold',
  )
  return { own, others: [...front, ...back] }
}
