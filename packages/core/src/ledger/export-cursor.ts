import type { Account } from './account.ts'
import type { Key, Reduce, StoredEntry } from './storage.ts'

/** Some entries of one account's journal, in order. */
export interface JournalBatch {
  readonly accountId: string
  /** As they are stored: `text` is what was hashed, and `readEntry` reads it. At least one. */
  readonly entries: readonly StoredEntry[]
}

/** How far a journal is, and how far a consumer has it. */
export interface ExportState {
  /** The last entry of the journal; 0 when it is empty. */
  readonly seq: bigint
  /** The last entry the consumer has acknowledged; 0 when it has none. */
  readonly exported: bigint
}

export type ExportCursor = { readonly seq: bigint }

/** A consumer's name goes into the key of its cursor in every account. */
const consumerPattern = /^[A-Za-z0-9._-]{1,64}$/

/** @throws RangeError when a consumer's name cannot be one. */
export function checkConsumer(consumer: string): void {
  if (consumerPattern.test(consumer)) return
  throw new RangeError(
    `A consumer's name has 1 to 64 letters, digits, dots, dashes and underscores, not ${JSON.stringify(consumer)}.`,
  )
}

export function exportKey(consumer: string): Key {
  return `export:${consumer}`
}

export function exportState(consumer: string): Reduce<ExportState> {
  return ({ head, records }) => ({
    result: {
      seq: (head as Account | null)?.seq ?? 0n,
      exported: (records.get(exportKey(consumer)) as ExportCursor | undefined)?.seq ?? 0n,
    },
  })
}

/** Takes note that a consumer has everything up to an entry. A cursor never goes back: exporters may run side by side. */
export function acknowledge(consumer: string, seq: bigint): Reduce<void> {
  const key = exportKey(consumer)
  return ({ head, records }) => {
    const before = records.get(key) as ExportCursor | undefined
    if (head === null || seq <= (before?.seq ?? 0n)) return { result: undefined }
    return { result: undefined, write: { head, put: [{ key, value: { seq }, mode: 'replace' }] } }
  }
}
