import { type Nano, zero } from '../money.ts'
import type { Quantities } from '../usage.ts'
import type { Source } from './account.ts'
import type { JournalEntry, Posting } from './entry.ts'
import type { KeyCap } from './key-cap.ts'

/**
 * Why the operator pays: the cost went beyond hold and credit, the attempt failed, the cost came after the time to wait
 * for it was over, it came after the request's process had died and its hold was released or settled without it, it came
 * after its period was closed, or the operator chose to.
 */
export type AbsorbedReason =
  | 'overrun'
  | 'failed_attempt'
  | 'waived_late_cost'
  | 'crash_unknown'
  | 'late_after_close'
  | 'goodwill'

/**
 * Where a cost comes from, best first. `none`: the provider charges nothing for such an attempt. `own-key`: the provider
 * charges the customer itself.
 */
export type CostSource = 'provider' | 'price-book' | 'estimate' | 'none' | 'unknown' | 'own-key'

/** One call to one provider, as it is settled. `cost = charged + absorbed`, always; all three unknown or none. */
export type ReceiptAttempt = {
  readonly attemptId: string
  readonly providerId: string
  readonly providerModel: string
  readonly outcome: 'served' | 'aborted' | 'failed'
  readonly usage?: { readonly quantities: Quantities; readonly certainty: 'exact' | 'estimate' }
  readonly costSource: CostSource
  readonly priceVersion?: string
  /** The tier that was served, where its price is another one than the list price. */
  readonly serviceTier?: string
  /** `null` while it is unknown. */
  readonly cost: Nano | null
  /** Its provider tells the cost later. Absent when the cost is final, or will never be known. */
  readonly state?: 'provisional'
  /** What it is expected to cost, where the cost comes later; set aside as far as the hold went. */
  readonly estimate?: Nano
  readonly charged: Nano
  readonly absorbed: Nano
  readonly absorbedReason?: AbsorbedReason
  /** The attempt ran on the customer's own key at the provider: no cost of the operator's, and nothing charged here. */
  readonly payer?: 'own-key'
  /** What the provider will bill the customer itself for an attempt on their own key, as far as it is known. */
  readonly memoCost?: Nano
}

/** What the caller gets: what was used, what it cost, who paid, and from which credit. */
export type Receipt = {
  readonly requestId: string
  readonly accountId: string
  readonly memberId?: string
  readonly model: string
  readonly periodKey: string
  readonly recordedAtMs: number
  /** A cost is still to come. `cost` and `charged` are what is known so far. Absent when the receipt is final. */
  readonly state?: 'provisional'
  readonly attempts: readonly ReceiptAttempt[]
  readonly cost: Nano
  readonly charged: Nano
  readonly absorbed: Nano
  /** What of `charged` was given back since; absent when nothing was. */
  readonly refunded?: Nano
  readonly paidFrom: readonly { readonly source: Source; readonly amount: Nano }[]
  /** What the account could still spend after this. */
  readonly spendableAfter: Nano
  /** The journal entry, or `null` when no money moved. */
  readonly seq: bigint | null
}

/** What a settlement's entry says beyond what every entry says. */
export type SettledTerms = {
  readonly model: string
  readonly periodKey: string
  readonly spendableAfter: Nano
  /** The API key that asked, where there was one. */
  readonly keyId?: string
  /** The cap of that key as the request came. */
  readonly keyCap?: KeyCap
}

/**
 * A receipt with the costs that came after it. `isAwaited` says of which attempts a cost is still to come; the others stay
 * as they are.
 */
export function withLateCosts(
  receipt: Receipt,
  entries: readonly JournalEntry[],
  isAwaited: (attemptId: string) => boolean,
): Receipt {
  const told = entries.flatMap(({ attempts = [] }) => attempts)
  const attempts = receipt.attempts.map((attempt): ReceiptAttempt => {
    const { state: _state, ...known } = attempt
    const cost = told.filter(({ attemptId }) => attemptId === attempt.attemptId)
    if (cost.length > 0) return cost.reduce(withCost, known)
    return isAwaited(attempt.attemptId) ? attempt : known
  })
  const known = new Set(attempts.map(({ attemptId }) => attemptId))
  attempts.push(...told.filter(({ attemptId }) => !known.has(attemptId)))
  const charged = sum(attempts.map((attempt) => attempt.charged))
  const absorbed = sum(attempts.map((attempt) => attempt.absorbed))
  const { state: _state, ...rest } = receipt
  const last = entries.at(-1)
  return {
    ...rest,
    ...(attempts.some(({ state }) => state !== undefined) ? { state: 'provisional' as const } : {}),
    attempts,
    cost: (charged + absorbed) as Nano,
    charged,
    absorbed,
    paidFrom: [...receipt.paidFrom, ...entries.flatMap(({ postings }) => paidBy(postings))],
    spendableAfter: last === undefined ? receipt.spendableAfter : (last.terms as SettledTerms).spendableAfter,
  }
}

/** An attempt with a cost that came later. What was charged by an estimate may be followed by what was absorbed beyond it. */
function withCost(attempt: ReceiptAttempt, late: ReceiptAttempt): ReceiptAttempt {
  return {
    ...attempt,
    costSource: late.costSource,
    cost: ((attempt.cost ?? zero) + (late.cost ?? zero)) as Nano,
    charged: (attempt.charged + late.charged) as Nano,
    absorbed: (attempt.absorbed + late.absorbed) as Nano,
    ...(late.absorbedReason === undefined ? {} : { absorbedReason: late.absorbedReason }),
  }
}

/** The receipt of a settled request, read from its journal entry: there is no second record that could disagree. */
export function receiptOf(
  accountId: string,
  entry: Omit<JournalEntry, 'hash' | 'seq'>,
  seq: bigint | null,
): Receipt {
  const { model, periodKey, spendableAfter } = entry.terms as SettledTerms
  const attempts = entry.attempts ?? []
  const charged = sum(attempts.map((attempt) => attempt.charged))
  const absorbed = sum(attempts.map((attempt) => attempt.absorbed))
  // Member by member, and rare ones at last: spreading takes ten times as long, and every settlement passes here.
  const receipt: { -readonly [Name in keyof Receipt]: Receipt[Name] } = {
    requestId: entry.requestId ?? '',
    accountId,
    model,
    periodKey,
    recordedAtMs: entry.recordedAtMs,
    attempts,
    cost: (charged + absorbed) as Nano,
    charged,
    absorbed,
    paidFrom: paidBy(entry.postings),
    spendableAfter,
    seq,
  }
  if (entry.memberId !== undefined) receipt.memberId = entry.memberId
  if (attempts.some(({ state }) => state !== undefined)) receipt.state = 'provisional'
  return receipt
}

function paidBy(postings: readonly Posting[]): Receipt['paidFrom'] {
  return postings
    .filter(({ to }) => to === 'settled' || to === 'used')
    .map(({ source, amount }) => ({ source, amount }))
}

export function sum(amounts: readonly Nano[]): Nano {
  let total: bigint = zero
  for (const amount of amounts) total += amount
  return total as Nano
}
