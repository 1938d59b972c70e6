import { formatUsd } from '../../money.ts'
import type { Source } from '../account.ts'
import type { Bucket, EntryKind, JournalEntry, Posting } from '../entry.ts'
import type { ReceiptAttempt } from '../receipt.ts'
import { type Closed, checkClosed } from './invoices.ts'
import type { AuditFinding, Findings } from './report.ts'
import { amountOf, type KindRule, ruleOf } from './rules.ts'

/** A source as the journal alone tells it. `available` is available or held: holds are records, not entries. */
export interface FoldedSource {
  readonly source: Source
  readonly buckets: Record<Bucket, bigint>
  /** For a grant: what it was issued with. */
  readonly effectiveAtMs: number
  readonly terms: Readonly<Record<string, unknown>>
  /** When the last entry that moved its money was recorded. */
  movedAtMs: number
}

/** What an account's journal adds up to. */
export interface Fold {
  readonly sources: Map<Source, FoldedSource>
  readonly entries: Partial<Record<EntryKind, number>>
  readonly absorbedBy: Record<string, bigint>
  attempts: number
  charged: bigint
  absorbed: bigint
  refunded: bigint
  recordedAtMs: number
  /** The terms of the last `configured` entry, and of the first credit that was included without one. */
  configured: Readonly<Record<string, unknown>> | undefined
  included: Readonly<Record<string, unknown>> | undefined
  closed: Closed | undefined
}

/** Money comes from these, so they alone go below zero. */
const origins: readonly Bucket[] = ['issued', 'limit']

export function emptyFold(): Fold {
  return {
    sources: new Map(),
    entries: {},
    absorbedBy: {},
    attempts: 0,
    charged: 0n,
    absorbed: 0n,
    refunded: 0n,
    recordedAtMs: 0,
    configured: undefined,
    included: undefined,
    closed: undefined,
  }
}

/** Adds one entry to the fold, and tells what in it cannot be. */
export function foldEntry(fold: Fold, entry: JournalEntry, findings: Findings): void {
  const { seq, kind, requestId } = entry
  const tell = (what: AuditFinding['kind'], message: string, source?: Source) =>
    findings.add({
      kind: what,
      seq,
      ...(requestId === undefined ? {} : { requestId }),
      ...(source === undefined ? {} : { source }),
      message,
    })
  const rule = ruleOf(kind)
  if (rule === undefined) {
    tell('unreadable-entry', `Entry ${seq} is of the kind "${kind}", which this version can not prove.`)
    return
  }
  fold.entries[kind] = (fold.entries[kind] ?? 0) + 1
  if (entry.recordedAtMs < fold.recordedAtMs) {
    tell('misplaced-entry', `Entry ${seq} was recorded at an earlier time than the one before it.`)
  }
  fold.recordedAtMs = Math.max(fold.recordedAtMs, entry.recordedAtMs)
  foldTerms(fold, entry)
  if (kind === 'granted') openGrant(fold, entry, tell)
  for (const posting of entry.postings) foldPosting(fold, rule, posting, tell, entry)
  for (const attempt of entry.attempts ?? []) foldAttempt(fold, attempt, tell)
  const charged = rule.charges(entry)
  const drawn = drawnBy(entry.postings)
  if (charged !== drawn) {
    tell(
      'unbalanced-entry',
      `Entry ${seq} charges $${formatUsd(charged)} and takes $${formatUsd(drawn)} from the account.`,
    )
  }
  const moved = entry.postings.reduce((sum, { amount }) => sum + amount, 0n)
  const { least, most } = rule.total?.(amountOf(entry.terms)) ?? { least: moved, most: moved }
  if (moved < least || moved > most) {
    tell('unbalanced-entry', `Entry ${seq} moves $${formatUsd(moved)}, which is not what it says it does.`)
  }
  if (kind === 'closed') fold.closed = checkClosed(fold, entry, (message) => tell('wrong-invoice', message))
  if (kind === 'refunded') fold.refunded -= charged
  else if (kind !== 'adjusted') fold.charged += charged
}

type Tell = (kind: AuditFinding['kind'], message: string, source?: Source) => void

function foldTerms(fold: Fold, { kind, terms = {} }: JournalEntry): void {
  if (kind === 'configured') fold.configured = terms
  else if (kind === 'granted' && terms['kind'] === 'included') fold.included ??= terms
}

function openGrant(fold: Fold, { seq, postings, effectiveAtMs, terms }: JournalEntry, tell: Tell): void {
  for (const { source } of postings) {
    if (fold.sources.has(source))
      tell('repeated-operation', `Entry ${seq} issues ${source} a second time.`, source)
    else
      fold.sources.set(source, {
        source,
        buckets: emptyBuckets(),
        effectiveAtMs,
        terms: terms ?? {},
        movedAtMs: 0,
      })
  }
}

function foldPosting(
  fold: Fold,
  rule: KindRule,
  posting: Posting,
  tell: Tell,
  { seq, recordedAtMs }: JournalEntry,
): void {
  const { source, from, to, amount } = posting
  const folded = sourceOf(fold, source)
  if (folded === undefined) {
    tell('impossible-posting', `Entry ${seq} moves money of ${source}, which was never issued.`, source)
    return
  }
  if (amount <= 0n || !rule.moves.includes(`${from}>${to}`)) {
    tell(
      'impossible-posting',
      `Entry ${seq} moves $${formatUsd(amount)} of ${source} from ${from} to ${to}, which such an entry may not.`,
      source,
    )
  }
  folded.movedAtMs = recordedAtMs
  folded.buckets[from] -= amount
  folded.buckets[to] += amount
  if (folded.buckets[from] < 0n && !origins.includes(from)) {
    tell(
      'impossible-posting',
      `Entry ${seq} takes $${formatUsd(amount)} from ${from} of ${source}, $${formatUsd(-folded.buckets[from])} more than there is.`,
      source,
    )
  }
}

/** Grants have to be issued; an overage line is there once something is drawn from it. */
function sourceOf(fold: Fold, source: Source): FoldedSource | undefined {
  const known = fold.sources.get(source)
  if (known !== undefined || !source.startsWith('overage:')) return known
  const line = { source, buckets: emptyBuckets(), effectiveAtMs: 0, terms: {}, movedAtMs: 0 }
  fold.sources.set(source, line)
  return line
}

function emptyBuckets(): Record<Bucket, bigint> {
  return { issued: 0n, available: 0n, settled: 0n, expired: 0n, voided: 0n, limit: 0n, used: 0n }
}

/** Per attempt: `cost = charged + absorbed`, all of them ≥ 0, and what is absorbed has a reason. */
function foldAttempt(fold: Fold, attempt: ReceiptAttempt, tell: Tell): void {
  const { attemptId, cost, charged, absorbed, absorbedReason } = attempt
  fold.attempts += 1
  if (charged < 0n || absorbed < 0n || charged + absorbed !== (cost ?? 0n)) {
    tell(
      'unbalanced-attempt',
      `Attempt ${attemptId} cost ${cost === null ? 'nobody knows what' : `$${formatUsd(cost)}`}, of which ` +
        `$${formatUsd(charged)} was charged and $${formatUsd(absorbed)} absorbed.`,
    )
  }
  if (absorbed !== 0n && absorbedReason === undefined) {
    tell(
      'unbalanced-attempt',
      `Of attempt ${attemptId} $${formatUsd(absorbed)} was absorbed without a reason.`,
    )
  }
  fold.absorbed += absorbed
  if (absorbed !== 0n) {
    const reason = absorbedReason ?? 'none'
    fold.absorbedBy[reason] = (fold.absorbedBy[reason] ?? 0n) + absorbed
  }
}

/** What postings take from the customer, less what they give back. */
function drawnBy(postings: readonly Posting[]): bigint {
  let drawn = 0n
  for (const { from, to, amount } of postings) {
    if (isPaid(to)) drawn += amount
    if (isPaid(from)) drawn -= amount
  }
  return drawn
}

function isPaid(bucket: Bucket): boolean {
  return bucket === 'settled' || bucket === 'used'
}
