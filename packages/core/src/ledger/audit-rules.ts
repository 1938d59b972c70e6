import type { Bucket, EntryKind, JournalEntry } from './entry.ts'

type Move = `${Bucket}>${Bucket}`

/** What an entry of a kind may do. */
export interface KindRule {
  readonly moves: readonly Move[]
  /** What its postings must take from the customer's sources, net of what they give back. */
  readonly charges: (entry: JournalEntry) => bigint
}

const nothing = () => 0n

const rules: Readonly<Partial<Record<EntryKind, KindRule>>> = {
  configured: { moves: [], charges: nothing },
  granted: { moves: ['issued>available'], charges: nothing },
  expired: { moves: ['available>expired'], charges: nothing },
  settled: {
    moves: ['available>settled', 'available>expired', 'expired>settled', 'limit>used'],
    charges: chargedBy,
  },
  released: { moves: ['available>expired'], charges: nothing },
}

/** The rule of a kind of entry; `undefined` for a kind that a later version wrote, which can not be proved by this one. */
export function ruleOf(kind: string): KindRule | undefined {
  return Object.hasOwn(rules, kind) ? rules[kind as EntryKind] : undefined
}

function chargedBy({ attempts = [] }: JournalEntry): bigint {
  return attempts.reduce((sum, { charged }) => sum + charged, 0n)
}
