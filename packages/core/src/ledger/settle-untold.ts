import { zero } from '../money.ts'
import { type Draft, decide, keep } from './draft.ts'
import { bookReconciled } from './late-cost.ts'
import type { ReceiptAttempt } from './receipt.ts'
import { putReservation, type Reservation } from './reservation.ts'
import type { SettledAttempt } from './share.ts'
import type { Decision } from './storage.ts'

/** What settling a request finds that was settled before: the entry tells it. */
type AlreadySettled = { readonly outcome: 'already-settled'; readonly seq: bigint }

/**
 * Books what a process knows that was taken for dead: its request was settled without it, at what the providers had told.
 * That is final, so what its other attempts cost is the operator's.
 */
export function settleUntold(
  draft: Draft,
  reservation: Reservation,
  settledBy: bigint,
  attempts: readonly SettledAttempt[],
): Decision<AlreadySettled> {
  const result = { outcome: 'already-settled', seq: settledBy } as const
  let next = reservation
  for (const attempt of attempts) {
    const isUntold = next.untold?.attemptIds.includes(attempt.attemptId) === true
    // What is still to be told is asked for anyway, and what is not known is not nothing.
    if (!isUntold || attempt.cost === null || attempt.state !== undefined) continue
    next = bookUntold(draft, next, absorbed(attempt, attempt.cost))
  }
  if (next === reservation) return { result }
  keep(draft, putReservation(next, 'replace', draft.now))
  return decide(draft, result)
}

/** Books the cost of an attempt that the settlement did not know of, if there was one. Gives the hold as it is then. */
export function bookUntold(draft: Draft, reservation: Reservation, attempt: ReceiptAttempt): Reservation {
  const { attemptId } = attempt
  const seq = bookReconciled(draft, reservation, attempt, [])
  const { untold, reconciled = [] } = reservation
  return {
    ...reservation,
    ...(untold && {
      untold: { ...untold, attemptIds: untold.attemptIds.filter((id) => id !== attemptId) },
    }),
    reconciled: [...reconciled, { attemptId, seq }],
  }
}

function absorbed(
  { payer: _payer, state: _state, memoCost: _memo, ...attempt }: SettledAttempt,
  cost: NonNullable<SettledAttempt['cost']>,
): ReceiptAttempt {
  return {
    ...attempt,
    cost,
    charged: zero,
    absorbed: cost,
    ...(cost > 0n ? { absorbedReason: 'crash_unknown' } : {}),
  }
}
