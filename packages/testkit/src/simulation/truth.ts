import assert from 'node:assert/strict'
import {
  type EntryKind,
  type LatePolicy,
  nano,
  type Receipt,
  type ReceiptAttempt,
  type StoredEntry,
} from '@farebox/core'
import { readEntry } from '../ledger/invariants/read-entry.ts'
import { listCost } from './price-list.ts'
import type { Served } from './provider.ts'

/** Why an attempt is booked as it is. All but the first are deviations that have to be justified. */
export type Explanation =
  /** At what the provider charges. */
  | 'exact'
  /** At the list price of the usage that the provider told; it charges otherwise. */
  | 'list price'
  /** At an estimate, which is marked as one: the provider never told. */
  | 'estimate'
  /** Not at all: it failed, and nobody told what it cost. The operator pays. */
  | 'failed attempt'
  /** Not at all: nobody told what it cost while that was waited for. The operator pays. */
  | 'waived'
  /**
   * Not at all: the store's clock jumped ahead, so that its request was resolved by others while it was still under way,
   * and nobody knows what it cost. The operator pays.
   */
  | 'resolved early'
  /** Not at all: nobody could tell before its hold had to be given back. The operator pays. */
  | 'never told'
  /** A provider refused it, or never began: it cost nothing, and nothing is booked. */
  | 'no cost'

/** What is known of a request beyond the books. */
export interface RequestFacts {
  /** The process died before it could settle, or gave up because the store never took the settlement. */
  readonly wasAbandoned: boolean
  /** Another attempt of the request is booked. */
  readonly isResolved: boolean
  /** The store's clock went as clocks do. */
  readonly wasClockSteady: boolean
  /** Everybody who was asked for costs answered, and in time, and time went as it does. */
  readonly couldBeTold: boolean
  readonly hasCallerLeft: boolean
  /** What was given back because an estimate had been charged and the cost is less. */
  readonly evened: bigint
  /** What becomes of costs that do not come in time. */
  readonly latePolicy: LatePolicy
}

/** What the accounts say about attempts, all of them together. */
export interface Books {
  readonly attempts: Map<string, ReceiptAttempt>
  /** What was given back of attempts whose cost came after an estimate was charged, and is less. */
  readonly evened: Map<string, bigint>
  /** How many entries of each kind there are. */
  readonly kinds: Map<EntryKind, number>
  charged: bigint
  absorbed: bigint
}

export function emptyBooks(): Books {
  return { attempts: new Map(), evened: new Map(), kinds: new Map(), charged: 0n, absorbed: 0n }
}

/** @throws AssertionError when an attempt is booked twice. */
export function addEntries(books: Books, entries: readonly StoredEntry[]): void {
  for (const stored of entries) {
    const { kind, attempts, opId, terms } = readEntry(stored)
    books.kinds.set(kind, (books.kinds.get(kind) ?? 0) + 1)
    for (const attempt of attempts ?? []) add(books, attempt, kind)
    if (kind === 'refunded' && opId.startsWith('op:late-cost:')) {
      const attemptId = String(terms?.['attemptId'])
      books.evened.set(attemptId, (books.evened.get(attemptId) ?? 0n) + (terms?.['amount'] as bigint))
    }
  }
}

/**
 * Adds attempts of requests that were released. A first receipt does not know of costs that came later: those are in the
 * journal already.
 *
 * @throws AssertionError when the receipt knows a cost and the journal another one.
 */
export function addReceipts(books: Books, receipts: readonly Receipt[]): void {
  for (const attempt of receipts.flatMap(({ attempts }) => attempts)) {
    const booked = books.attempts.get(attempt.attemptId)
    if (booked === undefined) add(books, attempt, 'released')
    else if (attempt.cost !== null) {
      assert.equal(attempt.cost, booked.cost, `${attempt.attemptId} has two costs`)
    }
  }
}

/**
 * A cost is booked once. What was booked as unknown may become known, and what an estimate that was charged falls short of
 * is booked beside it.
 */
function add(books: Books, attempt: ReceiptAttempt, kind: EntryKind): void {
  const before = books.attempts.get(attempt.attemptId)
  const isMore =
    kind === 'reconciled' && attempt.charged === 0n && attempt.absorbedReason === 'waived_late_cost'
  assert.ok(before === undefined || before.cost === null || isMore, `${attempt.attemptId} is booked twice`)
  books.attempts.set(attempt.attemptId, before === undefined ? attempt : joined(before, attempt))
  books.charged += attempt.charged
  books.absorbed += attempt.absorbed
}

/** What is known of an attempt after both. The usage is told by the first. */
function joined(before: ReceiptAttempt, after: ReceiptAttempt): ReceiptAttempt {
  const { usage } = before
  return {
    ...after,
    cost: nano((before.cost ?? 0n) + (after.cost ?? 0n)),
    charged: nano(before.charged + after.charged),
    absorbed: nano(before.absorbed + after.absorbed),
    ...(usage !== undefined && { usage }),
  }
}

/** @throws AssertionError when the customer pays for more than one attempt of a request. */
export function checkPayers({ attempts }: Books): void {
  const payers = new Set<string>()
  for (const [attemptId, { charged }] of attempts) {
    if (charged === 0n) continue
    const requestId = requestOf(attemptId)
    assert.ok(!payers.has(requestId), `${requestId} was charged for two attempts`)
    payers.add(requestId)
  }
}

/** `p1.1-2.1` is the first attempt of request `p1.1-2`, which came second in the first life of process `p1`. */
export function requestOf(attemptId: string): string {
  return attemptId.slice(0, attemptId.lastIndexOf('.'))
}

/**
 * Says why an attempt is booked as it is.
 *
 * @throws AssertionError when nothing justifies it.
 */
export function explain(
  name: string,
  record: Served | undefined,
  attempt: ReceiptAttempt | undefined,
  facts: RequestFacts,
): Explanation {
  const cost = record?.cost ?? 0n
  if (attempt === undefined) {
    if (!facts.wasAbandoned && !facts.wasClockSteady && facts.isResolved) return 'resolved early'
    if (cost === 0n && facts.wasAbandoned) return 'no cost'
    assert.ok(facts.wasAbandoned, `${name} cost ${cost} and is booked nowhere`)
    assert.ok(!facts.couldBeTold, `${name} cost ${cost}, its provider tells so, and nobody asked`)
    return 'never told'
  }
  if (attempt.cost !== null && attempt.cost - facts.evened === cost) return 'exact'
  // What an answer of 500 costs is not asked for: providers charge for what they have served.
  const isAsked = attempt.costSource !== 'none'
  if (record?.providerId === 'later' && isAsked) {
    assert.ok(!facts.couldBeTold, `${name} cost ${cost}, its provider tells so, and it is at ${attempt.cost}`)
  }
  if (attempt.cost === null) {
    if (cost === 0n) return 'no cost'
    if (attempt.outcome !== 'failed') {
      assert.equal(attempt.state, 'provisional', `${name} cost ${cost}, and its cost is taken for unknown`)
      assert.equal(facts.latePolicy, 'waive', `${name} cost ${cost}, and its estimate was not charged`)
      return 'waived'
    }
    assert.ok(
      !facts.couldBeTold || !isAsked,
      `${name} failed and cost ${cost}, its provider tells so, and nobody asked`,
    )
    return 'failed attempt'
  }
  if (attempt.costSource === 'estimate') {
    assert.equal(attempt.usage?.certainty, 'estimate', `${name} is estimated and not marked`)
    assert.ok(
      record?.isToldFinally !== true || facts.hasCallerLeft,
      `${name} is estimated at ${attempt.cost}, though its provider told what was used, at ${cost}`,
    )
    return 'estimate'
  }
  assert.equal(attempt.costSource, 'price-book', `${name} cost ${cost} and is booked at ${attempt.cost}`)
  assert.ok(record?.told !== undefined, `${name} is booked at ${attempt.cost}, and nobody told its usage`)
  // What is told last in an answer that was served whole is all of it, also where nobody says so.
  assert.ok(record.isToldFinally || attempt.outcome === 'served', `${name} is booked at usage so far`)
  assert.equal(
    attempt.cost,
    listCost(record.providerId, record.told),
    `${name} is booked at a price that is not its list price`,
  )
  return 'list price'
}
