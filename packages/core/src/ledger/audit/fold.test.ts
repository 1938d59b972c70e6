import { describe, expect, it } from 'vitest'
import { nano } from '../../money.ts'
import type { Bucket, EntryKind, JournalEntry, Posting } from '../entry.ts'
import type { ReceiptAttempt } from '../receipt.ts'
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

function fold(...entries: readonly JournalEntry[]) {
  const findings = createFindings('alice', 100)
  const folded = emptyFold()
  for (const each of entries) foldEntry(folded, each, findings)
  return { fold: folded, findings: findings.list }
}

/** What is found in the last of these entries, after a grant of 100 of which 60 were spent, and 50 of pay-as-you-go. */
function found(...entries: readonly JournalEntry[]): readonly string[] {
  return fold(granted, spent, ...entries).findings.map(({ kind }) => kind)
}

/** What is found in an entry that books this attempt, and takes what it charges from credit. */
function attempted(change: Partial<ReceiptAttempt>) {
  const [attempt] = spent.attempts as [ReceiptAttempt]
  const attempts = [{ ...attempt, ...change }]
  const charged = change.charged ?? 0n
  const postings = charged > 0n ? [move('available', 'settled', charged)] : []
  const { fold: folded, findings } = fold(granted, entry('settled', { postings, attempts }))
  return { folded, messages: findings.map(({ kind, message }) => [kind, message]) }
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

describe('what an entry is found with', () => {
  it('names its source and its request where there are any, and nothing where there are none', () => {
    const taken = { postings: [move('available', 'expired', 41n)], requestId: 'r1' }
    const where = { accountId: 'alice', kind: 'impossible-posting', seq: 1n, source: 'grant:g1' }
    const message = 'Entry 1 takes $0.000000041 from available of grant:g1, $0.000000001 more than there is.'
    const { findings } = fold(granted, spent, entry('expired', taken))
    expect(findings).toStrictEqual([{ ...where, requestId: 'r1', message }])
    const { findings: bare } = fold(entry('settled', { attempts: spent.attempts ?? [] }))
    expect(bare).toStrictEqual([
      {
        accountId: 'alice',
        kind: 'unbalanced-entry',
        seq: 1n,
        message: 'Entry 1 charges $0.00000011 and takes $0.00 from the account.',
      },
    ])
  })

  it('is a kind that nobody knows, and then it is left out', () => {
    const unknown = { ...spent, kind: 'toString' as EntryKind }
    const { fold: folded, findings } = fold(granted, unknown)
    expect(findings.map(({ kind }) => kind)).toEqual(['unreadable-entry'])
    expect(folded).toMatchObject({ charged: 0n, attempts: 0, entries: { granted: 1 } })
  })

  it('is an earlier time than that of any entry before it', () => {
    const at = (recordedAtMs: number) => entry('configured', { recordedAtMs })
    expect(fold(at(5), at(5), at(6)).findings).toEqual([])
    const { fold: folded, findings } = fold(at(5), at(4), at(4), at(5))
    expect(findings.map(({ kind }) => kind)).toEqual(['misplaced-entry', 'misplaced-entry'])
    expect(folded.recordedAtMs).toBe(5)
  })

  it('is money of a grant that was never issued, which is left out', () => {
    const { fold: folded, findings } = fold(
      entry('expired', { postings: [move('available', 'expired', 1n)] }),
    )
    expect(findings.map(({ kind, source }) => [kind, source])).toEqual([['impossible-posting', 'grant:g1']])
    expect(folded.sources.size).toBe(0)
  })

  it('is less than nothing that moves, though there is enough', () => {
    expect(found(entry('expired', { postings: [move('available', 'expired', -1n)] }))).toEqual([
      'impossible-posting',
    ])
    expect(found(entry('expired', { postings: [move('available', 'expired', 1n)] }))).toEqual([])
  })

  it('is credit issued twice, and what was issued first counts', () => {
    const again = entry('granted', { effectiveAtMs: 7, postings: granted.postings, terms: { kind: 'x' } })
    const { fold: folded, findings } = fold(granted, again)
    expect(findings.map(({ kind, source }) => [kind, source])).toEqual([['repeated-operation', 'grant:g1']])
    expect(folded.sources.get('grant:g1')).toMatchObject({ effectiveAtMs: 0, terms: { kind: 'purchased' } })
  })
})

it.each<EntryKind>(['refunded', 'adjusted'])('%s by what is no amount, an entry moves nothing', (kind) => {
  const terms = { amount: '5' }
  expect(found(entry(kind, { terms }))).toEqual([])
  const given = move('used', 'limit', 5n, 'overage:2026-11')
  expect(found(entry(kind, { terms, postings: [given] }))).toEqual(['unbalanced-entry'])
})

describe('an attempt', () => {
  it('costs what was charged and absorbed of it, and what is absorbed has a reason', () => {
    expect(attempted({ cost: nano(10n), charged: nano(10n) }).messages).toEqual([])
    expect(attempted({ cost: nano(0n), charged: nano(0n) }).messages).toEqual([])
    expect(attempted({ cost: null, charged: nano(0n) }).messages).toEqual([])
    const absorbed = { cost: nano(10n), charged: nano(7n), absorbed: nano(3n) }
    expect(attempted({ ...absorbed, absorbedReason: 'overrun' }).messages).toEqual([])
    expect(attempted(absorbed).messages).toEqual([
      ['unbalanced-attempt', 'Of attempt r1.1 $0.000000003 was absorbed without a reason.'],
    ])
  })

  it.each<[bigint | null, bigint, bigint, string]>([
    [10n, 9n, 0n, '$0.00000001'],
    [10n, 11n, 0n, '$0.00000001'],
    [10n, 9n, 2n, '$0.00000001'],
    [null, 1n, 0n, 'nobody knows what'],
    [null, 0n, 1n, 'nobody knows what'],
    // They add up, and somebody gets money for it.
    [10n, 11n, -1n, '$0.00000001'],
    [10n, -1n, 11n, '$0.00000001'],
    [-2n, -1n, -1n, '$-0.000000002'],
  ])('is found that cost %s, of which %s was charged and %s absorbed', (cost, charged, absorbed, text) => {
    const change = {
      cost: cost === null ? null : nano(cost),
      charged: nano(charged),
      absorbed: nano(absorbed),
    }
    const { messages } = attempted({ ...change, absorbedReason: 'overrun' })
    expect(messages).toContainEqual([
      'unbalanced-attempt',
      expect.stringMatching(`^Attempt r1.1 cost ${text.replace('$', '\\$')}, of which `),
    ])
  })

  it('is counted, with what was absorbed of it by reason', () => {
    const [attempt] = spent.attempts as [ReceiptAttempt]
    const part = (change: Partial<ReceiptAttempt>) => ({ ...attempt, charged: nano(0n), ...change })
    const overrun = { cost: nano(3n), absorbed: nano(3n), absorbedReason: 'overrun' } as const
    const failed = { cost: nano(4n), absorbed: nano(4n), absorbedReason: 'failed_attempt' } as const
    const attempts = [
      part(overrun),
      part(overrun),
      part(failed),
      part({ cost: nano(5n), absorbed: nano(5n) }),
    ]
    const { fold: folded } = fold(entry('settled', { attempts: [...attempts, part({ cost: nano(0n) })] }))
    expect(folded).toMatchObject({ attempts: 5, absorbed: 15n, charged: 0n })
    expect(folded.absorbedBy).toStrictEqual({ overrun: 6n, failed_attempt: 4n, none: 5n })
    expect(fold(granted, spent).fold.absorbedBy).toStrictEqual({})
  })
})

describe('what a journal adds up to', () => {
  it('has what was charged and given back apart, and no adjustment in either', () => {
    const line = 'overage:2026-11'
    const refunded = entry('refunded', {
      postings: [move('settled', 'available', 20n)],
      terms: { amount: 20n },
    })
    const raised = entry('adjusted', { postings: [move('limit', 'used', 5n, line)], terms: { amount: -5n } })
    const lowered = entry('adjusted', { postings: [move('used', 'limit', 6n, line)], terms: { amount: 6n } })
    const { fold: folded, findings } = fold(granted, spent, refunded, refunded, raised, lowered)
    expect(findings).toEqual([])
    expect(folded).toMatchObject({ charged: 110n, refunded: 40n })
    expect(folded.entries).toStrictEqual({ granted: 1, settled: 1, refunded: 2, adjusted: 2 })
    expect(folded.sources.get('grant:g1')?.buckets).toMatchObject({
      issued: -100n,
      available: 80n,
      settled: 20n,
    })
    expect(folded.sources.get(line)?.buckets).toMatchObject({ limit: -49n, used: 49n })
  })

  it('has the last terms that were configured, and those of the first credit that was included', () => {
    const issue = (grantId: string, kind: string) =>
      entry('granted', {
        postings: [move('issued', 'available', 1n, `grant:${grantId}`)],
        terms: { kind, grantId },
      })
    const configure = (planId: string) => entry('configured', { terms: { planId } })
    const before = fold(issue('a', 'purchased'), entry('expired', { terms: { kind: 'included' } })).fold
    expect(before).toMatchObject({ included: undefined, configured: undefined })
    const { fold: folded } = fold(
      issue('a', 'purchased'),
      configure('pro'),
      issue('b', 'included'),
      issue('c', 'included'),
      configure('team'),
    )
    expect(folded.included).toMatchObject({ grantId: 'b' })
    expect(folded.configured).toEqual({ planId: 'team' })
  })

  it('has with a grant when it counts from and what it was issued with', () => {
    const { sources } = fold({ ...granted, effectiveAtMs: 7 }).fold
    expect(sources.get('grant:g1')).toMatchObject({ effectiveAtMs: 7, terms: { kind: 'purchased' } })
  })
})
