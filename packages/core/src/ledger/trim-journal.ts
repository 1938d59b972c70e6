import { setImmediate } from 'node:timers/promises'
import type { Access } from './access.ts'
import { createChainCheck } from './audit/chain.ts'
import { decodeEntry, unreadable } from './audit/entry.ts'
import { emptyFold, type Fold, foldEntry } from './audit/fold.ts'
import { foldOfValue } from './audit/fold-value.ts'
import { createFindings, type Findings } from './audit/report.ts'
import { emptyChain, type JournalEntry } from './entry.ts'
import { type JournalBase, tellsOf } from './journal-base.ts'
import type { PlanTable } from './plan.ts'
import type { Statements } from './statements.ts'
import { type TrimPlace, trimKeys, trimPlace, trimStep } from './trim.ts'

export interface TrimAccountRequest {
  readonly accountId: string
  /** Who must have acknowledged an entry before it may go. */
  readonly consumers: readonly string[]
  /** How old an entry must be, in milliseconds: more than 400 days. */
  readonly olderThanMs: number
  /** Looks and proves, and changes nothing. */
  readonly isDryRun: boolean
  readonly signal?: AbortSignal | undefined
  /** Told after each page how many more entries were read. */
  readonly onRead?: ((entries: number) => void) | undefined
}

export type TrimAccountResult =
  | {
      readonly outcome: 'trimmed'
      /** How many entries went, or would go. */
      readonly entries: bigint
      /** A consumer that keeps entries from going that are old enough. */
      readonly waitsFor?: string
    }
  /** The journal is not what was written, so nothing of it may go: see what the audit says. */
  | { readonly outcome: 'unsound'; readonly message: string }

export interface TrimContext {
  readonly access: Access
  readonly statements: Pick<Statements, 'fold'>
  readonly plans: PlanTable
  /**
   * Entries in one step: each leaves an entry about itself, and a run that broke off goes on with the next.
   *
   * @default 50000
   */
  readonly stepMax?: number
}

/** An account that fewer entries may go of is left alone: the entry that tells of it would be most of what was gained. */
const trimLeast = 100

const pageMax = 500

/**
 * Takes entries that nobody needs any more out of the journal of one account, step by step, each proved before it goes.
 * Safe to break off, to repeat, and to run beside others.
 */
export async function trimJournal(
  context: TrimContext,
  request: TrimAccountRequest,
): Promise<TrimAccountResult> {
  const { access, plans, stepMax = 50_000 } = context
  const { accountId, consumers, isDryRun } = request
  const findings = createFindings(accountId, 1)
  let entries = 0n
  for (let dry: Progress | undefined; ; ) {
    const place = await readPlace(context, request)
    const beforeMs = place.now - request.olderThanMs
    const isOld: IsOld = (entry) => entry === undefined || entry.recordedAtMs < beforeMs
    if (!isDryRun && place.base !== undefined) await forgetRest(access, accountId, place.base)
    const start = dry ?? (await beginningOf(access, accountId, place.base, findings))
    const [next] = await access.journal(accountId, start.seq, 1)
    if (next === undefined || !isOld(decodeEntry(next))) return { outcome: 'trimmed', entries }
    const read = await readOld(access, request, { start, through: place.free, stepMax, isOld, findings })
    const [finding] = findings.list
    if (finding !== undefined) return { outcome: 'unsound', message: finding.message }
    const gained = read.seq - start.seq
    const waitsFor = await consumerBehind(access, accountId, { behind: place.behind, read, isOld })
    if (gained < trimLeast) return { outcome: 'trimmed', entries, ...waitsFor }
    if (isDryRun) {
      dry = read
    } else {
      const { seq, chain, fold } = read
      if (place.summed < seq) await context.statements.fold(accountId, Number.MAX_SAFE_INTEGER)
      const step = trimStep({ accountId, consumers, beforeMs, from: start.seq, seq, chain, fold }, plans)
      const { outcome } = await access.run(accountId, trimKeys(consumers), step, allHolds)
      // Somebody else trims this account right now, or uses it: what is left comes with the next run.
      if (outcome === 'moved') return { outcome: 'trimmed', entries }
      await access.forget(accountId, seq)
    }
    entries += gained
    if (gained < stepMax) return { outcome: 'trimmed', entries, ...waitsFor }
  }
}

/** How far the journal was read: the last entry, its hash, and what everything up to there adds up to. */
interface Progress {
  readonly seq: bigint
  readonly chain: string
  readonly fold: Fold
}

/**
 * Entries are recorded in the order of the account's time, so those that are old come first. One that can not be read counts as
 * old: it is found then, where nothing behind it could ever go.
 */
type IsOld = (entry: JournalEntry | undefined) => boolean

/** With all open holds in the cut. */
const allHolds = { dueBy: Number.MAX_SAFE_INTEGER, dueMax: 1000 } as const

function readPlace(
  { access }: TrimContext,
  { accountId, consumers }: TrimAccountRequest,
): Promise<TrimPlace> {
  return access.run(accountId, trimKeys(consumers), trimPlace(consumers), allHolds)
}

/** Deletes what a run has left that broke off after its step. */
async function forgetRest(access: Access, accountId: string, base: JournalBase): Promise<void> {
  const [first] = await access.journal(accountId, 0n, 1)
  if (first !== undefined && first.seq <= base.seq) await access.forget(accountId, base.seq)
}

/** A base that somebody has changed must not be folded on: the next one would look as if it were right. */
async function beginningOf(
  access: Access,
  accountId: string,
  base: JournalBase | undefined,
  findings: Findings,
): Promise<Progress> {
  if (base === undefined) return { seq: 0n, chain: emptyChain, fold: emptyFold() }
  const told = await access.entry(accountId, base.toldBy)
  if (told === undefined || !tellsOf(base, told)) {
    const message = 'The base of the journal is not the one that its entry tells of.'
    findings.add({ kind: 'wrong-base', seq: base.toldBy, message })
  }
  return { seq: base.seq, chain: base.chain, fold: foldOfValue(base.fold) }
}

interface OldEntries {
  readonly start: Progress
  readonly through: bigint
  readonly stepMax: number
  readonly isOld: IsOld
  readonly findings: Findings
}

/** Reads and proves entries that may go, as many as one step takes. */
async function readOld(
  access: Access,
  { accountId, signal, onRead }: TrimAccountRequest,
  { start, through, stepMax, isOld, findings }: OldEntries,
): Promise<Progress> {
  const chain = createChainCheck(findings, undefined, { seq: start.seq, chain: start.chain })
  const { fold } = start
  let last: Pick<Progress, 'seq' | 'chain'> = start
  while (last.seq < through && last.seq - start.seq < stepMax && findings.count === 0) {
    signal?.throwIfAborted()
    const left = through - last.seq
    const page = await access.journal(accountId, last.seq, left < pageMax ? Number(left) : pageMax)
    let read = 0
    for (const stored of page) {
      const entry = decodeEntry(stored)
      if (!isOld(entry)) break
      if (entry === undefined) findings.add(unreadable(stored.seq))
      else if (chain.follow(stored)) foldEntry(fold, entry, findings)
      last = { seq: stored.seq, chain: stored.hash }
      read += 1
    }
    onRead?.(read)
    if (read < pageMax) break
    // Each page is some milliseconds of work, after which requests get their turn.
    await setImmediate()
  }
  chain.end(undefined)
  return { ...last, fold }
}

/** A consumer that keeps entries from going that are old enough. */
async function consumerBehind(
  access: Access,
  accountId: string,
  { behind, read, isOld }: Pick<TrimPlace, 'behind'> & { readonly read: Progress; readonly isOld: IsOld },
): Promise<{ readonly waitsFor?: string }> {
  if (behind === undefined || behind.seq > read.seq) return {}
  const [next] = await access.journal(accountId, read.seq, 1)
  return next !== undefined && isOld(decodeEntry(next)) ? { waitsFor: behind.consumer } : {}
}
