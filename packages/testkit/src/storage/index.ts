import { atomicityCases } from './atomicity-cases.ts'
import { createCases } from './create-cases.ts'
import { dueCases } from './due-cases.ts'
import { failureCases } from './failure-cases.ts'
import { journalCases } from './journal-cases.ts'
import { orderCases } from './order-cases.ts'
import { scanCases } from './scan-cases.ts'
import type { StorageCase } from './storage-case.ts'
import { valueCases } from './value-cases.ts'

export { counterCases } from './counter-cases.ts'
export { durableStorageCases } from './durability-cases.ts'
export { durableKeyCases } from './durable-key-cases.ts'
export { keyCases } from './key-cases.ts'
export type {
  CreatedDurableStorage,
  CreatedStorage,
  DurableStorageCase,
  DurableStorageSubject,
  StorageCase,
  StorageSubject,
} from './storage-case.ts'
export { trimCases } from './trim-cases.ts'

/**
 * What every ledger store keeps to, for any test runner: give each case's `run` your store.
 *
 * ```ts
 * for (const { name, run } of storageCases) it(name, () => run({ create: (clock) => openMyStore(clock) }))
 * ```
 */
export const storageCases: readonly StorageCase[] = [
  ...atomicityCases,
  ...orderCases,
  ...createCases,
  ...dueCases,
  ...scanCases,
  ...journalCases,
  ...failureCases,
  ...valueCases,
]
