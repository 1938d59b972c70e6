import { describe, expect, it } from 'vitest'
import { nano } from '../../money.ts'
import type { Bucket, EntryKind, JournalEntry, Posting } from '../entry.ts'
import { emptyFold, foldEntry } from './fold.ts'
import { createFindings } from './report.ts'

const move = (from: Bucket, to: Bucket, amount: bigint, source: Posting['source'] = 'grant:g1'): Posting => ({
  source,
  from,
  to,
  amount: nano(amount),
})

function entry(kind: EntryKind, members: Partial<JournalEntry>): JournalEntry {
  return { kind, opId: 'o', recordedAtMs: 0, effectiveAtMs: 0, postings: [], seq: 1n, hash: '', ...members }
}

const granted = entry('granted', {
  postings: [move('issued', 'available', 100n)],
  terms: { kind: 'purchased' },
})
const spent = entry('settled', {
  postings: [move('available', 'settled', 60n), move('limit', 'used', 50n, 'overage:2026-11')],
  attempts: [
    {
      attemptId: 'r1.1',
      providerId: 'p',
      providerModel: 'm',
      outcome: 'served',
      costSource: 'provider',
      cost: nano(110n),
      charged: nano(110n),
      absorbed: nano(0n),
    },
  ],
})

/** What is found in the last of these entries, after a grant of 100 of which 60 were spent, and 50 of pay-as-you-go. */
function found(...entries: readonly JournalEntry[]): readonly string[] {
  const findings = createFindings('alice', 100)
  const fold = emptyFold()
  for (const each of [granted, spent, ...entries]) foldEntry(fold, each, findings)
  return findings.list.map(({ kind }) => kind)
}

describe('what an entry may do', () => {
  it.each<[EntryKind, Partial<JournalEntry>]>([
    ['expired', { postings: [move('available', 'expired', 40n)] }],
    ['voided', { postings: [move('available', 'voided', 40n)] }],
    ['released', { postings: [move('available', 'expired', 1n)] }],
    ['refunded', { postings: [move('settled', 'available', 60n)], terms: { amount: 60n } }],
    ['refunded', { postings: [move('used', 'limit', 50n, 'overage:2026-11')], terms: { amount: 50n } }],
    ['adjusted', { postings: [move('used', 'limit', 50n, 'overage:2026-11')], terms: { amount: 70n } }],
    ['adjusted', { postings: [move('available', 'voided', 7n)], terms: { amount: -7n } }],
    ['configured', { terms: { planId: 'pro' } }],
  ])('%s, as it should be', (kind, members) => {
    expect(found(entry(kind, members))).toEqual([])
  })

  it.each<[string, EntryKind, Partial<JournalEntry>, string]>([
    [
      'expires more than there is',
      'expired',
      { postings: [move('available', 'expired', 41n)] },
      'impossible-posting',
    ],
    [
      'expires what is spent',
      'expired',
      { postings: [move('settled', 'expired', 1n)] },
      'impossible-posting',
    ],
    ['moves nothing', 'expired', { postings: [move('available', 'expired', 0n)] }, 'impossible-posting'],
    [
      'moves money as terms change',
      'configured',
      { postings: [move('available', 'voided', 1n)] },
      'impossible-posting',
    ],
    [
      'issues credit that was issued',
      'granted',
      { postings: [move('issued', 'available', 1n)] },
      'repeated-operation',
    ],
    [
      'charges without an attempt',
      'settled',
      { postings: [move('available', 'settled', 1n)] },
      'unbalanced-entry',
    ],
    [
      'refunds more than it says',
      'refunded',
      { postings: [move('settled', 'available', 2n)], terms: { amount: 1n } },
      'unbalanced-entry',
    ],
    [
      'refunds more than was paid',
      'refunded',
      { postings: [move('settled', 'available', 61n)], terms: { amount: 61n } },
      'impossible-posting',
    ],
    [
      'takes more than it says',
      'adjusted',
      { postings: [move('available', 'voided', 8n)], terms: { amount: -7n } },
      'unbalanced-entry',
    ],
    [
      'takes less than it says',
      'adjusted',
      { postings: [move('available', 'voided', 6n)], terms: { amount: -7n } },
      'unbalanced-entry',
    ],
    [
      'gives more than it says',
      'adjusted',
      { postings: [move('used', 'limit', 8n, 'overage:2026-11')], terms: { amount: 7n } },
      'unbalanced-entry',
    ],
    [
      'gives credit without a grant',
      'adjusted',
      { postings: [move('voided', 'available', 0n)], terms: { amount: 7n } },
      'impossible-posting',
    ],
  ])('%s: found in %s', (_what, kind, members, finding) => {
    expect(found(entry(kind, members))).toContain(finding)
  })
})
