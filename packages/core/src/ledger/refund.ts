import { type Nano, nano, zero } from '../money.ts'
import { overageLine, type Source } from './account.ts'
import { append, changeLine, type Draft, decide, keep } from './draft.ts'
import type { JournalEntry, Posting } from './entry.ts'
import { grantKey, hasRoom, issue, openGrantsMax, type TooManyGrants } from './grant.ts'
import {
  checkOperation,
  doneBefore,
  fingerprintOf,
  issuedBy,
  type ManualOperation,
  type OperationConflict,
  operationKey,
  remember,
} from './manual-operation.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import { type ReceiptAttempt, type SettledTerms, sum } from './receipt.ts'
import {
  type AttemptRefund,
  putReservation,
  type Reservation,
  refundWithinMs,
  reservationKey,
} from './reservation.ts'
import { giveBack, type Reissue } from './return-credit.ts'
import { countSpender, spenderKeys } from './spender.ts'
import type { Key, Reduce } from './storage.ts'

export interface RefundRequest extends ManualOperation {
  readonly requestId: string
  readonly attemptId: string
  /** @default everything that the attempt was charged and that was not refunded yet */
  readonly amount?: Nano
  /** What becomes of credit that has expired since: it stays expired, or comes back as courtesy credit. @default 'expired' */
  readonly expiredCredit?: 'expired' | 'courtesy'
  /** The receipt's `seq`: needed for requests that were settled more than 40 days ago. */
  readonly seq?: bigint
}

/** What went back to one source, and into which of its buckets. */
export type RefundPart = {
  readonly source: Source
  readonly to: 'available' | 'expired' | 'voided' | 'limit'
  readonly amount: Nano
}

export type RefundResult =
  | {
      readonly outcome: 'refunded'
      readonly amount: Nano
      /** In the order they went back: what was drawn last comes first. */
      readonly parts: readonly RefundPart[]
      /** Credit that was issued instead of credit that could not come back. */
      readonly grantIds: readonly string[]
    }
  /** The account has no such attempt, or it was settled more than 40 days ago and `seq` was not given. */
  | { readonly outcome: 'unknown-attempt' }
  /** More than the attempt was charged, less what was refunded and what its period's bill was lowered by. */
  | { readonly outcome: 'above-refundable'; readonly refundable: Nano }
  /** Its cost is still to come. */
  | { readonly outcome: 'not-final' }
  /** It was settled more than 400 days ago. */
  | { readonly outcome: 'too-old' }
  | TooManyGrants
  | OperationConflict

/** What the reducer finds besides: the entry about the attempt is another one now. */
export type RefundStep = RefundResult | { readonly outcome: 'again' }

/** @throws RangeError when the amount is not positive, or the id, the actor or the reason is empty or too long. */
export function checkRefund(request: RefundRequest): void {
  checkOperation(request)
  if (request.amount !== undefined && request.amount <= 0n) {
    throw new RangeError('Only a positive amount can be refunded.')
  }
}

/** Where the journal has what an attempt was charged, or the answer when that is known already. */
export type Located = { readonly done: RefundResult } | { readonly seq: bigint }

/** The first step of a refund: finds the entry to read, unless that is not needed. */
export function locateCharge(request: RefundRequest): Reduce<Located> {
  const fingerprint = fingerprintOf('refund', request)
  return (cut) => {
    const done = doneBefore<RefundResult>(cut, request.opId, fingerprint)
    if (done !== undefined) return { result: { done } }
    const reservation = cut.records.get(reservationKey(request.requestId)) as Reservation | undefined
    const told = reservation?.reconciled?.find(({ attemptId }) => attemptId === request.attemptId)
    const seq = reservation === undefined ? request.seq : (told?.seq ?? reservation.settledBy)
    return { result: seq === undefined ? { done: { outcome: 'unknown-attempt' } } : { seq } }
  }
}

/**
 * Gives back what an attempt was charged, or some of it, to where it came from: what was drawn last goes back first.
 * `charge` is the journal's entry about it, which never changes.
 */
export function refund(request: RefundRequest, charge: JournalEntry, plans: PlanTable): Reduce<RefundStep> {
  const fingerprint = fingerprintOf('refund', request)
  const attempt = charge.attempts?.find(({ attemptId }) => attemptId === request.attemptId)
  return (cut) => {
    const before = doneBefore<RefundResult>(cut, request.opId, fingerprint)
    if (before !== undefined) return { result: before }
    if (attempt === undefined || charge.requestId !== request.requestId) {
      return { result: { outcome: 'unknown-attempt' } }
    }
    const draft = openAccount(cut, request.accountId, plans)
    const key = reservationKey(request.requestId)
    const reservation = (draft.puts.get(key)?.value ??
      cut.records.get(key) ??
      forgotten(charge)) as Reservation
    const told = reservation.reconciled?.find(({ attemptId }) => attemptId === request.attemptId)
    // Its cost came since the entry was located, or right now, in passing: then it must be written to be read.
    if (told !== undefined && told.seq !== charge.seq) return decide(draft, { outcome: 'again' })
    if (reservation.state === 'provisional' && attempt.state !== undefined) {
      return { result: { outcome: 'not-final' } }
    }
    if (draft.now - charge.recordedAtMs > refundWithinMs) return { result: { outcome: 'too-old' } }
    const found = refundable(draft, charge, attempt, reservation.refunds ?? [])
    const amount = request.amount ?? found.amount
    if (amount > found.amount || amount === 0n) {
      return { result: { outcome: 'above-refundable', refundable: found.amount } }
    }
    const reissues: Reissue[] = []
    const postings = backwards(found.paid, amount).map(([source, part]) =>
      source.startsWith('overage:')
        ? lowerLine(draft, source, part)
        : giveBack(
            draft,
            cut.records,
            { source, amount: part, expiredCredit: request.expiredCredit },
            reissues,
          ),
    )
    if (!hasRoom(draft.account, reissues.length)) {
      return { result: { outcome: 'too-many-grants', max: openGrantsMax } }
    }
    book(draft, request, charge, { amount, postings, providerId: attempt.providerId })
    const grantIds = reissues.map((credit, index) => {
      const grantId = issuedBy(request.opId, index + 1)
      issue(draft, { accountId: request.accountId, grantId, ...credit })
      return grantId
    })
    const refunds = added(reservation.refunds ?? [], { attemptId: request.attemptId, amount })
    keep(draft, putReservation({ ...reservation, refunds }, 'replace', draft.now))
    const parts = postings.map(({ source, to, amount: part }): RefundPart => {
      return { source, to: to as RefundPart['to'], amount: part }
    })
    const result: RefundResult = { outcome: 'refunded', amount, parts, grantIds }
    remember(draft, request.opId, fingerprint, result)
    return decide(draft, result)
  }
}

/** The records a refund reads: its own, the hold's, and those of every grant that paid. */
export function refundKeys(request: RefundRequest, charge: JournalEntry): Key[] {
  const grants = charge.postings.filter(({ source }) => source.startsWith('grant:'))
  return [
    operationKey(request.opId),
    reservationKey(request.requestId),
    ...spenderKeys({ ...(charge.terms as Partial<SettledTerms>), memberId: charge.memberId }),
    ...new Set(grants.map(({ source }) => grantKey(source.slice('grant:'.length)))),
  ]
}

/** A request whose hold was forgotten: the journal tells what is needed of it. */
function forgotten(charge: JournalEntry): Reservation {
  const { model, periodKey } = charge.terms as SettledTerms
  const { requestId = '', memberId, effectiveAtMs } = charge
  return {
    reservationId: requestId,
    state: 'settled',
    amount: zero,
    parts: [],
    periodKey,
    createdAtMs: effectiveAtMs,
    expiresAtMs: effectiveAtMs,
    extended: 0,
    fingerprint: '',
    subject: { model, ...(memberId === undefined ? {} : { memberId }), costProviderIds: [], attemptsMax: 1 },
    settledBy: charge.seq,
  }
}

interface Refundable {
  readonly amount: Nano
  /** What paid for the request and was not given back yet, in the order it was drawn. */
  readonly paid: readonly [source: Source, amount: Nano][]
}

function refundable(
  draft: Draft,
  charge: JournalEntry,
  attempt: ReceiptAttempt,
  refunds: readonly AttemptRefund[],
): Refundable {
  // What a late attempt was charged has an entry of its own, and what went back of it came from there.
  const ofThis = charge.attempts?.filter(({ state }) => state === undefined)
  const ids = new Set(ofThis?.map(({ attemptId }) => attemptId))
  const ofEntry = refunds.filter(({ attemptId }) => ids.has(attemptId))
  const ofAttempt = ofEntry.filter(({ attemptId }) => attemptId === attempt.attemptId)
  const left = nano(attempt.charged - sum(ofAttempt.map((each) => each.amount)))
  const drawn = charge.postings.filter(({ to }) => to === 'settled' || to === 'used')
  const paid = withoutTail(
    drawn.map(({ source, amount }) => [source, amount]),
    sum(ofEntry.map((each) => each.amount)),
  )
  return { amount: sum(withinBill(draft, backwards(paid, left))), paid }
}

/** What could go back before a bill that was lowered by hand, or forgotten, would become negative. */
function withinBill(draft: Draft, shares: readonly [Source, Nano][]): readonly Nano[] {
  const amounts: Nano[] = []
  let lowered: bigint = zero
  for (const [source, amount] of shares) {
    if (!source.startsWith('overage:')) {
      amounts.push(amount)
      continue
    }
    // All pay-as-you-go of a request is of the period it began in.
    const left = overageLine(draft.account, source.slice('overage:'.length)).used - lowered
    amounts.push(left < amount ? nano(left) : amount)
    if (left < amount) break
    lowered += amount
  }
  return amounts
}

/** The last `amount` of a list of shares, the last one first. */
function backwards(shares: readonly [Source, Nano][], amount: Nano): [Source, Nano][] {
  const taken: [Source, Nano][] = []
  let missing: bigint = amount
  for (const [source, share] of shares.toReversed()) {
    if (missing === 0n) break
    const part = nano(share < missing ? share : missing)
    taken.push([source, part])
    missing -= part
  }
  return taken
}

function withoutTail(shares: readonly [Source, Nano][], amount: Nano): [Source, Nano][] {
  const total = sum(shares.map(([, share]) => share))
  return backwards(shares.toReversed(), nano(total - amount))
}

function lowerLine(draft: Draft, source: Source, amount: Nano): Posting {
  const line = overageLine(draft.account, source.slice('overage:'.length))
  changeLine(draft, { ...line, used: nano(line.used - amount) })
  return { source, from: 'used', to: 'limit', amount }
}

function added(refunds: readonly AttemptRefund[], refunded: AttemptRefund): readonly AttemptRefund[] {
  const others = refunds.filter(({ attemptId }) => attemptId !== refunded.attemptId)
  const before = refunds.find(({ attemptId }) => attemptId === refunded.attemptId)?.amount ?? zero
  return [...others, { ...refunded, amount: nano(before + refunded.amount) }]
}

interface Booked {
  readonly amount: Nano
  readonly postings: readonly Posting[]
  /** So that usage by provider and key is known from this entry alone. */
  readonly providerId: string
}

function book(
  draft: Draft,
  { opId, attemptId, actor, reason }: RefundRequest,
  { requestId, memberId, terms }: JournalEntry,
  { amount, postings, providerId }: Booked,
): void {
  const { account } = draft
  account.refunded = nano(account.refunded + amount)
  const { model, periodKey, keyId, keyCap } = terms as SettledTerms
  countSpender(draft, { memberId, keyId, keyCap, periodKey }, { used: -amount })
  append(draft, {
    kind: 'refunded',
    opId: operationKey(opId),
    recordedAtMs: draft.now,
    effectiveAtMs: draft.now,
    ...(requestId === undefined ? {} : { requestId }),
    ...(memberId === undefined ? {} : { memberId }),
    postings,
    terms: {
      attemptId,
      amount,
      model,
      periodKey,
      providerId,
      ...(keyId === undefined ? {} : { keyId }),
      ...(keyCap === undefined ? {} : { keyCap }),
      actor,
      reason,
    },
  })
}
