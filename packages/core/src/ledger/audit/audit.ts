import { setImmediate } from 'node:timers/promises'
import type { Nano } from '../../money.ts'
import type { Account } from '../account.ts'
import { emptyChain, type JournalEntry } from '../entry.ts'
import { createOpIdSet, type OpIdSet } from '../op-id-set.ts'
import type { PlanTable } from '../plan.ts'
import type { Cut, StoredEntry, Value } from '../storage.ts'
import { decodeValue } from '../value-text.ts'
import { type ChainMark, createChainCheck } from './chain.ts'
import { isEntry } from './entry.ts'
import { emptyFold, type Fold, foldEntry } from './fold.ts'
import { compareHead, isHead } from './head.ts'
import { compareHolds } from './holds.ts'
import { createPriceCheck, type PriceCheck, type RateAttempt } from './prices.ts'
import { findRepeats } from './repeats.ts'
import { type AuditReport, createFindings, type Findings } from './report.ts'

export interface AuditOptions {
  /** What an earlier audit saw as the journal's end: `seq` and `chain` of its report. Proves that nothing up to there changed. */
  readonly since?: ChainMark
  /** Findings, and drifts, that the report lists. All of them are counted. @default 100 */
  readonly findingsMax?: number
  /** Told after each page of the journal how many entries are done, and how many there are. */
  readonly onProgress?: (done: bigint, all: bigint) => void
  /** Ends the audit before its next page; it rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** The plan of accounts that were never configured; `null` when it is not known. @default the plan table's */
  readonly defaultPlanId?: string | null
}

/** What an audit reads an account with, and what it compares with. */
export interface AuditSource {
  /** The head with all open holds in `due`, as far as one reading goes. */
  readonly readHead: (accountId: string) => Promise<Cut>
  readonly readJournal: (
    accountId: string,
    afterSeq: bigint,
    limit: number,
  ) => Promise<readonly StoredEntry[]>
  readonly rate: RateAttempt
  readonly plans: PlanTable
}

/** Entries read at a time: some milliseconds of work, after which the event loop gets its turn. */
const pageMax = 500

/**
 * Replays the journal of an account, page by page, and proves that it is whole, that it adds up to the head, and that no
 * attempt costs more than its provider charges. Writes nothing, and may run while the account is in use: it proves the
 * account as it was when it began. Its memory grows with the number of grants, and by sixteen bytes an entry up to 64 MiB.
 */
export async function audit(
  source: AuditSource,
  accountId: string,
  options: AuditOptions = {},
): Promise<AuditReport> {
  const { since, findingsMax = 100, onProgress, signal } = options
  const { defaultPlanId = source.plans.defaultPlanId } = options
  const findings = createFindings(accountId, findingsMax)
  const cut = await source.readHead(accountId)
  const head = readHead(cut.head, findings)
  const replay: Replay = {
    chain: createChainCheck(findings, since),
    fold: emptyFold(),
    prices: createPriceCheck(source.rate, findings, findingsMax),
    opIds: createOpIdSet(),
    suspects: new Map(),
    findings,
  }
  const { chain, fold, prices, suspects } = replay
  // Without a head that can be read, everything that is there is replayed.
  const all = head?.seq ?? BigInt(Number.MAX_SAFE_INTEGER)
  let last: StoredEntry | undefined
  while (chain.seq < all) {
    signal?.throwIfAborted()
    const limit = all - chain.seq < BigInt(pageMax) ? Number(all - chain.seq) : pageMax
    const page = await source.readJournal(accountId, last?.seq ?? 0n, limit)
    const before = last
    for (const entry of page) {
      // Behind a gap a page reaches further than the head did.
      if (entry.seq > all) break
      replayEntry(replay, entry)
      last = entry
    }
    if (last === before) break
    onProgress?.(chain.seq, head === undefined ? chain.seq : all)
    await setImmediate()
  }
  chain.end(head)
  if (suspects.size > 0) await findRepeats(source.readJournal, accountId, suspects, findings)
  let holds: AuditReport['holds'] = { compared: 0, isComplete: true }
  if (head !== undefined) {
    await findBeyond(source, accountId, head.seq, findings)
    compareHead(head, fold, defaultPlanId, findings)
    holds = compareHolds(head, cut, findings)
  } else if (cut.head === null && last !== undefined) {
    findings.add({ kind: 'wrong-head', seq: null, message: 'The account has a journal and no head.' })
  }
  return {
    accountId,
    isSound: findings.count === 0,
    seq: last?.seq ?? 0n,
    chain: last?.hash ?? emptyChain,
    entries: fold.entries,
    grants: [...fold.sources.keys()].filter((name) => name.startsWith('grant:')).length,
    attempts: fold.attempts,
    holds,
    prices: prices.result(),
    totals: {
      cost: (fold.charged + fold.absorbed) as Nano,
      charged: fold.charged as Nano,
      absorbed: fold.absorbed as Nano,
      absorbedBy: fold.absorbedBy as Readonly<Record<string, Nano>>,
    },
    findings: findings.list,
    findingsCount: findings.count,
  }
}

interface Replay {
  readonly chain: ReturnType<typeof createChainCheck>
  readonly fold: Fold
  readonly prices: PriceCheck
  readonly opIds: OpIdSet
  /** Operations that seem to be there twice, with the later entry. */
  readonly suspects: Map<string, bigint>
  readonly findings: Findings
}

/** At most this many operations that seem to be there twice are looked at again. */
const suspectsMax = 1000

function replayEntry({ chain, fold, prices, opIds, suspects, findings }: Replay, stored: StoredEntry): void {
  if (!chain.follow(stored)) return
  const entry = decodeEntry(stored)
  if (entry === undefined) {
    const message = `Entry ${stored.seq} can not be read as an entry.`
    findings.add({ kind: 'unreadable-entry', seq: stored.seq, message })
    return
  }
  if (opIds.add(entry.opId) && suspects.size < suspectsMax) suspects.set(entry.opId, entry.seq)
  foldEntry(fold, entry, findings)
  prices.check(entry)
}

function decodeEntry({ seq, text, hash }: StoredEntry): JournalEntry | undefined {
  let value: Value
  try {
    value = decodeValue(text)
  } catch {
    return undefined
  }
  return isEntry(value) ? { ...(value as unknown as JournalEntry), seq, hash } : undefined
}

function readHead(head: Value | null, findings: Findings): Account | undefined {
  if (head === null) return undefined
  if (isHead(head)) return head as Account
  findings.add({ kind: 'wrong-head', seq: null, message: 'The head can not be read as an account.' })
  return undefined
}

/** An entry beyond the head is either newer than the head that was read, or nobody counted it. */
async function findBeyond(
  { readHead: read, readJournal }: AuditSource,
  accountId: string,
  seq: bigint,
  findings: Findings,
): Promise<void> {
  const [beyond] = await readJournal(accountId, seq, 1)
  if (beyond === undefined) return
  const { head } = await read(accountId)
  if (isHead(head) && (head as Account).seq >= beyond.seq) return
  findings.add({
    kind: 'misplaced-entry',
    seq: beyond.seq,
    message: `Entry ${beyond.seq} is beyond the head, which counts ${seq}: it was inserted, or the head was set back.`,
  })
}
