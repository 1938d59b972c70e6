import { adjustCases } from './adjust-cases.ts'
import { alertCases } from './alert-cases.ts'
import { anchorCases } from './anchor-cases.ts'
import { closeCases } from './close-cases.ts'
import { concurrencyCases } from './concurrency-cases.ts'
import { estimateCases } from './estimate-cases.ts'
import { expiryCases } from './expiry-cases.ts'
import { extendCases } from './extend-cases.ts'
import { givenUpCases } from './given-up-cases.ts'
import { grantCases } from './grant-cases.ts'
import { invoiceCases } from './invoice-cases.ts'
import { journalCases } from './journal-cases.ts'
import { keyCapCases } from './key-cap-cases.ts'
import { keySpendingCases } from './key-spending-cases.ts'
import { lateCases } from './late-cases.ts'
import { leaseCases } from './lease-cases.ts'
import { leaseFailureCases } from './lease-failure-cases.ts'
import { leaseSharingCases } from './lease-sharing-cases.ts'
import { leaseTermsCases } from './lease-terms-cases.ts'
import type { LedgerCase, LedgerSubject } from './ledger-case.ts'
import { linearizableCases } from './linearizable-cases.ts'
import { memberCapCases } from './member-cap-cases.ts'
import { memberCases } from './member-cases.ts'
import { monthBoundaryCases } from './month-boundary-cases.ts'
import { monthEndCases } from './month-end-cases.ts'
import { overageCases } from './overage-cases.ts'
import { overrunCases } from './overrun-cases.ts'
import { ownKeyCases } from './own-key-cases.ts'
import { planCases } from './plan-cases.ts'
import { provisionalCases } from './provisional-cases.ts'
import { refundCases } from './refund-cases.ts'
import { refundSourceCases } from './refund-source-cases.ts'
import { reserveCases } from './reserve-cases.ts'
import { settleCases } from './settle-cases.ts'
import { shareCases } from './share-cases.ts'
import { storeClockCases } from './store-clock-cases.ts'
import { tooLateCases } from './too-late-cases.ts'
import { trimCases } from './trim-cases.ts'
import { usageCases } from './usage-cases.ts'
import { usageFoldCases } from './usage-fold-cases.ts'
import { usageLateCases } from './usage-late-cases.ts'
import { voidCases } from './void-cases.ts'

export { checkChain, checkInvariants, type Reading } from './check-invariants.ts'
export type { Command } from './command.ts'
export { checkHistory } from './history/check.ts'
export {
  type Operation,
  type Recorder,
  type RecorderOptions,
  type Request,
  recordHistory,
  type Step,
} from './history/record.ts'
export { checkRecorded, type HistoryOptions, playHistory } from './history/run.ts'
export { isExplained } from './history/search.ts'
export type { LedgerCase, LedgerSubject } from './ledger-case.ts'
export { playCommands } from './play-commands.ts'

/** What the money keeps to on every store: the operations, their refusals and their limits. */
export const ledgerCases: readonly LedgerCase[] = [
  ...planCases,
  ...shareCases,
  ...anchorCases,
  ...grantCases,
  ...voidCases,
  ...adjustCases,
  ...reserveCases,
  ...overageCases,
  ...extendCases,
  ...settleCases,
  ...overrunCases,
  ...ownKeyCases,
  ...memberCases,
  ...memberCapCases,
  ...keyCapCases,
  ...keySpendingCases,
  ...lateCases,
  ...provisionalCases,
  ...tooLateCases,
  ...givenUpCases,
  ...estimateCases,
  ...refundCases,
  ...refundSourceCases,
  ...expiryCases,
  ...storeClockCases,
  ...monthEndCases,
  ...monthBoundaryCases,
  ...journalCases,
  ...alertCases,
  ...concurrencyCases,
  ...leaseCases,
  ...leaseTermsCases,
  ...leaseSharingCases,
  ...leaseFailureCases,
  ...linearizableCases,
  ...usageCases,
  ...usageLateCases,
  ...usageFoldCases,
  ...closeCases,
  ...invoiceCases,
  ...trimCases,
]

/**
 * Registers every case with a test runner.
 *
 * ```ts
 * registerLedgerCases(it, { createStore: async (clock) => sqlite(open(), { clock }) })
 * ```
 */
export function registerLedgerCases(
  test: (name: string, run: () => Promise<void>) => unknown,
  subject: LedgerSubject,
): void {
  for (const { name, run } of ledgerCases) test(name, () => run(subject))
}
