import { assert } from '../assert.ts'
import { type Nano, zero } from '../money.ts'
import type { AbsorbedReason, ReceiptAttempt } from './receipt.ts'

/** An attempt before it is known who pays which part of it. */
export type SettledAttempt = Omit<
  ReceiptAttempt,
  'charged' | 'absorbed' | 'absorbedReason' | 'payer' | 'estimate'
> & {
  /**
   * The customer pays for what was served; the operator for attempts that failed. With `own-key` the provider bills the
   * customer itself: the cost is `null`, and `memoCost` says how much.
   */
  readonly payer: 'customer' | 'operator' | 'own-key'
  /** The provider tells the cost later: `cost` is what it is expected to be, or `null`. Absent when the cost is final. */
  readonly state?: 'provisional'
}

/** What the customer owes for attempts whose cost is final. */
export function owedFor(attempts: readonly SettledAttempt[]): Nano {
  let owed = 0n
  for (const { payer, cost, state } of attempts) {
    if (payer === 'customer' && cost !== null && state === undefined) owed += cost
  }
  return owed as Nano
}

/**
 * Splits every cost into what the customer pays, as far as `payable` goes, and what the operator absorbs: for `reason`
 * what goes beyond that.
 */
export function share(
  attempts: readonly SettledAttempt[],
  payable: Nano,
  reason: AbsorbedReason,
): ReceiptAttempt[] {
  let left: bigint = payable
  const shares = attempts.map((attempt): ReceiptAttempt => {
    const { payer, state } = attempt
    assert(attempt.cost === null || attempt.cost >= 0n, 'a cost is negative')
    const cost = state === undefined ? attempt.cost : null
    const known = cost ?? zero
    const charged = payer === 'customer' ? ((known < left ? known : left) as Nano) : zero
    left -= charged
    const absorbed = (known - charged) as Nano
    // Member by member: leaving one member out of a copy takes as long as the rest of the settlement's arithmetic.
    const shared: Mutable<ReceiptAttempt> = {
      attemptId: attempt.attemptId,
      providerId: attempt.providerId,
      providerModel: attempt.providerModel,
      outcome: attempt.outcome,
      costSource: attempt.costSource,
      cost,
      charged,
      absorbed,
    }
    if (attempt.usage !== undefined) shared.usage = attempt.usage
    if (attempt.priceVersion !== undefined) shared.priceVersion = attempt.priceVersion
    if (attempt.serviceTier !== undefined) shared.serviceTier = attempt.serviceTier
    if (absorbed > 0n) shared.absorbedReason = payer === 'customer' ? reason : 'failed_attempt'
    if (payer === 'own-key') onOwnKey(shared, attempt)
    if (state !== undefined) isLate(shared, attempt)
    return shared
  })
  assert(left === 0n, 'more was drawn than the attempts cost')
  return shares
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

/** What the provider bills the customer itself is told, and moves no money here. */
function onOwnKey(shared: Mutable<ReceiptAttempt>, { cost, memoCost }: SettledAttempt): void {
  assert(cost === null, 'the operator has no cost for an attempt on the customer’s own key')
  assert(memoCost === undefined || memoCost >= 0n, 'a memo cost is negative')
  shared.payer = 'own-key'
  shared.costSource = 'own-key'
  if (memoCost !== undefined) shared.memoCost = memoCost
}

/** What an attempt is expected to cost is told, and is no cost yet. */
function isLate(shared: Mutable<ReceiptAttempt>, { payer, cost }: SettledAttempt): void {
  assert(payer !== 'own-key', 'nobody waits for a cost on the customer’s own key')
  shared.state = 'provisional'
  if (cost !== null) shared.estimate = cost
}
