import assert from 'node:assert/strict'
import type { Entry, EntryKind, PlanTable, Posting, StoredEntry } from '@farebox/core'
import { type BookedAttempt, foldAttempts, foldRefund } from './fold-attempts.ts'
import { checkIncluded, foldTerms, type Included, limitOf, type Terms } from './fold-terms.ts'
import { type FoldedKey, foldKey } from './keys.ts'
import { type FoldedMember, foldMember } from './members.ts'
import { readEntry } from './read-entry.ts'

/** The account's terms and sums as the journal alone tells them. */
export interface Fold {
  readonly grants: Map<string, FoldedGrant>
  /** Used pay-as-you-go by period. */
  readonly used: Map<string, bigint>
  readonly opIds: Set<string>
  /** Every attempt that was booked, by request and attempt. */
  readonly attempts: Map<string, BookedAttempt>
  charged: bigint
  absorbed: bigint
  refunded: bigint
  /** What adjustments added to pay-as-you-go, less what they took off it. */
  adjusted: bigint
  /** What members were charged by period, less what they got back, and the caps they got. */
  readonly members: Map<string, FoldedMember>
  /** What keys under caps were charged, less what they got back. */
  readonly keys: Map<string, FoldedKey>
  recordedAtMs: number
  terms: Terms
  included: Included
  /** The highest spending limit the account ever had. */
  limitMax: bigint
}

export interface FoldedGrant {
  readonly terms: Readonly<Record<string, unknown>>
  readonly effectiveAtMs: number
  issued: bigint
  /** Available or held: holds are records, the journal does not know them. */
  available: bigint
  settled: bigint
  expired: bigint
  voided: bigint
  isVoid: boolean
}

/** Which entries may move money from where to where. */
const charges = [
  'available settled',
  'expired settled',
  'limit used',
  'available expired',
  'available voided',
] as const
const moves: Readonly<Record<EntryKind, readonly string[]>> = {
  configured: [],
  capped: [],
  granted: ['issued available'],
  expired: ['available expired'],
  voided: ['available voided'],
  settled: charges,
  provisional: charges,
  reconciled: charges,
  released: ['available expired', 'available voided'],
  refunded: ['settled available', 'settled expired', 'settled voided', 'used limit'],
  adjusted: ['available voided', 'limit used', 'used limit'],
  closed: [],
  trimmed: [],
}

/** Folds entries, from the first one or onward from what those before them have come to, which is changed. */
export function foldJournal(
  entries: readonly StoredEntry[],
  plans: PlanTable,
  fold: Fold = emptyFold(plans),
): Fold {
  for (const stored of entries) foldEntry(fold, stored.seq, readEntry(stored), plans)
  return fold
}

function emptyFold(plans: PlanTable): Fold {
  const terms: Terms = {
    planId: plans.defaultPlanId,
    seats: 1,
    spendingLimit: null,
    memberCap: null,
    anchorDay: null,
  }
  return {
    grants: new Map(),
    used: new Map(),
    opIds: new Set(),
    attempts: new Map(),
    charged: 0n,
    absorbed: 0n,
    refunded: 0n,
    adjusted: 0n,
    members: new Map(),
    keys: new Map(),
    recordedAtMs: 0,
    terms,
    included: { startMs: 0, best: 0n, pools: new Map() },
    limitMax: limitOf(terms, plans),
  }
}

function foldEntry(fold: Fold, seq: bigint, entry: Entry, plans: PlanTable): void {
  assert.ok(!fold.opIds.has(entry.opId), `operation ${entry.opId} was booked twice`)
  fold.opIds.add(entry.opId)
  assert.ok(entry.recordedAtMs >= fold.recordedAtMs, `entry ${seq} was recorded before the one before it`)
  fold.recordedAtMs = entry.recordedAtMs
  if (entry.kind === 'configured') foldTerms(fold, entry, plans)
  if (entry.kind === 'granted') foldGranted(fold, entry)
  foldMember(fold.members, entry)
  foldKey(fold.keys, entry)
  for (const posting of entry.postings) foldPosting(fold, seq, entry.kind, posting)
  switch (entry.kind) {
    case 'granted':
      if (entry.terms?.['kind'] === 'included') checkIncluded(fold, entry, plans)
      break
    case 'voided':
      foldVoided(fold, entry)
      break
    case 'settled':
    case 'provisional':
    case 'reconciled':
      foldAttempts(fold, seq, entry)
      break
    case 'refunded':
      foldRefund(fold, seq, entry)
      break
    case 'adjusted':
      foldAdjustment(fold, seq, entry)
      break
    default:
  }
}

function foldGranted(fold: Fold, entry: Entry): void {
  assert.equal(entry.postings.length, 1, 'a grant is issued in one posting')
  const { source } = entry.postings[0] as Posting
  assert.ok(!fold.grants.has(source), `${source} was granted twice`)
  fold.grants.set(source, {
    terms: entry.terms ?? {},
    effectiveAtMs: entry.effectiveAtMs,
    issued: 0n,
    available: 0n,
    settled: 0n,
    expired: 0n,
    voided: 0n,
    isVoid: false,
  })
}

function foldPosting(fold: Fold, seq: bigint, kind: EntryKind, { source, from, to, amount }: Posting): void {
  assert.ok(amount > 0n, `entry ${seq} moves ${amount} from ${source}`)
  assert.ok(moves[kind].includes(`${from} ${to}`), `entry ${seq}, ${kind}, moves money from ${from} to ${to}`)
  if (source.startsWith('overage:')) {
    assert.ok(from === 'limit' || to === 'limit', `entry ${seq} moves ${source} from ${from} to ${to}`)
    const period = source.slice('overage:'.length)
    const used = (fold.used.get(period) ?? 0n) + (to === 'used' ? amount : -amount)
    assert.ok(used >= 0n, `entry ${seq} takes pay-as-you-go of ${period} below zero`)
    fold.used.set(period, used)
    return
  }
  const grant = fold.grants.get(source)
  assert.ok(grant !== undefined, `entry ${seq} moves money of ${source}, which was never granted`)
  assert.ok(to !== 'limit' && to !== 'used' && to !== 'issued' && from !== 'limit' && from !== 'used')
  if (from === 'issued') grant.issued += amount
  else grant[from] -= amount
  grant[to] += amount
  for (const bucket of ['available', 'settled', 'expired', 'voided'] as const) {
    assert.ok(grant[bucket] >= 0n, `entry ${seq} takes ${bucket} of ${source} below zero`)
  }
}

function foldVoided(fold: Fold, { terms }: Entry): void {
  const grant = fold.grants.get(`grant:${String(terms?.['grantId'])}`)
  assert.ok(grant !== undefined, 'what was never granted was voided')
  if (terms?.['isWhole'] === true) grant.isVoid = true
}

function foldAdjustment(fold: Fold, seq: bigint, { postings, terms }: Entry): void {
  const amount = terms?.['amount'] as bigint
  const moved = postings.reduce((sum, posting) => sum + posting.amount, 0n)
  if (amount < 0n) {
    assert.equal(moved, -amount, `entry ${seq} takes another amount`)
    assert.ok(postings.every(({ to }) => to !== 'limit'))
  } else {
    assert.ok(moved <= amount, `entry ${seq} gives more`)
    assert.ok(postings.every(({ to }) => to === 'limit'))
  }
  for (const posting of postings) {
    if (posting.to === 'used') fold.adjusted += posting.amount
    if (posting.to === 'limit') fold.adjusted -= posting.amount
  }
}
