import { type Nano, nano, zero } from '../money.ts'
import { isClosed, overageLine } from './account.ts'
import { type Alert, crossAlerts } from './alerts.ts'
import { append, changeLine, type Draft, decide, keep, spendable } from './draft.ts'
import { drawExcess, resolvePart } from './draw.ts'
import type { Entry, Posting } from './entry.ts'
import { type Late, type LateAttempt, type LateTerms, usualLateTerms } from './late.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import { type Receipt, receiptOf, type SettledTerms, sum } from './receipt.ts'
import {
  askUntilMs,
  type Ending,
  ended,
  type Part,
  putReservation,
  type Reservation,
  reservationKey,
  spenderShare,
} from './reservation.ts'
import { settleUntold } from './settle-untold.ts'
import { owedFor, type SettledAttempt, share } from './share.ts'
import { countSpender, hasSpender, type Spender } from './spender.ts'
import type { Reduce } from './storage.ts'

export interface SettleRequest {
  readonly accountId: string
  readonly reservationId: string
  /** Every attempt made. None, or none with a cost or a memo cost, releases the whole hold. */
  readonly attempts: readonly SettledAttempt[]
  /** Whose request it was, where that is known: it saves a second look. */
  readonly spender?: Spender
  /**
   * Further attempts that there may have been, when the process that would know is gone. Their cost is the operator's. It is
   * asked for until the time to ask about the hold is over, and taken also after that. @default none
   */
  readonly untold?: readonly string[]
}

export type SettleResult =
  /** `alerts` is there when this settlement, and no other, has crossed some. */
  | {
      readonly outcome: 'settled'
      readonly receipt: Receipt
      readonly alerts?: readonly Alert[]
      /**
       * A lease pays: the cost is final, and the next checkpoint writes it. Until then the receipt does not tell from which
       * credit it is paid, and under which number it is in the journal.
       */
      readonly isUnwritten?: true
    }
  /** No such hold, or it was forgotten long ago. Nothing was charged. */
  | { readonly outcome: 'unknown-reservation' }

/** What the reducer finds: a hold that was settled before is told by its entry, which the caller reads. */
export type SettleStep = SettleResult | { readonly outcome: 'already-settled'; readonly seq: bigint }

/**
 * Ends a hold: what the served attempt cost is charged from the front of the hold, the rest goes back. A cost beyond the
 * hold is drawn from remaining credit and what no credit covers is absorbed. Settling again gives the first receipt.
 *
 * With an attempt whose cost comes later the hold shrinks to what that is expected to be, and waits for `lateTerms`. A hold
 * that expired before it was settled is charged all the same, from what the account has then. When it was settled for a
 * process that was taken for dead, what that one knows besides is absorbed.
 */
export function settle(
  request: SettleRequest,
  plans: PlanTable,
  lateTerms: LateTerms = usualLateTerms,
): Reduce<SettleStep> {
  const key = reservationKey(request.reservationId)
  return (cut) => {
    const draft = openAccount(cut, request.accountId, plans)
    const reservation = (draft.puts.get(key)?.value ?? cut.records.get(key)) as Reservation | undefined
    if (reservation === undefined) return { result: { outcome: 'unknown-reservation' } }
    if (reservation.settledBy !== undefined) {
      return settleUntold(draft, reservation, reservation.settledBy, request.attempts)
    }
    const { receipt } = reservation
    if (receipt !== undefined) return { result: { outcome: 'settled', receipt } }
    return decide(draft, settleHold(draft, reservation, request, lateTerms))
  }
}

/** Attempts whose cost was told after the hold had been given up are in the journal already. */
function unbooked(
  { reconciled }: Reservation,
  attempts: readonly SettledAttempt[],
): readonly SettledAttempt[] {
  if (reconciled === undefined) return attempts
  const booked = new Set(reconciled.map(({ attemptId }) => attemptId))
  return attempts.filter(({ attemptId }) => !booked.has(attemptId))
}

export type Settled = Extract<SettleResult, { outcome: 'settled' }>

/** Ends a hold that nobody has settled yet, on the draft of its account. */
export function settleHold(
  draft: Draft,
  reservation: Reservation,
  { attempts: told, untold = [] }: Pick<SettleRequest, 'attempts' | 'untold'>,
  lateTerms: LateTerms,
): Settled {
  const attempts = unbooked(reservation, told)
  const { account } = draft
  const owed = owedFor(attempts)
  const late = attempts.some(({ state }) => state !== undefined)
    ? waitFor(draft, attempts, lateTerms)
    : undefined
  const postings: Posting[] = []
  const { kept, unpaid } = resolveParts(draft, reservation, { owed, late }, postings)
  const overrun = unpaid > 0n ? drawExcess(draft, reservation, unpaid, postings) : zero
  const { periodKey } = reservation
  const reason = isClosed(account, periodKey) ? 'late_after_close' : 'overrun'
  const shares = share(attempts, nano(owed - overrun), reason)
  account.charged = nano(account.charged + sum(shares.map(({ charged }) => charged)))
  account.absorbed = nano(account.absorbed + sum(shares.map(({ absorbed }) => absorbed)))
  const isProvisional = late?.attempts.some(({ payer }) => payer === 'customer') === true
  const entry: { -readonly [Name in keyof Entry]: Entry[Name] } = {
    kind: isProvisional ? 'provisional' : 'settled',
    opId: `settle:${reservation.reservationId}`,
    recordedAtMs: draft.now,
    effectiveAtMs: reservation.createdAtMs,
    requestId: reservation.reservationId,
    postings,
    attempts: shares,
    terms: termsOf(draft, reservation),
  }
  const { memberId } = reservation.subject
  if (memberId !== undefined) entry.memberId = memberId
  const isMoneyEvent =
    isProvisional ||
    postings.length > 0 ||
    shares.some(({ cost, memoCost }) => cost !== null || memoCost !== undefined)
  const seq = isMoneyEvent ? append(draft, entry).seq : null
  const receipt = receiptOf(account.accountId, entry, seq)
  const ending: Ending = seq === null ? { state: 'released', receipt } : { state: 'settled', settledBy: seq }
  const over = ended(reservation, ending)
  const next =
    late !== undefined
      ? waiting(over, late, isProvisional, kept)
      : untold.length > 0
        ? { ...over, untold: { attemptIds: untold, untilMs: askUntilMs(reservation) } }
        : over
  if (isProvisional) {
    account.provisional = nano(account.provisional + next.amount)
    // So that the limit of its period is remembered for what is still to come, also when nothing is set aside for that.
    if (periodKey === account.period.key) changeLine(draft, overageLine(account, periodKey))
  }
  keep(draft, putReservation(next, 'replace', draft.now))
  if (hasSpender(reservation.subject)) {
    countSpender(draft, spenderShare(reservation), {
      held: sum(kept.map((part) => part.amount)) - sum(reservation.parts.map((part) => part.amount)),
      used: sum(shares.map(({ charged }) => charged)),
    })
  }
  const alerts = crossAlerts(draft, postings, periodKey)
  return alerts.length === 0 ? { outcome: 'settled', receipt } : { outcome: 'settled', receipt, alerts }
}

function termsOf(draft: Draft, { subject: { model, keyId, keyCap }, periodKey }: Reservation): SettledTerms {
  const spendableAfter = spendable(draft)
  if (keyId === undefined) return { model, periodKey, spendableAfter }
  return keyCap === undefined
    ? { model, periodKey, spendableAfter, keyId }
    : { model, periodKey, spendableAfter, keyId, keyCap }
}

interface Owed {
  readonly owed: Nano
  readonly late: Late | undefined
}

/** Charges the hold from its front, keeps what late costs may be, and gives the rest back. */
function resolveParts(
  draft: Draft,
  { parts }: Reservation,
  { owed, late }: Owed,
  postings: Posting[],
): { readonly kept: readonly Part[]; readonly unpaid: Nano } {
  const kept: Part[] = []
  let unpaid: bigint = owed
  let expected: bigint = late === undefined ? zero : sum(late.attempts.map(({ estimate }) => estimate))
  for (const part of parts) {
    const used = nano(unpaid < part.amount ? unpaid : part.amount)
    unpaid -= used
    const left = nano(part.amount - used)
    if (expected === 0n || left === 0n) {
      resolvePart(draft, part, used, postings)
      continue
    }
    const held = nano(expected < left ? expected : left)
    expected -= held
    kept.push({ source: part.source, amount: held })
    resolvePart(draft, { source: part.source, amount: nano(part.amount - held) }, used, postings)
  }
  return { kept, unpaid: nano(unpaid) }
}

/** What a settlement with attempts whose cost comes later waits for. What it holds for each is not known yet. */
function waitFor(draft: Draft, attempts: readonly SettledAttempt[], { withinMs, policy }: LateTerms): Late {
  const late = attempts.filter(({ state }) => state !== undefined)
  return {
    attempts: late.map((attempt): LateAttempt => {
      const { attemptId, providerId, providerModel, outcome, costSource, priceVersion } = attempt
      return {
        attemptId,
        providerId,
        providerModel,
        outcome,
        costSource,
        ...(priceVersion === undefined ? {} : { priceVersion }),
        payer: attempt.payer === 'customer' ? 'customer' : 'operator',
        estimate: attempt.payer === 'customer' ? (attempt.cost ?? zero) : zero,
        held: zero,
      }
    }),
    untilMs: draft.now + withinMs,
    policy,
  }
}

/** A settled hold that waits: it keeps what its late attempts may cost, the first of them first. */
function waiting(over: Reservation, late: Late, isProvisional: boolean, kept: readonly Part[]): Reservation {
  if (!isProvisional) return { ...over, late }
  const amount = sum(kept.map((part) => part.amount))
  let left: bigint = amount
  const attempts = late.attempts.map((attempt): LateAttempt => {
    const held = nano(attempt.estimate < left ? attempt.estimate : left)
    left -= held
    return { ...attempt, held }
  })
  return { ...over, state: 'provisional', amount, parts: kept, late: { ...late, attempts } }
}
