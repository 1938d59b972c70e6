import type { OnEvent } from '../events.ts'
import { hasDrifted, type RateAttempt } from '../ledger/audit/prices.ts'
import type { Receipt } from '../ledger/receipt.ts'
import type { SettleResult } from '../ledger/settle.ts'

/** Tells what a settlement has brought: its receipt, the alerts it crossed, and costs that differ from the price book. */
export type Announce = (result: Extract<SettleResult, { outcome: 'settled' }>) => Receipt

export function createAnnounce(onEvent: OnEvent, rate: RateAttempt): Announce {
  return ({ receipt, alerts }) => {
    onEvent({ kind: 'request.settled', receipt })
    if (alerts !== undefined) {
      const { accountId } = receipt
      for (const alert of alerts) onEvent({ kind: 'alert.threshold', accountId, ...alert })
    }
    tellDrifts(receipt, onEvent, rate)
    return receipt
  }
}

/** Only where the provider told both the usage and its cost: an estimate of the usage says nothing about the price. */
function tellDrifts({ accountId, requestId, attempts }: Receipt, onEvent: OnEvent, rate: RateAttempt): void {
  for (const attempt of attempts) {
    const { costSource, usage, cost: reported, priceVersion } = attempt
    if (costSource !== 'provider' || usage?.certainty !== 'exact') continue
    if (reported === null || priceVersion === undefined) continue
    const rated = rate(attempt)
    if (rated === undefined || !hasDrifted(reported, rated)) continue
    const { attemptId, providerId, providerModel } = attempt
    onEvent({
      kind: 'cost.drift',
      accountId,
      requestId,
      attemptId,
      providerId,
      providerModel,
      priceVersion,
      reported,
      rated,
    })
  }
}
