import { assert } from '../assert.ts'
import { type Nano, zero } from '../money.ts'
import { type Alert, crossAlerts } from './alerts.ts'
import { append, type Draft, decide, keep, spendable } from './draft.ts'
import { drawExcess, resolvePart } from './draw.ts'
import type { Entry, Posting } from './entry.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import {
  type AbsorbedReason,
  type Receipt,
  type ReceiptAttempt,
  receiptOf,
  type SettledTerms,
  sum,
} from './receipt.ts'
import { type Ending, ended, putReservation, type Reservation, reservationKey } from './reservation.ts'
import type { Decision, Reduce } from './storage.ts'

/** An attempt before it is known who pays which part of it. */
export type SettledAttempt = Omit<ReceiptAttempt, 'charged' | 'absorbed' | 'absorbedReason' | 'payer'> & {
  /**
   * The customer pays for what was served; the operator for attempts that failed. With `own-key` the provider bills the
   * customer itself: the cost is `null`, and `memoCost` says how much.
   */
  readonly payer: 'customer' | 'operator' | 'own-key'
}

export interface SettleRequest {
  readonly accountId: string
  readonly reservationId: string
  /** Every attempt made. None, or none with a cost or a memo cost, releases the whole hold. */
  readonly attempts: readonly SettledAttempt[]
}

export type SettleResult =
  /** `alerts` is there when this settlement, and no other, has crossed some. */
  | { readonly outcome: 'settled'; readonly receipt: Receipt; readonly alerts?: readonly Alert[] }
  /** No such hold, or it was forgotten long ago. Nothing was charged. */
  | { readonly outcome: 'unknown-reservation' }

/** What the reducer finds: a hold that was settled before is told by its entry, which the caller reads. */
export type SettleStep = SettleResult | { readonly outcome: 'already-settled'; readonly seq: bigint }

/**
 * Ends a hold: what the served attempt cost is charged from the front of the hold, the rest goes back. A cost beyond the
 * hold is drawn from remaining credit and what no credit covers is absorbed. Settling again gives the first receipt.
 *
 * A hold that expired before it was settled is charged all the same, from what the account has then.
 */
export function settle(request: SettleRequest, plans: PlanTable): Reduce<SettleStep> {
  const key = reservationKey(request.reservationId)
  return (cut) => {
    const draft = openAccount(cut, request.accountId, plans)
    const reservation = (draft.puts.get(key)?.value ?? cut.records.get(key)) as Reservation | undefined
    if (reservation === undefined) return { result: { outcome: 'unknown-reservation' } }
    if (reservation.settledBy !== undefined) {
      return { result: { outcome: 'already-settled', seq: reservation.settledBy } }
    }
    const { receipt } = reservation
    if (receipt !== undefined) return { result: { outcome: 'settled', receipt } }
    return charge(draft, reservation, request.attempts)
  }
}

function charge(
  draft: Draft,
  reservation: Reservation,
  attempts: readonly SettledAttempt[],
): Decision<SettleStep> {
  const owed = owedFor(attempts)
  const postings: Posting[] = []
  let unpaid: bigint = owed
  for (const part of reservation.parts) {
    const used = (unpaid < part.amount ? unpaid : part.amount) as Nano
    resolvePart(draft, part, used, postings)
    unpaid -= used
  }
  const overrun = unpaid > 0n ? drawExcess(draft, reservation, unpaid as Nano, postings) : zero
  const shares = share(attempts, (owed - overrun) as Nano)
  const { account } = draft
  account.charged = (account.charged + sum(shares.map((attempt) => attempt.charged))) as Nano
  account.absorbed = (account.absorbed + sum(shares.map((attempt) => attempt.absorbed))) as Nano
  const { reservationId, subject, periodKey } = reservation
  const after = spendable(draft)
  const { model, keyId } = subject
  const terms: SettledTerms =
    keyId === undefined
      ? { model, periodKey, spendableAfter: after }
      : { model, periodKey, spendableAfter: after, keyId }
  const entry: Entry = {
    kind: 'settled',
    opId: `settle:${reservationId}`,
    recordedAtMs: draft.now,
    effectiveAtMs: reservation.createdAtMs,
    requestId: reservationId,
    ...(subject.memberId === undefined ? {} : { memberId: subject.memberId }),
    postings,
    attempts: shares,
    terms,
  }
  const isMoneyEvent =
    postings.length > 0 || shares.some(({ cost, memoCost }) => cost !== null || memoCost !== undefined)
  const seq = isMoneyEvent ? append(draft, entry).seq : null
  const receipt = receiptOf(account.accountId, entry, seq)
  const ending: Ending = seq === null ? { state: 'released', receipt } : { state: 'settled', settledBy: seq }
  keep(draft, putReservation(ended(reservation, ending), 'replace', draft.now))
  const alerts = crossAlerts(draft, postings, periodKey)
  return decide(
    draft,
    alerts.length === 0 ? { outcome: 'settled', receipt } : { outcome: 'settled', receipt, alerts },
  )
}

function owedFor(attempts: readonly SettledAttempt[]): Nano {
  let owed = 0n
  for (const { payer, cost } of attempts) if (payer === 'customer' && cost !== null) owed += cost
  return owed as Nano
}

/** Splits every cost into what the customer pays, as far as `payable` goes, and what the operator absorbs. */
function share(attempts: readonly SettledAttempt[], payable: Nano): ReceiptAttempt[] {
  let left: bigint = payable
  const shares = attempts.map((attempt): ReceiptAttempt => {
    const { payer, cost } = attempt
    const known = cost ?? zero
    assert(known >= 0n, 'a cost is negative')
    const charged = payer === 'customer' ? ((known < left ? known : left) as Nano) : zero
    left -= charged
    const absorbed = (known - charged) as Nano
    const reason: AbsorbedReason = payer === 'customer' ? 'overrun' : 'failed_attempt'
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
    if (absorbed > 0n) shared.absorbedReason = reason
    if (payer === 'own-key') onOwnKey(shared, attempt)
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
