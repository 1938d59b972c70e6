import type { Account } from './account.ts'
import type { Fold } from './audit/fold.ts'
import { append, decide, keep } from './draft.ts'
import { type ExportCursor, exportKey } from './export-cursor.ts'
import { readCursor, usageCursorKey } from './fold-usage.ts'
import { baseFold, hashOfBase, isJournalBase, type JournalBase, journalBaseKey } from './journal-base.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import { lookAtMs, type Reservation, refundWithinMs, reservationKey } from './reservation.ts'
import type { Cut, Key, Reduce, Value } from './storage.ts'

/** An entry younger than that may still be read: for a refund, for a receipt, or when its cost comes late. */
export const trimAfterLeastMs: number = refundWithinMs

/** What decides how far the journal of an account may be trimmed. */
export interface TrimPlace {
  /** Where it begins now; `undefined` when nothing was trimmed yet. */
  readonly base: JournalBase | undefined
  /** The last entry that neither a consumer nor an open hold needs any more. */
  readonly free: bigint
  /** The last entry that is in the sums of usage. */
  readonly summed: bigint
  /** The consumer that is furthest behind, and how far it is. */
  readonly behind: { readonly consumer: string; readonly seq: bigint } | undefined
  /** The account's time. */
  readonly now: number
}

export function trimKeys(consumers: readonly string[]): readonly Key[] {
  return [journalBaseKey, usageCursorKey, ...consumers.map(exportKey)]
}

/** Finds out how far a journal may be trimmed. The cut has all open holds in `due`, those due first. */
export function trimPlace(consumers: readonly string[]): Reduce<TrimPlace> {
  return (cut) => ({ result: placeOf(cut, consumers) })
}

export interface TrimStep {
  readonly accountId: string
  readonly consumers: readonly string[]
  /** Entries recorded before that may go. Milliseconds since 1970 UTC, by the store's clock. */
  readonly beforeMs: number
  /** Where the journal began as it was read. */
  readonly from: bigint
  /** Its entries from there on, folded: up to `seq`, whose hash is `chain`. */
  readonly seq: bigint
  readonly chain: string
  readonly fold: Fold
}

export type TrimStepResult =
  | { readonly outcome: 'trimmed' }
  /** The base is another one now, or something needs the entries again. */
  | { readonly outcome: 'moved' }

/**
 * Moves the beginning of a journal: keeps what the entries up to there add up to as its base, and books an entry with the hash
 * of that, all in one step. Only then may a store forget the entries.
 */
export function trimStep(step: TrimStep, plans: PlanTable): Reduce<TrimStepResult> {
  const { accountId, consumers, from, seq, chain, fold } = step
  return (cut) => {
    const place = placeOf(cut, consumers)
    const isStill = (place.base?.seq ?? 0n) === from && seq <= place.free && seq <= place.summed
    const isOld = fold.recordedAtMs < step.beforeMs && place.now - fold.recordedAtMs > trimAfterLeastMs
    if (!isStill || !isOld) return { result: { outcome: 'moved' } }
    const draft = openAccount(cut, accountId, plans)
    const toldBy = draft.account.seq + 1n
    const base: JournalBase = { seq, chain, toldBy, fold: baseFold(fold, draft.account) }
    append(draft, {
      kind: 'trimmed',
      opId: `trim:${seq}`,
      recordedAtMs: draft.now,
      effectiveAtMs: draft.now,
      postings: [],
      terms: { throughSeq: seq, chain, base: hashOfBase(base) },
    })
    keep(draft, { key: journalBaseKey, value: base as Value, mode: 'replace' })
    return decide(draft, { outcome: 'trimmed' })
  }
}

function placeOf(cut: Cut, consumers: readonly string[]): TrimPlace {
  const head = cut.head as Account | null
  const stored = cut.records.get(journalBaseKey)
  const base = isJournalBase(stored) ? stored : undefined
  const cursors = consumers.map((consumer) => ({
    consumer,
    seq: (cut.records.get(exportKey(consumer)) as ExportCursor | undefined)?.seq ?? 0n,
  }))
  const behind = cursors.toSorted((a, b) => (a.seq < b.seq ? -1 : 1))[0]
  const seq = head?.seq ?? 0n
  const now = Math.max(cut.now, head?.asOfMs ?? 0)
  return {
    base,
    free: least([seq, behind?.seq ?? seq, beforeHolds(cut, seq, now)]),
    summed: readCursor(cut).seq,
    behind,
    now,
  }
}

/**
 * The last entry before all that open holds were settled by: such a hold waits for a cost that comes late, for a day at most.
 * Holds that the cut has no room for are due later than those it has. Where these still have time, so have those, and what they
 * were settled by is young; where these are overdue, nobody looks after the account, and anything may be behind them.
 */
function beforeHolds({ due, moreDue }: Cut, seq: bigint, now: number): bigint {
  const holds = due
    .filter(({ key }) => key.startsWith(reservationKey('')))
    .map(({ value }) => value as Reservation)
  const last = holds.at(-1)
  if (moreDue && (last === undefined || lookAtMs(last) <= now)) return 0n
  const settledBy = holds.map((hold) => hold.settledBy).filter((each) => each !== undefined)
  return least([seq, ...settledBy.map((each) => each - 1n)])
}

function least(numbers: readonly bigint[]): bigint {
  return numbers.reduce((a, b) => (b < a ? b : a))
}
