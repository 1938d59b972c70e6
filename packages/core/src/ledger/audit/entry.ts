import type { JournalEntry, Posting } from '../entry.ts'
import type { ReceiptAttempt } from '../receipt.ts'
import type { StoredEntry, Value } from '../storage.ts'
import { decodeValue } from '../value-text.ts'
import type { AuditFinding } from './report.ts'
import { hasMembers, isListOf } from './shape.ts'

const buckets: readonly string[] = ['issued', 'available', 'settled', 'expired', 'voided', 'limit', 'used']

/** Reads an entry that anyone may have written; `undefined` when its text is none. */
export function decodeEntry({ seq, text, hash }: StoredEntry): JournalEntry | undefined {
  let value: Value
  try {
    value = decodeValue(text)
  } catch {
    return undefined
  }
  return isEntry(value) ? { ...(value as unknown as JournalEntry), seq, hash } : undefined
}

export function unreadable(seq: bigint): Omit<AuditFinding, 'accountId'> {
  return { kind: 'unreadable-entry', seq, message: `Entry ${seq} can not be read as an entry.` }
}

/** Whether a decoded text has the shape of an entry, as far as an audit reads it. */
export function isEntry(value: Value): boolean {
  if (!hasMembers(value, { kind: 'string', opId: 'string', recordedAtMs: 'number', effectiveAtMs: 'number' }))
    return false
  const { postings, attempts } = value as { readonly postings?: unknown; readonly attempts?: unknown }
  return isPostings(postings) && (attempts === undefined || isAttempts(attempts))
}

function isPostings(value: unknown): boolean {
  if (!isListOf(value, { source: 'string', from: 'string', to: 'string', amount: 'bigint' })) return false
  return (value as readonly Posting[]).every(
    ({ source, from, to }) =>
      /^(?:grant|overage):/.test(source) && buckets.includes(from) && buckets.includes(to),
  )
}

function isAttempts(value: unknown): boolean {
  const names = { attemptId: 'string', providerId: 'string', providerModel: 'string' } as const
  if (!isListOf(value, { ...names, charged: 'bigint', absorbed: 'bigint' })) return false
  return (value as readonly ReceiptAttempt[]).every(({ cost }) => cost === null || typeof cost === 'bigint')
}
