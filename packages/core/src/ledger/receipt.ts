import { type Nano, zero } from '../money.ts'
import type { Quantities } from '../usage.ts'
import type { Source } from './account.ts'
import type { JournalEntry } from './entry.ts'

/**
 * Why the operator pays: the cost went beyond hold and credit, the attempt failed, the cost came after the time to wait
 * for it was over, it came after the request's process had died and its hold was released, it came after its period was
 * closed, or the operator chose to.
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
  return {
    requestId: entry.requestId ?? '',
    accountId,
    ...(entry.memberId === undefined ? {} : { memberId: entry.memberId }),
    model,
    periodKey,
    recordedAtMs: entry.recordedAtMs,
    attempts,
    cost: (charged + absorbed) as Nano,
    charged,
    absorbed,
    paidFrom: entry.postings
      .filter((posting) => posting.to === 'settled' || posting.to === 'used')
      .map(({ source, amount }) => ({ source, amount })),
    spendableAfter,
    seq,
  }
}

export function sum(amounts: readonly Nano[]): Nano {
  let total: bigint = zero
  for (const amount of amounts) total += amount
  return total as Nano
}
