import { assert } from '../../assert.ts'
import { type Nano, nano, zero } from '../../money.ts'
import { checkText } from '../check-text.ts'
import { receiptOf, type SettledTerms } from '../receipt.ts'
import type { Reservation } from '../reservation.ts'
import { checkReserve, type ReserveRequest, type ReserveResult } from '../reserve.ts'
import type { Settled, SettleRequest } from '../settle.ts'
import { owedFor, type SettledAttempt, share } from '../share.ts'
import { hasSpender } from '../spender.ts'
import { checkpointMax, type LeasedRequest } from './checkpoint.ts'
import type { LeaseState } from './open-lease.ts'

/**
 * A lease as its process spends it: decisions without a promise, on numbers in memory. What it promises is always covered
 * by what the store has set aside for it.
 */
export interface LocalLease {
  /** No request is admitted any more; those that were are still settled. */
  readonly isStopped: boolean
  /** Changes that no checkpoint has written. */
  readonly unwritten: number
  /** Whether most of the lease is promised, so that it should be made larger. */
  readonly isPressed: boolean
  knows(reservationId: string): boolean
  /** Gives `undefined` when the store has to be asked. `nowMs` is monotonic. */
  reserve(request: ReserveRequest, nowMs: number): Reserved | undefined
  /** Gives `undefined` when the store has to be asked: for whatever was not served at a final cost within the hold. */
  settle(request: SettleRequest, nowMs: number): Settled | undefined
  stop(): void
  /** Begins a checkpoint, or goes on with the one that nobody has answered. */
  begin(): readonly LeasedRequest[]
  /** The checkpoint is written. `askedAtMs` is the monotonic time before it was sent. */
  written(state: LeaseState | null, askedAtMs: number): void
  /** Leaves a request that is written to the store: this process does not decide about it any more. */
  handOver(reservationId: string): void
}

type Reserved = Extract<ReserveResult, { outcome: 'reserved' }>

interface Request {
  readonly reservation: Reservation
  attempts: readonly SettledAttempt[] | undefined
  /** What of the lease it still takes: nothing once it is written, as a hold of its own or at its cost. */
  promised: bigint
  /** A checkpoint has it, or had it. */
  isBegun: boolean
}

/** Clocks of two machines run differently by less than this, in thousandths. */
const driftPerMille = 1

/** A request that is admitted takes a moment until it is sent. */
const marginMs = 500

/** Requests of one lease that a process keeps in memory; any more ask the store. */
const requestsMax = 4096

/** Leaves room in the key of a record. */
const idCharsMax = 400

export function createLocalLease(accountId: string, first: LeaseState, openedAtMs: number): LocalLease {
  const requests = new Map<string, Request>()
  /** What is to be written, in the order in which it happened. */
  const unwritten = new Map<string, Request>()
  let begun: readonly LeasedRequest[] | undefined
  let state = first
  let askedAtMs = openedAtMs
  let held: bigint = first.amount
  let promised = 0n
  let deadlineMs = deadlineOf(first, openedAtMs)
  let isStopped = first.isEnding

  function storeNow(nowMs: number): number {
    return state.nowMs + Math.floor(nowMs - askedAtMs)
  }

  return {
    get isStopped() {
      return isStopped
    },
    get unwritten() {
      return unwritten.size + (begun?.length ?? 0)
    },
    get isPressed() {
      return promised * 10n > held * 7n
    },
    knows: (reservationId) => requests.has(reservationId),

    reserve(request, nowMs) {
      const { reservationId, amount, timeToLiveMs, subject } = request
      if (isStopped || nowMs >= deadlineMs || promised + amount > held || amount <= 0n) return undefined
      if (hasSpender(subject) || requests.size >= requestsMax) return undefined
      if (reservationId.length > idCharsMax || requests.has(reservationId)) return undefined
      const { fingerprint } = checkReserve(request)
      checkText(reservationId, 'request id')
      const createdAtMs = storeNow(nowMs)
      const reservation: Reservation = {
        reservationId,
        state: 'held',
        amount,
        parts: [],
        periodKey: state.periodKey,
        createdAtMs,
        expiresAtMs: createdAtMs + timeToLiveMs,
        extended: 0,
        fingerprint,
        subject,
      }
      const entry: Request = { reservation, attempts: undefined, promised: amount, isBegun: false }
      requests.set(reservationId, entry)
      unwritten.set(reservationId, entry)
      promised += amount
      const { warning } = state
      return warning === undefined
        ? { outcome: 'reserved', reservation }
        : { outcome: 'reserved', reservation, warning }
    },

    settle({ reservationId, attempts, untold }, nowMs) {
      const entry = requests.get(reservationId)
      if (entry === undefined || entry.attempts !== undefined || untold !== undefined) return undefined
      if (!attempts.every(isFinal)) return undefined
      // Who asks again after a failure must find the hold ended: a crash would leave it to the providers, who may charge it.
      if (attempts.length > 0 && attempts.at(-1)?.outcome !== 'served') return undefined
      const owed = owedFor(attempts)
      const { reservation } = entry
      if (owed > reservation.amount) return undefined
      entry.attempts = attempts
      unwritten.set(reservationId, entry)
      // What is being written may be cut out of the lease whole: until that is known, it stays promised whole.
      if (!entry.isBegun) {
        promised -= entry.promised - owed
        entry.promised = owed
      }
      const spendableAfter = nano(state.spendable + (held > promised ? held - promised : 0n))
      const at = storeNow(nowMs)
      return {
        outcome: 'settled',
        receipt: unwrittenReceipt(accountId, reservation, { attempts, owed, at, spendableAfter }),
        isUnwritten: true,
      }
    },

    stop() {
      isStopped = true
    },

    begin() {
      if (begun !== undefined) return begun
      const slice: LeasedRequest[] = []
      for (const [reservationId, entry] of unwritten) {
        if (slice.length === checkpointMax) break
        const { reservation, attempts } = entry
        slice.push(attempts === undefined ? { reservation } : { reservation, attempts })
        entry.isBegun = true
        unwritten.delete(reservationId)
      }
      begun = slice
      return slice
    },

    written(next, sentAtMs) {
      for (const { reservation, attempts } of begun ?? []) {
        const entry = requests.get(reservation.reservationId)
        if (entry === undefined) continue
        promised -= entry.promised
        entry.promised = 0n
        if (attempts !== undefined) requests.delete(reservation.reservationId)
      }
      begun = undefined
      if (next === null) {
        isStopped = true
        held = 0n
        return
      }
      state = next
      askedAtMs = sentAtMs
      held = next.amount
      deadlineMs = deadlineOf(next, sentAtMs)
      isStopped ||= next.isEnding
      assert(promised <= held, 'a lease has promised more than it has')
    },

    handOver(reservationId) {
      if (!unwritten.has(reservationId)) requests.delete(reservationId)
    },
  }
}

/** When to stop: on this process' own clock, which only has to run at about the right speed. */
function deadlineOf({ untilMs, nowMs }: LeaseState, askedAtMs: number): number {
  return askedAtMs + ((untilMs - nowMs) * (1000 - driftPerMille)) / 1000 - marginMs
}

function isFinal({ cost, state, payer }: SettledAttempt): boolean {
  return cost !== null && cost >= zero && state === undefined && payer !== 'own-key'
}

/** The receipt as the checkpoint will write it, but for what only the checkpoint knows. */
function unwrittenReceipt(
  accountId: string,
  { reservationId, createdAtMs, periodKey, subject }: Reservation,
  ending: {
    readonly attempts: readonly SettledAttempt[]
    readonly owed: Nano
    readonly at: number
    readonly spendableAfter: Nano
  },
): Settled['receipt'] {
  const { attempts, owed, at, spendableAfter } = ending
  const terms: SettledTerms = { model: subject.model, periodKey, spendableAfter }
  const entry = {
    kind: 'settled',
    opId: '',
    recordedAtMs: at,
    effectiveAtMs: createdAtMs,
    requestId: reservationId,
    postings: [],
    attempts: share(attempts, owed, 'overrun'),
    terms,
  } as const
  return receiptOf(accountId, entry, null)
}
