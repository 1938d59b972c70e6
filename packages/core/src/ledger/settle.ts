import { assert } from '../assert.ts'
import { type Nano, zero } from '../money.ts'
import { append, type Draft, decide, keep, spendable } from './draft.ts'
import { drawExcess, resolvePart } from './draw.ts'
import type { Posting } from './entry.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import type { AbsorbedReason, Receipt, ReceiptAttempt } from './receipt.ts'
import { putReservation, type Reservation, reservationKey } from './reservation.ts'
import type { Reduce } from './storage.ts'

/** An attempt before it is known who pays which part of it. */
export type SettledAttempt = Omit<ReceiptAttempt, 'charged' | 'absorbed' | 'absorbedReason'> & {
  /** The customer pays for what was served; the operator for attempts that failed. */
  readonly payer: 'customer' | 'operator'
}

export interface SettleRequest {
  readonly accountId: string
  readonly reservationId: string
  /** Every attempt made. None, or none with a cost, releases the whole hold. */
  readonly attempts: readonly SettledAttempt[]
}

export type SettleResult =
  | { readonly outcome: 'settled'; readonly receipt: Receipt }
  /** No such hold, or it was forgotten long ago. Nothing was charged. */
  | { readonly outcome: 'unknown-reservation' }

/**
 * Ends a hold: what the served attempt cost is charged from the front of the hold, the rest goes back. A cost beyond the
 * hold is drawn from remaining credit and what no credit covers is absorbed. Settling again gives the first receipt.
 *
 * A hold that expired before it was settled is charged all the same, from what the account has then.
 */
export function settle(request: SettleRequest, plans: PlanTable): Reduce<SettleResult> {
  const key = reservationKey(request.reservationId)
  return (cut) => {
    const draft = openAccount(cut, request.accountId, plans)
    const reservation = (draft.puts.get(key)?.value ?? cut.records.get(key)) as Reservation | undefined
    if (reservation === undefined) return { result: { outcome: 'unknown-reservation' } }
    if (reservation.receipt !== undefined)
      return { result: { outcome: 'settled', receipt: reservation.receipt } }
    const receipt = charge(draft, reservation, request.attempts)
    const state = receipt.seq === null ? 'released' : 'settled'
    keep(draft, putReservation({ ...reservation, state, parts: [], receipt }, 'replace', draft.now))
    return decide(draft, { outcome: 'settled', receipt })
  }
}

function charge(draft: Draft, reservation: Reservation, attempts: readonly SettledAttempt[]): Receipt {
  const owed = sum(
    attempts.filter((attempt) => attempt.payer === 'customer').map((attempt) => attempt.cost ?? zero),
  )
  const postings: Posting[] = []
  let unpaid: bigint = owed
  for (const part of reservation.parts) {
    const used = (unpaid < part.amount ? unpaid : part.amount) as Nano
    resolvePart(draft, part, used, postings)
    unpaid -= used
  }
  const overrun = unpaid > 0n ? drawExcess(draft, reservation, unpaid as Nano, postings) : zero
  const shares = share(attempts, (owed - overrun) as Nano)
  const charged = sum(shares.map((attempt) => attempt.charged))
  const absorbed = sum(shares.map((attempt) => attempt.absorbed))
  draft.account.charged = (draft.account.charged + charged) as Nano
  draft.account.absorbed = (draft.account.absorbed + absorbed) as Nano
  const { reservationId, subject } = reservation
  const member = subject.memberId === undefined ? {} : { memberId: subject.memberId }
  const isMoneyEvent = postings.length > 0 || shares.some((attempt) => attempt.cost !== null)
  const entry = isMoneyEvent
    ? append(draft, {
        kind: 'settled',
        opId: `settle:${reservationId}`,
        effectiveAtMs: reservation.createdAtMs,
        requestId: reservationId,
        ...member,
        postings,
        attempts: shares,
      })
    : undefined
  return {
    requestId: reservationId,
    accountId: draft.account.accountId,
    ...member,
    model: subject.model,
    periodKey: reservation.periodKey,
    recordedAtMs: draft.now,
    attempts: shares,
    cost: (charged + absorbed) as Nano,
    charged,
    absorbed,
    paidFrom: postings
      .filter((posting) => posting.to === 'settled' || posting.to === 'used')
      .map(({ source, amount }) => ({ source, amount })),
    spendableAfter: spendable(draft),
    seq: entry?.seq ?? null,
  }
}

/** Splits every cost into what the customer pays, as far as `payable` goes, and what the operator absorbs. */
function share(attempts: readonly SettledAttempt[], payable: Nano): ReceiptAttempt[] {
  let left: bigint = payable
  const shares = attempts.map(({ payer, ...attempt }): ReceiptAttempt => {
    const cost = attempt.cost ?? zero
    assert(cost >= 0n, 'a cost is negative')
    const charged = payer === 'customer' ? ((cost < left ? cost : left) as Nano) : zero
    left -= charged
    const absorbed = (cost - charged) as Nano
    if (absorbed === 0n) return { ...attempt, charged, absorbed }
    const absorbedReason: AbsorbedReason = payer === 'customer' ? 'overrun' : 'failed_attempt'
    return { ...attempt, charged, absorbed, absorbedReason }
  })
  assert(left === 0n, 'more was drawn than the attempts cost')
  return shares
}

function sum(amounts: readonly Nano[]): Nano {
  let total = 0n
  for (const amount of amounts) total += amount
  return total as Nano
}
