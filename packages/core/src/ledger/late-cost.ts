import { type Nano, nano, zero } from '../money.ts'
import { isClosed } from './account.ts'
import { append, type Draft, spendable } from './draft.ts'
import { drawExcess, resolvePart } from './draw.ts'
import type { Posting } from './entry.ts'
import { type LateAttempt, partsOf } from './late.ts'
import type { AbsorbedReason, CostSource, ReceiptAttempt } from './receipt.ts'
import { type Reservation, spenderShare } from './reservation.ts'
import { countSpender } from './spender.ts'

/** What an attempt costs in the end, and who says so. */
export interface FinalCost {
  readonly cost: Nano
  readonly costSource: CostSource
  /** Was it told in time? What was not is the operator's. */
  readonly isInTime: boolean
}

/**
 * Books the final cost of an attempt that was late: from what was set aside for it, whose rest goes back, and beyond that
 * as every overrun is paid. Gives the hold as it is then, and what moved.
 */
export function bookLateCost(
  draft: Draft,
  reservation: Reservation,
  late: LateAttempt,
  { cost, costSource, isInTime }: FinalCost,
): { readonly next: Reservation; readonly postings: readonly Posting[] } {
  const postings: Posting[] = []
  const isCustomers = late.payer === 'customer' && isInTime
  const { own, others } = partsOf(reservation, late)
  let unpaid: bigint = cost
  for (const part of own) {
    const used = isCustomers && unpaid > 0n ? nano(unpaid < part.amount ? unpaid : part.amount) : zero
    resolvePart(draft, part, used, postings)
    unpaid -= used
  }
  if (isCustomers && unpaid > 0n) unpaid = drawExcess(draft, reservation, nano(unpaid), postings)
  draft.account.provisional = nano(draft.account.provisional - late.held)
  const used = isCustomers ? cost - unpaid : zero
  countSpender(draft, spenderShare(reservation), { held: -late.held, used })
  const attempt = lateReceipt(
    late,
    { cost, costSource, absorbed: nano(unpaid) },
    reasonOf(draft, reservation, late, isInTime),
  )
  const seq = bookReconciled(draft, reservation, attempt, postings)
  const next = withoutLate(reservation, late, others, { attemptId: late.attemptId, seq })
  return { next, postings }
}

function reasonOf(
  draft: Draft,
  { periodKey }: Reservation,
  late: LateAttempt,
  isInTime: boolean,
): AbsorbedReason {
  if (late.payer === 'operator') return 'failed_attempt'
  if (!isInTime) return 'waived_late_cost'
  return isClosed(draft.account, periodKey) ? 'late_after_close' : 'overrun'
}

function lateReceipt(
  { attemptId, providerId, providerModel, outcome, priceVersion }: LateAttempt,
  {
    cost,
    costSource,
    absorbed,
  }: { readonly cost: Nano; readonly costSource: CostSource; readonly absorbed: Nano },
  absorbedReason: AbsorbedReason,
): ReceiptAttempt {
  return {
    attemptId,
    providerId,
    providerModel,
    outcome,
    costSource,
    ...(priceVersion === undefined ? {} : { priceVersion }),
    cost,
    charged: nano(cost - absorbed),
    absorbed,
    ...(absorbed > 0n ? { absorbedReason } : {}),
  }
}

/**
 * Writes the entry of a final cost. Its usage is in the entry that settled the request: nothing is counted twice.
 * `suffix` tells two entries about one attempt apart.
 */
export function bookReconciled(
  draft: Draft,
  { reservationId, createdAtMs, periodKey, subject, settledBy, untold }: Reservation,
  attempt: ReceiptAttempt,
  postings: readonly Posting[],
  suffix = '',
): bigint {
  const { account } = draft
  account.charged = nano(account.charged + attempt.charged)
  account.absorbed = nano(account.absorbed + attempt.absorbed)
  const { model, memberId, keyId, keyCap } = subject
  // What the settlement knew nothing of is not in its entry.
  const isInEntry = settledBy !== undefined && untold?.attemptIds.includes(attempt.attemptId) !== true
  return append(draft, {
    kind: 'reconciled',
    opId: `reconcile:${reservationId}:${attempt.attemptId}${suffix}`,
    recordedAtMs: draft.now,
    effectiveAtMs: createdAtMs,
    requestId: reservationId,
    ...(memberId === undefined ? {} : { memberId }),
    postings,
    attempts: [attempt],
    terms: {
      model,
      periodKey,
      spendableAfter: spendable(draft),
      ...(keyId === undefined ? {} : { keyId }),
      ...(keyCap === undefined ? {} : { keyCap }),
      ...(isInEntry ? { settledBy } : {}),
    },
  }).seq
}

/** The hold without an attempt that is final now. It is settled when no other waits for the customer's money. */
function withoutLate(
  reservation: Reservation,
  late: LateAttempt,
  parts: Reservation['parts'],
  told: NonNullable<Reservation['reconciled']>[number],
): Reservation {
  const attempts = reservation.late?.attempts.filter((attempt) => attempt !== late) ?? []
  const { late: before, ...rest } = reservation
  const isOpen = reservation.state === 'provisional'
  const isOver = isOpen && !attempts.some(({ payer }) => payer === 'customer')
  return {
    ...rest,
    state: isOver ? 'settled' : reservation.state,
    parts,
    amount: isOpen ? nano(reservation.amount - late.held) : reservation.amount,
    reconciled: [...(reservation.reconciled ?? []), told],
    ...(before === undefined || attempts.length === 0 ? {} : { late: { ...before, attempts } }),
  }
}
