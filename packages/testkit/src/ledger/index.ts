import { adjustCases } from './adjust-cases.ts'
import { alertCases } from './alert-cases.ts'
import { anchorCases } from './anchor-cases.ts'
import { closeCases } from './close-cases.ts'
import { concurrencyCases } from './concurrency-cases.ts'
import { estimateCases } from './estimate-cases.ts'
import { expiryCases } from './expiry-cases.ts'
import { extendCases } from './extend-cases.ts'
import { grantCases } from './grant-cases.ts'
import { journalCases } from './journal-cases.ts'
import { lateCases } from './late-cases.ts'
import { leaseCases } from './lease-cases.ts'
import type { LedgerCase, LedgerSubject } from './ledger-case.ts'
import { linearizableCases } from './linearizable-cases.ts'
import { memberCases } from './member-cases.ts'
import { monthBoundaryCases } from './month-boundary-cases.ts'
import { monthEndCases } from './month-end-cases.ts'
import { ownKeyCases } from './own-key-cases.ts'
import { planCases } from './plan-cases.ts'
import { refundCases } from './refund-cases.ts'
import { overageCases, reserveCases } from './reserve-cases.ts'
import { settleCases } from './settle-cases.ts'
import { shareCases } from './share-cases.ts'
import { tooLateCases } from './too-late-cases.ts'
import { trimCases } from './trim-cases.ts'
import { usageCases } from './usage-cases.ts'
import { voidCases } from './void-cases.ts'

export { checkChain, checkInvariants, type Reading } from './check-invariants.ts'
export { type Command, playCommands } from './command.ts'
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
  ...ownKeyCases,
  ...memberCases,
  ...lateCases,
  ...tooLateCases,
  ...estimateCases,
  ...refundCases,
  ...expiryCases,
  ...monthEndCases,
  ...monthBoundaryCases,
  ...journalCases,
  ...alertCases,
  ...concurrencyCases,
  ...leaseCases,
  ...linearizableCases,
  ...usageCases,
  ...closeCases,
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
