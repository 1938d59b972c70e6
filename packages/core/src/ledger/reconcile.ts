import { type Nano, nano, zero } from '../money.ts'
import { type Alert, crossAlerts } from './alerts.ts'
import { type Draft, decide, keep } from './draft.ts'
import { bookLateCost, bookReconciled } from './late-cost.ts'
import { endWait } from './look-after.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import type { AbsorbedReason, ReceiptAttempt } from './receipt.ts'
import { putReservation, type Reservation, reservationKey } from './reservation.ts'
import { bookUntold } from './settle-untold.ts'
import type { Decision, Reduce } from './storage.ts'

export interface ReconcileRequest {
  readonly accountId: string
  /** The request's id. */
  readonly reservationId: string
  readonly attemptId: string
  /** What the provider charges; `null` when it will never tell: then the wait is over, and the policy decides. */
  readonly cost: Nano | null
  /** Who tells it: needed for an attempt of a request whose process died. */
  readonly providerId?: string
}

export type ReconcileResult =
  /** The cost is final. `attempt` has who paid what of it. */
  | {
      readonly outcome: 'reconciled'
      readonly attempt: ReceiptAttempt
      /** Alerts that it crossed, and nothing before it. */
      readonly alerts?: readonly Alert[]
    }
  /** Its cost was final already, maybe another one; nothing was changed. */
  | { readonly outcome: 'already-final'; readonly attempt: ReceiptAttempt }
  /** No cost came: what was set aside went back, or the estimate was charged. */
  | { readonly outcome: 'wait-ended' }
  /** The request is under way, or was left behind unsettled: settle it. */
  | { readonly outcome: 'not-settled' }
  | { readonly outcome: 'unknown-attempt' }

/** What the reducer finds: a cost that is final already is in the journal, where the caller reads it. */
export type ReconcileStep =
  | Exclude<ReconcileResult, { outcome: 'already-final' | 'reconciled' }>
  | { readonly outcome: 'reconciled'; readonly seq: bigint; readonly alerts?: readonly Alert[] }
  | { readonly outcome: 'already-final'; readonly seq: bigint }
  /** It was charged by an estimate, and the provider charges less: what was charged beyond this is to be given back. */
  | { readonly outcome: 'overcharged'; readonly seq: bigint; readonly cost: Nano }

/**
 * Makes the cost of an attempt final that was late, or that nobody knew. In time it is charged; later it is
 * absorbed. Repeating it changes nothing.
 *
 * @throws RangeError when the cost is negative.
 */
export function reconcile(request: ReconcileRequest, plans: PlanTable): Reduce<ReconcileStep> {
  const { attemptId, cost } = request
  if (cost !== null && cost < 0n) throw new RangeError('A cost cannot be negative.')
  const key = reservationKey(request.reservationId)
  return (cut) => {
    const draft = openAccount(cut, request.accountId, plans)
    const reservation = (draft.puts.get(key)?.value ?? cut.records.get(key)) as Reservation | undefined
    if (reservation === undefined) return { result: { outcome: 'unknown-attempt' } }
    if (reservation.state === 'held' || reservation.state === 'unresolved') {
      return { result: { outcome: 'not-settled' } }
    }
    const told = reservation.reconciled?.find((each) => each.attemptId === attemptId)
    if (told !== undefined) return again(draft, reservation, told, request)
    const late = reservation.late?.attempts.find((each) => each.attemptId === attemptId)
    if (cost === null) {
      if (late === undefined || reservation.state !== 'provisional')
        return { result: { outcome: 'unknown-attempt' } }
      keep(draft, putReservation(endWait(draft, reservation), 'replace', draft.now))
      return decide(draft, { outcome: 'wait-ended' })
    }
    if (late !== undefined) {
      const isInTime = reservation.state === 'provisional'
      const final = { cost, costSource: 'provider', isInTime } as const
      const { next, postings } = bookLateCost(draft, reservation, late, final)
      return reconciled(draft, next, attemptId, crossAlerts(draft, postings, reservation.periodKey))
    }
    return unforeseen(draft, reservation, request, cost)
  }
}

function reconciled(
  draft: Draft,
  reservation: Reservation,
  attemptId: string,
  alerts: readonly Alert[] = [],
): Decision<ReconcileStep> {
  keep(draft, putReservation(reservation, 'replace', draft.now))
  const seq = reservation.reconciled?.find((each) => each.attemptId === attemptId)?.seq ?? 0n
  return decide(
    draft,
    alerts.length === 0 ? { outcome: 'reconciled', seq } : { outcome: 'reconciled', seq, alerts },
  )
}

/** A cost for an attempt that has one. When that was an estimate, the difference is made good: nobody is overcharged. */
function again(
  draft: Draft,
  reservation: Reservation,
  told: NonNullable<Reservation['reconciled']>[number],
  { cost }: ReconcileRequest,
): Decision<ReconcileStep> {
  const { estimate, attemptId, seq } = told
  if (estimate === undefined || cost === null || cost === estimate.cost) {
    return unchanged(draft, reservation, { outcome: 'already-final', seq })
  }
  if (cost < estimate.cost) return unchanged(draft, reservation, { outcome: 'overcharged', seq, cost })
  const more = absorbed(
    { ...estimate, attemptId, costSource: 'provider' },
    nano(cost - estimate.cost),
    'waived_late_cost',
  )
  const moreSeq = bookReconciled(draft, reservation, more, [], ':more')
  const others = (reservation.reconciled ?? []).filter((each) => each !== told)
  // The first of them is the one that charged.
  const entries = [...others, { attemptId, seq }, { attemptId, seq: moreSeq }]
  keep(draft, putReservation({ ...reservation, reconciled: entries }, 'replace', draft.now))
  return decide(draft, { outcome: 'reconciled', seq: moreSeq })
}

/** What this very run has booked in passing must be written before anyone reads it by its number. */
function unchanged(
  draft: Draft,
  { reservationId }: Reservation,
  result: ReconcileStep,
): Decision<ReconcileStep> {
  return draft.puts.has(reservationKey(reservationId)) ? decide(draft, result) : { result }
}

/**
 * A cost nobody waited for: of a request that was released because nobody knew it, of an attempt that failed without one,
 * or of one that a process made which died. The operator pays it.
 */
function unforeseen(
  draft: Draft,
  reservation: Reservation,
  { attemptId, providerId }: ReconcileRequest,
  cost: Nano,
): Decision<ReconcileStep> {
  const { receipt, settledBy, subject, untold } = reservation
  const isUntold = untold?.attemptIds.includes(attemptId) === true
  if (settledBy !== undefined && !isUntold) {
    return unchanged(draft, reservation, { outcome: 'already-final', seq: settledBy })
  }
  const failed = receipt?.attempts.find((attempt) => attempt.attemptId === attemptId)
  if (receipt !== undefined && failed?.cost !== null && !isUntold)
    return { result: { outcome: 'unknown-attempt' } }
  const who: Who = failed ?? {
    providerId: providerId ?? subject.costProviderIds[0] ?? 'unknown',
    providerModel: subject.model,
    outcome: 'aborted',
  }
  const reason = failed === undefined ? 'crash_unknown' : 'failed_attempt'
  const attempt = absorbed({ ...whoIs(who), attemptId, costSource: 'provider' }, cost, reason)
  return reconciled(draft, bookUntold(draft, reservation, attempt), attemptId)
}

type Who = Pick<ReceiptAttempt, 'providerId' | 'providerModel' | 'outcome'>

function whoIs({ providerId, providerModel, outcome }: Who): Who {
  return { providerId, providerModel, outcome }
}

function absorbed(
  { attemptId, costSource, ...who }: Who & Pick<ReceiptAttempt, 'attemptId' | 'costSource'>,
  cost: Nano,
  absorbedReason: AbsorbedReason,
): ReceiptAttempt {
  return {
    attemptId,
    ...whoIs(who),
    costSource,
    cost,
    charged: zero,
    absorbed: cost,
    ...(cost > 0n ? { absorbedReason } : {}),
  }
}
