import type { Bucket, EntryKind, JournalEntry } from '../entry.ts'

type Move = `${Bucket}>${Bucket}`

/** What an entry of a kind may do, and what it has to. */
export interface KindRule {
  readonly moves: readonly Move[]
  /** What its postings must take from the customer's sources, net of what they give back. */
  readonly charges: (entry: JournalEntry) => bigint
  /** What all its postings move together, at least and at most, where its terms say so. */
  readonly total?: (amount: bigint) => { readonly least: bigint; readonly most: bigint }
}

const nothing = () => 0n

const settling: readonly Move[] = [
  'available>settled',
  'available>expired',
  'available>voided',
  'expired>settled',
  'limit>used',
]

const rules: Readonly<Record<EntryKind, KindRule>> = {
  configured: { moves: [], charges: nothing },
  capped: { moves: [], charges: nothing },
  granted: { moves: ['issued>available'], charges: nothing },
  expired: { moves: ['available>expired'], charges: nothing },
  settled: { moves: settling, charges: chargedBy },
  voided: { moves: ['available>voided'], charges: nothing },
  released: { moves: ['available>expired', 'available>voided'], charges: nothing },
  provisional: { moves: settling, charges: chargedBy },
  reconciled: { moves: settling, charges: chargedBy },
  refunded: {
    moves: ['settled>available', 'settled>expired', 'settled>voided', 'used>limit'],
    charges: ({ terms }) => -amountOf(terms),
  },
  adjusted: {
    moves: ['available>voided', 'limit>used', 'used>limit'],
    // Credit that is taken is voided, not paid; the bill changes by what its line moved.
    charges: ({ postings }) =>
      postings.reduce((sum, { from, to, amount }) => sum + billed(from, to, amount), 0n),
    // What is taken is taken at once; what is given lowers the bill first, and the rest is a grant with an entry of its own.
    total: (amount) => (amount < 0n ? { least: -amount, most: -amount } : { least: 0n, most: amount }),
  },
  closed: { moves: [], charges: nothing },
  trimmed: { moves: [], charges: nothing },
}

export function amountOf(terms: JournalEntry['terms']): bigint {
  const amount = terms?.['amount']
  return typeof amount === 'bigint' ? amount : 0n
}

function billed(from: Bucket, to: Bucket, amount: bigint): bigint {
  if (to === 'used') return amount
  return from === 'used' ? -amount : 0n
}

/** The rule of a kind of entry; `undefined` for a kind that a later version wrote, which can not be proved by this one. */
export function ruleOf(kind: string): KindRule | undefined {
  return Object.hasOwn(rules, kind) ? rules[kind as EntryKind] : undefined
}

function chargedBy({ attempts = [] }: JournalEntry): bigint {
  return attempts.reduce((sum, { charged }) => sum + charged, 0n)
}
