import { assert } from '../assert.ts'
import type { Nano } from '../money.ts'
import { type Alert, warningOf } from './alerts.ts'
import { type Draft, decide, held, keep, overageLeft, planOf, spendable } from './draft.ts'
import { drawHold } from './draw.ts'
import { checkCappedKey, type KeyCap, keyLine } from './key-cap.ts'
import { isAnswering } from './lease/lease-marks.ts'
import { capOf, memberLeft, memberOf } from './member.ts'
import { openAccount } from './open-account.ts'
import { overageLimit, type PlanTable } from './plan.ts'
import { putReservation, type Reservation, type ReservationSubject, reservationKey } from './reservation.ts'
import { cappedKeyOf, countSpender, hasSpender, type SpenderShare, spenderSpendable } from './spender.ts'
import { lineOf } from './spent-lines.ts'
import type { Reduce } from './storage.ts'

export interface ReserveRequest {
  readonly accountId: string
  /** The request's id. The same id reserves once. */
  readonly reservationId: string
  /** The most the request could cost. */
  readonly amount: Nano
  /** Accept less, down to this, when the account cannot pay `amount`. @default amount */
  readonly minimum?: Nano
  /** How long the request may take before others may resolve its hold. */
  readonly timeToLiveMs: number
  readonly subject: ReservationSubject
}

export type ReserveResult =
  /** `warning` is there when most of the credit, or of the spending limit, is used up. */
  | { readonly outcome: 'reserved'; readonly reservation: Reservation; readonly warning?: Alert }
  | Insufficient
  /** The id was used before for something else. */
  | { readonly outcome: 'conflict' }
  /** Holds that are due were looked after first: run again. */
  | { readonly outcome: 'again' }

/** A refusal for lack of credit. Nothing was set aside. */
export interface Insufficient {
  readonly outcome: 'insufficient'
  /**
   * What stopped it: the cap of the key, or of the member, the account's limit on pay-as-you-go, or credit that is used up under a
   * hard stop. Of those that are as narrow, the one that is for more requests.
   */
  readonly limit: 'key-cap' | 'member-cap' | 'spending-limit' | 'credit'
  /** What would have to be added for `minimum`. */
  readonly missing: Nano
  /** What the request may cost at most: of the account, and of what its member and its key may use. */
  readonly spendable: Nano
  /** Set aside for requests under way, of the account, or under the cap that stopped it: some of it usually comes back. */
  readonly held: Nano
  readonly planId: string
  /** The most this account may owe for a period; 0 under a hard stop. */
  readonly overageLimit: Nano
  /** The most the member may use of a period; `null` without a cap. */
  readonly memberCap: Nano | null
  /** The most that may be spent with the key; `null` without a cap. */
  readonly keyCap: KeyCap | null
  /** The period that the account is in, and when the next included credit arrives. */
  readonly periodKey: string
  readonly resetsAtMs: number
  /** Processes have leases of the account and were not asked to give them back, or only just: it is worth asking again soon. */
  readonly isLeased?: true
}

/**
 * Sets money aside for a request, in one step with the check that it is there: two requests never hold the same credit.
 *
 * @throws RangeError when amounts are negative, `minimum` is above `amount`, the time is not a whole number from 0 on, or the cap
 * of the key cannot be meant.
 */
export function reserve(request: ReserveRequest, plans: PlanTable): Reduce<ReserveResult> {
  const { minimum, fingerprint } = checkReserve(request)
  const key = reservationKey(request.reservationId)
  const { memberId, keyId, keyCap } = request.subject
  return (cut) => {
    const earlier = cut.records.get(key) as Reservation | undefined
    if (earlier !== undefined) {
      const isSame = earlier.fingerprint === fingerprint
      return { result: isSame ? { outcome: 'reserved', reservation: earlier } : { outcome: 'conflict' } }
    }
    const draft = openAccount(cut, request.accountId, plans)
    const share: SpenderShare = { memberId, keyId, keyCap, periodKey: draft.account.period.key }
    const able = spenderSpendable(draft, share)
    // An expired hold must never cause a refusal or a smaller hold: look after all that are due before giving in.
    if (able < request.amount && draft.moreDue) return decide(draft, { outcome: 'again' })
    if (able < minimum) return { result: refuse(draft, share, minimum, able) }
    const amount = able < request.amount ? able : request.amount
    const reservation: Reservation = {
      reservationId: request.reservationId,
      state: 'held',
      amount,
      parts: drawHold(draft, amount, share.periodKey),
      periodKey: draft.account.period.key,
      createdAtMs: draft.now,
      expiresAtMs: draft.now + request.timeToLiveMs,
      extended: 0,
      fingerprint,
      subject: request.subject,
    }
    assert(overageLeft(draft) >= 0n, 'the overage line is beyond its limit')
    keep(draft, putReservation(reservation, 'create', draft.now))
    if (hasSpender(share)) countSpender(draft, share, { held: amount })
    const warning = warningOf(draft)
    return decide(
      draft,
      warning === undefined
        ? { outcome: 'reserved', reservation }
        : { outcome: 'reserved', reservation, warning },
    )
  }
}

/**
 * What a hold needs at least, and what tells one request for it from another.
 *
 * @throws RangeError when the request makes no sense.
 */
export function checkReserve({ amount, minimum = amount, timeToLiveMs, subject }: ReserveRequest): {
  readonly minimum: Nano
  readonly fingerprint: string
} {
  if (minimum < 0n || minimum > amount) throw new RangeError('A hold needs 0 ≤ minimum ≤ amount.')
  if (!Number.isSafeInteger(timeToLiveMs) || timeToLiveMs < 0) {
    throw new RangeError(`A hold needs a time to live in whole milliseconds, not ${timeToLiveMs}.`)
  }
  const { model, memberId, keyId, keyCap, costProviderIds, attemptsMax } = subject
  if (keyCap !== undefined) {
    if (keyId === undefined) throw new RangeError('The cap of a key needs the id of that key.')
    checkCappedKey({ keyId, cap: keyCap })
  }
  // As JSON, because joined names can read the same when they are not.
  const asked = [`${amount}|${minimum}`, model, memberId, costProviderIds, attemptsMax]
  if (keyId !== undefined) asked.push(keyId)
  return { minimum, fingerprint: JSON.stringify(asked) }
}

function refuse(draft: Draft, share: SpenderShare, minimum: Nano, able: Nano): Insufficient {
  const { account } = draft
  const limit = overageLimit(draft.plans, planOf(draft), account.spendingLimit)
  const stop = capThatStopped(draft, share, able)
  const refusal: Insufficient = {
    outcome: 'insufficient',
    limit: stop?.limit ?? (limit > 0n ? 'spending-limit' : 'credit'),
    missing: (minimum - able) as Nano,
    spendable: able,
    held: stop?.held ?? held(account),
    planId: account.planId,
    overageLimit: limit,
    memberCap: share.memberId === undefined ? null : capOf(draft, memberOf(draft, share.memberId)),
    keyCap: share.keyCap ?? null,
    periodKey: account.period.key,
    resetsAtMs: account.period.endMs,
  }
  return isAnswering(draft) && stop === undefined ? { ...refusal, isLeased: true } : refusal
}

/** The cap that left a request no more than `able`, and what is held under it; `undefined` when the account has no more either. */
function capThatStopped(
  draft: Draft,
  share: SpenderShare,
  able: Nano,
): Pick<Insufficient, 'limit' | 'held'> | undefined {
  if (able === spendable(draft)) return undefined
  const { memberId, periodKey } = share
  const member = memberId === undefined ? undefined : memberOf(draft, memberId)
  if (member !== undefined && memberLeft(draft, member, periodKey) === able) {
    return { limit: 'member-cap', held: lineOf(member.lines, periodKey).held }
  }
  const key = cappedKeyOf(share)
  return key === undefined ? undefined : { limit: 'key-cap', held: keyLine(draft, key, periodKey).held }
}
