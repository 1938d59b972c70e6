import { setImmediate } from 'node:timers/promises'
import type { Nano } from '../../money.ts'
import type { Account } from '../account.ts'
import { isJournalBase, type JournalBase, journalBaseKey } from '../journal-base.ts'
import type { PlanTable } from '../plan.ts'
import type { Cut, StoredEntry, Value } from '../storage.ts'
import { type JournalArchive, replayArchive } from './archive.ts'
import type { ChainMark } from './chain.ts'
import { compareHead, isHead } from './head.ts'
import { compareHolds } from './holds.ts'
import { createPriceCheck, type RateAttempt } from './prices.ts'
import { findRepeats } from './repeats.ts'
import { createReplay, type Replay, type ReplayOptions, replayEntry } from './replay.ts'
import { type AuditReport, createFindings, type Findings } from './report.ts'

export interface AuditOptions {
  /** What an earlier audit saw as the journal's end: `seq` and `chain` of its report. Proves that nothing up to there changed. */
  readonly since?: ChainMark
  /** What was exported of journals that were trimmed since: proves them from the first entry on. @default none */
  readonly archive?: JournalArchive
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
  for (let run = 1; ; run += 1) {
    const report = await auditOnce(source, accountId, options)
    if (report.isSound || run >= runsMax) return report
    // Somebody trims the journal that is being read: what is missing then is not lost.
    const { records } = await source.readHead(accountId)
    const base = records.get(journalBaseKey)
    if (!isJournalBase(base) || base.seq === (report.trimmed?.throughSeq ?? 0n)) return report
  }
}

const runsMax = 5

async function auditOnce(
  source: AuditSource,
  accountId: string,
  options: AuditOptions,
): Promise<AuditReport> {
  const { since, findingsMax = 100, onProgress, signal } = options
  const { defaultPlanId = source.plans.defaultPlanId } = options
  const findings = createFindings(accountId, findingsMax)
  const cut = await source.readHead(accountId)
  const head = readHead(cut.head, findings)
  const base = readBase(cut, findings)
  const prices = createPriceCheck(source.rate, findings, findingsMax)
  const { replay, isProved } = await beginReplay(accountId, { prices, findings, since, base }, options)
  const { chain, fold, suspects } = replay
  // Without a head that can be read, everything that is there is replayed.
  const all = head?.seq ?? BigInt(Number.MAX_SAFE_INTEGER)
  while (chain.seq < all) {
    signal?.throwIfAborted()
    const limit = all - chain.seq < BigInt(pageMax) ? Number(all - chain.seq) : pageMax
    const before = replay.last
    for (const entry of await source.readJournal(accountId, before.seq, limit)) {
      // Behind a gap a page reaches further than the head did.
      if (entry.seq > all) break
      replayEntry(replay, entry)
    }
    if (replay.last === before) break
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
  } else if (cut.head === null && replay.last.seq > 0n) {
    findings.add({ kind: 'wrong-head', seq: null, message: 'The account has a journal and no head.' })
  }
  return {
    accountId,
    isSound: findings.count === 0,
    seq: replay.last.seq,
    chain: replay.last.chain,
    trimmed: base === undefined ? null : { throughSeq: base.seq, isProved },
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

/** With an archive at the first entry, without one behind those that were trimmed. */
async function beginReplay(
  accountId: string,
  options: ReplayOptions,
  { archive }: AuditOptions,
): Promise<{ readonly replay: Replay; readonly isProved: boolean }> {
  const { base } = options
  if (base === undefined || archive === undefined) return { replay: createReplay(options), isProved: false }
  return replayArchive(archive, accountId, { ...options, base })
}

function readBase({ records }: Cut, findings: Findings): JournalBase | undefined {
  const stored = records.get(journalBaseKey)
  if (stored === undefined || isJournalBase(stored)) return stored
  const message = 'The base of the journal can not be read as one.'
  findings.add({ kind: 'wrong-base', seq: null, message })
  return undefined
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
