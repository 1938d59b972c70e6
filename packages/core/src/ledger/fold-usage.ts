import type { Account, Source } from './account.ts'
import type { Beginning } from './account-periods.ts'
import type { JournalEntry } from './entry.ts'
import { grantKey } from './grant.ts'
import { includedPrefix } from './included.ts'
import {
  type LateSums,
  lateSumsKey,
  noSums,
  type PeriodSums,
  periodSumsKey,
  sumPeriods,
} from './period-sums.ts'
import type { Cut, Key, Put, Reduce, Value } from './storage.ts'
import { type Tally, tally } from './tally.ts'
import { addTerms, type TermsHistory } from './terms-history.ts'
import { addToDay, dayOf, type UsageDay, type UsageRow, usageDayKey } from './usage-day.ts'
import type { Funding } from './usage-sums.ts'

/** How far usage has been added up, and what has to be remembered on the way. */
export type UsageCursor = {
  /** The last entry of the journal that is in the sums. */
  readonly seq: bigint
  /** `null` before the first entry. */
  readonly began: Beginning | null
  /** Since the last period that has its invoice. */
  readonly terms: TermsHistory
  /** The periods that have sums and no invoice yet. */
  readonly open: readonly string[]
}

export const usageCursorKey: Key = 'usage:cursor'

const start: UsageCursor = { seq: 0n, began: null, terms: [], open: [] }

export function readCursor(cut: Cut): UsageCursor {
  return (cut.records.get(usageCursorKey) as UsageCursor | undefined) ?? start
}

export interface FoldRequest {
  /** Entries of the journal, the first right after the cursor. */
  readonly entries: readonly JournalEntry[]
}

export type FoldResult =
  | { readonly outcome: 'folded'; readonly seq: bigint }
  /** The cursor stands elsewhere: somebody else has added them up. */
  | { readonly outcome: 'moved'; readonly seq: bigint }
  /** A busy day has further records: run again with these keys too. */
  | { readonly outcome: 'more-keys'; readonly keys: readonly Key[] }

/** The records that folding these entries needs. */
export function foldKeys(entries: readonly JournalEntry[]): readonly Key[] {
  const keys = new Set<Key>([usageCursorKey, lateSumsKey])
  for (const entry of entries) {
    const periodKey = entry.terms?.['periodKey']
    if (typeof periodKey === 'string') keys.add(periodSumsKey(periodKey))
    if (!isUsage(entry)) continue
    keys.add(usageDayKey(dayOf(entry.effectiveAtMs)))
    for (const { source } of entry.postings) {
      const grantId = grantOf(source)
      if (grantId?.startsWith(includedPrefix) === false) keys.add(grantKey(grantId))
    }
  }
  return [...keys]
}

/**
 * Adds entries of the journal to the sums kept of them: usage by day, and what the next invoices say. Each entry counts
 * once, whoever folds: the sums and the cursor that tells how far they go are written together.
 */
export function foldUsage({ entries }: FoldRequest): Reduce<FoldResult> {
  return (cut) => {
    const cursor = readCursor(cut)
    const [first, last] = [entries[0], entries.at(-1)]
    if (cut.head === null || first === undefined || last === undefined || first.seq !== cursor.seq + 1n) {
      return { result: { outcome: 'moved', seq: cursor.seq } }
    }
    const missing = missingPages(cut, entries)
    if (missing.length > 0) return { result: { outcome: 'more-keys', keys: missing } }
    const sums = tally(entries, (source) => fundingOf(cut, source))
    const periods = putPeriods(cut, sums.periods)
    const moved: UsageCursor = {
      seq: last.seq,
      began: cursor.began ?? beginningOf(first),
      terms: entries.reduce(addTerms, cursor.terms),
      open: [...new Set([...cursor.open, ...periods.open])].toSorted(),
    }
    const put: Put[] = [replace(usageCursorKey, moved), ...putDays(cut, sums.days), ...periods.put]
    // The head stays as it is: nothing of the money has changed.
    return { result: { outcome: 'folded', seq: last.seq }, write: { head: cut.head, put } }
  }
}

function isUsage({ kind, attempts }: JournalEntry): boolean {
  return attempts !== undefined || kind === 'refunded'
}

/** Keys of the further pages of these entries' days that were not asked for. Pages are never forgotten, so those are there. */
function missingPages(cut: Cut, entries: readonly JournalEntry[]): readonly Key[] {
  const days = new Set(entries.filter(isUsage).map(({ effectiveAtMs }) => dayOf(effectiveAtMs)))
  return [...days].flatMap((day) => pageKeys(cut, day).filter((key) => !cut.records.has(key)))
}

function pageKeys(cut: Cut, day: string): Key[] {
  const first = cut.records.get(usageDayKey(day)) as UsageDay | undefined
  return Array.from({ length: first?.pages ?? 0 }, (_, page) => usageDayKey(day, page))
}

function putDays(cut: Cut, days: Tally['days']): readonly Put[] {
  return [...days].flatMap(([day, rows]) => {
    const pages = pageKeys(cut, day).map(
      (key) => (cut.records.get(key) as { rows: readonly UsageRow[] }).rows,
    )
    return addToDay(day, pages, rows).map(({ key, value }) => replace(key, value))
  })
}

function beginningOf({ kind, recordedAtMs, terms }: JournalEntry): Beginning {
  // With a period in its terms, the anchor day was set when the account was in use already: the next period begins with it.
  const isAtOnce = kind === 'configured' && terms?.['periodKey'] === undefined
  const anchorDay = isAtOnce ? terms?.['anchorDay'] : null
  return { atMs: recordedAtMs, anchorDay: typeof anchorDay === 'number' ? anchorDay : null }
}

/** Earlier periods that one invoice names. Refunds are possible for fewer months than that. */
const latePeriodsMax = 36

/** What belongs to a period that had its invoice goes on the next one. */
function putPeriods(
  cut: Cut,
  periods: Tally['periods'],
): { readonly put: readonly Put[]; readonly open: readonly string[] } {
  const { closedThrough } = cut.head as Account
  const put: Put[] = []
  const late: Record<string, PeriodSums> = {
    ...(cut.records.get(lateSumsKey) as LateSums | undefined)?.periods,
  }
  const open: string[] = []
  let isLate = false
  for (const [periodKey, sums] of periods) {
    if (closedThrough != null && periodKey <= closedThrough) {
      const key = lateKey(late, periodKey)
      late[key] = sumPeriods([late[key] ?? noSums, sums])
      isLate = true
      continue
    }
    open.push(periodKey)
    const key = periodSumsKey(periodKey)
    const present = cut.records.get(key) as PeriodSums | undefined
    put.push(replace(key, sumPeriods([present ?? noSums, sums])))
  }
  if (isLate) put.push(replace(lateSumsKey, { periods: late }))
  return { put, open }
}

/** What is late belongs to its period; when there are too many, to the oldest of them. */
function lateKey(late: Readonly<Record<string, PeriodSums>>, periodKey: string): string {
  const known = Object.keys(late).toSorted()
  return known.length < latePeriodsMax || known.includes(periodKey) ? periodKey : (known[0] ?? periodKey)
}

function replace(key: Key, value: Value | UsageCursor | PeriodSums | LateSums): Put {
  return { key, value: value as Value, mode: 'replace' }
}

function fundingOf(cut: Cut, source: Source): Funding {
  const grantId = grantOf(source)
  if (grantId === undefined) return 'overage'
  if (grantId.startsWith(includedPrefix)) return 'included'
  const granted = cut.records.get(grantKey(grantId)) as
    | { readonly grant: { readonly kind: Funding } }
    | undefined
  return granted?.grant.kind ?? 'purchased'
}

function grantOf(source: Source): string | undefined {
  return source.startsWith('grant:') ? source.slice('grant:'.length) : undefined
}
