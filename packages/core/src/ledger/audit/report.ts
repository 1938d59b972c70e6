import type { Nano } from '../../money.ts'
import type { Source } from '../account.ts'
import type { EntryKind } from '../entry.ts'

/** What an audit found wrong with an account. `docs/audit.md` explains each and says what to do. */
export type AuditFindingKind =
  /** An entry, or several in a row, is not there. */
  | 'missing-entry'
  /** An entry stands where it can not: out of order, or beyond what the head counts. */
  | 'misplaced-entry'
  /** An entry's text or hash is not the one that was written. */
  | 'broken-chain'
  /** The journal is not the one that an earlier audit saw. */
  | 'rewritten-journal'
  /** An entry can not be read, or is of a kind that this version does not know. */
  | 'unreadable-entry'
  /** An operation was booked twice. */
  | 'repeated-operation'
  /** A posting moves money that is not there, or between buckets that its entry may not touch. */
  | 'impossible-posting'
  /** The cost of an attempt is not what the customer and the operator paid of it. */
  | 'unbalanced-attempt'
  /** What an entry took from the account's sources is not what its attempts charge. */
  | 'unbalanced-entry'
  /** An invoice is not what its lines, the one before it and the journal add up to. */
  | 'wrong-invoice'
  /** A cost is not what its price version says of the recorded usage. */
  | 'mispriced-attempt'
  /** What the journal is said to begin with is not what its chain says, or not what its archive adds up to. */
  | 'wrong-base'
  /** What an earlier audit saw was trimmed, and no archive was given that has it. */
  | 'unproved-mark'
  /** The head says something else than the journal. */
  | 'wrong-head'
  /** Holds and the sources they were taken from disagree. */
  | 'wrong-hold'

/** One thing that is wrong, and where. */
export interface AuditFinding {
  readonly accountId: string
  readonly kind: AuditFindingKind
  /** The journal entry, the first of several; `null` for what is wrong outside the journal. */
  readonly seq: bigint | null
  readonly requestId?: string
  readonly source?: Source
  /** What is wrong, in a sentence with the figures. */
  readonly message: string
}

/** A cost that a provider told and that the price book would have put differently. It is booked as the provider told it. */
export interface AuditDrift {
  readonly seq: bigint
  readonly requestId: string
  readonly attemptId: string
  readonly providerId: string
  readonly providerModel: string
  readonly reported: Nano
  readonly rated: Nano
}

/** How far the costs of an account's attempts could be proved. Each attempt with a cost is in exactly one of the first four. */
export interface AuditedPrices {
  /** Rated again from the recorded usage and the price version in force, with the very same cost. */
  readonly verified: number
  /** Told by the provider. Taken as they are. */
  readonly reported: number
  /** The price version is not known here, or no usage was recorded. */
  readonly unverifiable: number
  /** Rated again with another cost; each is a finding. */
  readonly mispriced: number
  /** Of the verified ones: those whose usage is an estimate. */
  readonly estimated: number
  /** Of the reported ones: those that could be compared with the price book, and those that differ from it. */
  readonly compared: number
  readonly drifted: number
  /** The drifted ones, the first of them. */
  readonly drifts: readonly AuditDrift[]
}

/** What an audit of one account proved, and what it found. */
export interface AuditReport {
  readonly accountId: string
  /** Whether nothing was found. */
  readonly isSound: boolean
  /** The journal's last entry and its hash. Keep them outside the database: the next audit proves that they still hold. */
  readonly seq: bigint
  readonly chain: string
  /** How far the journal was trimmed, and whether an archive has proved what was there; `null` when it is whole. */
  readonly trimmed: { readonly throughSeq: bigint; readonly isProved: boolean } | null
  /** How many there are of each kind, with those that were trimmed. */
  readonly entries: Readonly<Partial<Record<EntryKind, number>>>
  readonly grants: number
  readonly attempts: number
  /** Open holds that were compared with their sources. More than 1,000 can not be read at once: then not all were. */
  readonly holds: { readonly compared: number; readonly isComplete: boolean }
  readonly prices: AuditedPrices
  /** Over the account's life, as the journal tells it. `cost = charged + absorbed`. */
  readonly totals: {
    readonly cost: Nano
    readonly charged: Nano
    readonly absorbed: Nano
    readonly absorbedBy: Readonly<Record<string, Nano>>
  }
  /** The first of them. */
  readonly findings: readonly AuditFinding[]
  readonly findingsCount: number
}

/** Collects findings about one account, as many as asked for, and counts the rest. */
export interface Findings {
  readonly list: readonly AuditFinding[]
  readonly count: number
  add(finding: Omit<AuditFinding, 'accountId'>): void
}

export function createFindings(accountId: string, findingsMax: number): Findings {
  const list: AuditFinding[] = []
  let count = 0
  return {
    list,
    get count() {
      return count
    },
    add(finding) {
      count += 1
      if (list.length < findingsMax) list.push({ accountId, ...finding })
    },
  }
}
