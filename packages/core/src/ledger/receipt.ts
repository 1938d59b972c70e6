import type { Nano } from '../money.ts'
import type { Quantities } from '../usage.ts'
import type { Source } from './account.ts'

/** Why the operator pays: the cost went beyond hold and credit, or the attempt failed. */
export type AbsorbedReason = 'overrun' | 'failed_attempt'

/** Where a cost comes from, best first. `none`: the provider charges nothing for such an attempt. */
export type CostSource = 'provider' | 'price-book' | 'estimate' | 'none' | 'unknown'

/** One call to one provider, as it is settled. `cost = charged + absorbed`, always; all three unknown or none. */
export type ReceiptAttempt = {
  readonly attemptId: string
  readonly providerId: string
  readonly providerModel: string
  readonly outcome: 'served' | 'aborted' | 'failed'
  readonly usage?: { readonly quantities: Quantities; readonly certainty: 'exact' | 'estimate' }
  readonly costSource: CostSource
  readonly priceVersion?: string
  /** `null` while it is unknown. */
  readonly cost: Nano | null
  readonly charged: Nano
  readonly absorbed: Nano
  readonly absorbedReason?: AbsorbedReason
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
  readonly paidFrom: readonly { readonly source: Source; readonly amount: Nano }[]
  /** What the account could still spend after this. */
  readonly spendableAfter: Nano
  /** The journal entry, or `null` when no money moved. */
  readonly seq: bigint | null
}
