import type { Clock, Decision, Key } from '@farebox/core'
import { type AccountCache, type Call, cutOf, type PreparedWrite, prepareWrite } from '@farebox/core/batching'
import { type AccountDraft, type BatchRows, draftAccount } from './account-draft.ts'
import type { CachedAccount } from './cached-account.ts'
import type { SqliteDatabase } from './database.ts'
import { isContention } from './fault.ts'
import { type RecordPlace, recordColumns, type Stamp, type Tables } from './tables.ts'
import { inTransaction, type TransactionMode } from './transaction.ts'

export type Outcome =
  | { readonly kind: 'decided'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }

export interface BatchResult {
  /** One for each call, in their order. */
  readonly outcomes: readonly Outcome[]
  /** Whether something else has written to the database since the last batch. */
  readonly isShared: boolean
}

export interface BatchContext {
  readonly database: SqliteDatabase
  readonly tables: Tables
  readonly cache: AccountCache<CachedAccount>
  readonly clock: Clock
}

interface TransactionResult extends BatchResult {
  readonly drafts: ReadonlyMap<string, AccountDraft>
  readonly stamp: Stamp
}

/** Expired records are deleted after this many others were written, twice as many: forgetting keeps up in small steps. */
const writesPerPurge = 256

/**
 * Decides calls one after another in one transaction, each on what the earlier ones wrote. A call that fails leaves
 * the others alone; when the transaction fails, this throws and none is applied.
 */
export function batchRunner({
  database,
  tables,
  cache,
  clock,
}: BatchContext): (calls: readonly Call[]) => BatchResult {
  let mode: TransactionMode = 'BEGIN'
  let last: Stamp | undefined
  let writesSincePurge = 0

  function runInTransaction(calls: readonly Call[]): TransactionResult {
    const now = clock.now()
    const stamp = tables.stamp()
    if (stamp.dataVersion !== last?.dataVersion || stamp.totalChanges !== last.totalChanges) cache.clear()
    const drafts = readAhead(calls, cache, tables)
    let isLocked = mode === 'BEGIN IMMEDIATE'
    const lock = (): void => {
      if (!isLocked) tables.lock()
      isLocked = true
    }
    const outcomes = calls.map((call) => decide(call, drafts.get(call.accountId) as AccountDraft, now, lock))
    writeAll(drafts.values(), now)
    return {
      outcomes,
      drafts,
      // Read before the commit, which does not change it: afterwards nothing may fail any more.
      stamp: { dataVersion: stamp.dataVersion, totalChanges: tables.totalChanges() },
      isShared: last !== undefined && stamp.dataVersion !== last.dataVersion,
    }
  }

  function writeAll(drafts: Iterable<AccountDraft>, now: number): void {
    const rows: BatchRows = { heads: [], records: [], journal: [] }
    for (const draft of drafts) draft.addRows(rows)
    tables.writeHeads(rows.heads)
    tables.writeRecords(rows.records)
    tables.writeJournal(rows.journal)
    writesSincePurge += rows.records.length / recordColumns
    if (writesSincePurge >= writesPerPurge) {
      tables.deleteExpired(now, 2 * writesSincePurge)
      writesSincePurge = 0
    }
  }

  return (calls) => {
    let result: TransactionResult
    try {
      result = inTransaction(database, mode, () => runInTransaction(calls))
    } catch (error) {
      // A batch that turns out to write after a plain BEGIN may find that another connection was faster. It runs again,
      // and must not lose that race twice.
      mode = isContention(error) ? 'BEGIN IMMEDIATE' : 'BEGIN'
      throw error
    }
    // Who only reads does not queue for the write lock.
    mode = 'BEGIN'
    last = result.stamp
    for (const draft of result.drafts.values()) {
      if (draft.isWritten) mode = 'BEGIN IMMEDIATE'
      cache.set(draft.accountId, draft.committed())
    }
    return { outcomes: result.outcomes, isShared: result.isShared }
  }
}

function readAhead(
  calls: readonly Call[],
  cache: AccountCache<CachedAccount>,
  tables: Tables,
): ReadonlyMap<string, AccountDraft> {
  const drafts = new Map<string, AccountDraft>()
  const keys = new Map<AccountDraft, Key[]>()
  for (const call of calls) {
    let draft = drafts.get(call.accountId)
    if (draft === undefined) {
      draft = draftAccount(call.accountId, cache.get(call.accountId), tables)
      drafts.set(call.accountId, draft)
      keys.set(draft, [])
    }
    keys.get(draft)?.push(...call.keys)
  }
  loadAll(drafts, keys, tables)
  return drafts
}

/** With one statement for all accounts: one for each of them takes most of the time of a batch of many. */
function loadAll(
  drafts: ReadonlyMap<string, AccountDraft>,
  keys: ReadonlyMap<AccountDraft, readonly Key[]>,
  tables: Tables,
): void {
  const places: RecordPlace[] = []
  for (const [accountId, draft] of drafts)
    for (const key of draft.unknown(keys.get(draft) ?? [])) places.push({ accountId, key })
  if (places.length === 0) return
  for (const { accountId, key, value } of tables.readRecordsOf(places))
    drafts.get(accountId)?.learn(key, value)
}

function decide(call: Call, draft: AccountDraft, now: number, lock: () => void): Outcome {
  // Only what belongs to this call is caught. A statement that fails may have ended the transaction, and then nothing
  // more must be written: such an error fails the batch.
  const due = draft.due(Math.max(now, call.dueBy), call.dueMax + 1)
  let decision: Decision<unknown>
  let write: PreparedWrite | undefined
  try {
    decision = call.reduce(cutOf(call, draft, due, now))
    if (decision.write !== undefined) write = prepareWrite(decision.write)
  } catch (error) {
    return { kind: 'failed', error }
  }
  if (write !== undefined) {
    lock()
    draft.load(write.puts.filter(({ put }) => put.mode === 'create').map(({ put }) => put.key))
    try {
      draft.apply(write)
    } catch (error) {
      return { kind: 'failed', error }
    }
  }
  return { kind: 'decided', result: decision.result }
}
