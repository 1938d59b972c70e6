import { assert } from '../assert.ts'
import { type Clock, systemClock } from '../clock.ts'
import { memoryCounters } from './memory-counters.ts'
import { memoryKeys } from './memory-keys.ts'
import type { Cut, Decision, Key, LedgerStore, Put, Storage, StoredEntry, Value } from './storage.ts'
import { Unavailable } from './storage.ts'

interface StoredRecord {
  readonly value: Value
  readonly dueAt: number | undefined
  readonly keepUntil: number | undefined
}

interface StoredAccount {
  head: Value | null
  version: bigint
  readonly records: Map<Key, StoredRecord>
  /** The keys of `records` that have a `dueAt`. */
  readonly waiting: Set<Key>
  /** Nothing is due before this. May be too early, never too late. */
  quietUntil: number
  readonly journal: StoredEntry[]
  writesSincePruning: number
}

/**
 * State in this process' memory: the development default and the reference for every other store. Nothing survives a
 * restart. Writes are applied synchronously, so two requests never see the same credit.
 */
export function memoryStorage({ clock = systemClock }: { readonly clock?: Clock } = {}): Storage {
  return { ledger: memoryLedger(clock), keys: memoryKeys(), counters: memoryCounters() }
}

function memoryLedger(clock: Clock): LedgerStore {
  const accounts = new Map<string, StoredAccount>()
  let isClosed = false

  function open(accountId: string): StoredAccount {
    if (isClosed) throw new Unavailable('The memory storage is closed.')
    return (
      accounts.get(accountId) ?? {
        head: null,
        version: 0n,
        records: new Map(),
        waiting: new Set(),
        quietUntil: Number.POSITIVE_INFINITY,
        journal: [],
        writesSincePruning: 0,
      }
    )
  }

  return {
    traits: { durability: 'none', sharedBy: 'process' },

    async transact(accountId, keys, reduce, { dueBy = 0, dueMax = 16 } = {}) {
      const account = open(accountId)
      const now = clock.now()
      const decision: Decision<unknown> = reduce(readCut(account, keys, Math.max(now, dueBy), dueMax, now))
      if (decision.write !== undefined) {
        refuseExisting(account, decision.write.put)
        refuseGap(account, decision.write.append)
        account.head = decision.write.head
        account.version += 1n
        for (const put of decision.write.put ?? []) keep(account, put)
        if (decision.write.append !== undefined) account.journal.push(...decision.write.append)
        accounts.set(accountId, account)
        prune(account, now)
      }
      return decision.result as never
    },

    async journal(accountId, afterSeq, limit) {
      const { journal } = open(accountId)
      // Sequence numbers have no gaps, so they are positions, counted from the first that is left.
      const start = Math.max(0, Number(afterSeq - firstSeq(journal)) + 1)
      return journal.slice(start, start + limit)
    },

    async trim(accountId, throughSeq) {
      const { journal } = open(accountId)
      journal.splice(0, Math.max(0, Number(throughSeq - firstSeq(journal)) + 1))
    },

    async scan(what, cursor, limit) {
      open('')
      const accountIds = [...accounts]
        .filter(
          ([id, account]) =>
            (cursor === null || id > cursor) && (what === 'all' || isDue(account, what.dueBy)),
        )
        .map(([id]) => id)
        .sort()
        .slice(0, limit)
      return { accountIds, cursor: accountIds.length < limit ? null : (accountIds.at(-1) ?? null) }
    },

    async close() {
      isClosed = true
      accounts.clear()
    },
  }
}

function firstSeq(journal: readonly StoredEntry[]): bigint {
  return journal[0]?.seq ?? 1n
}

function readCut(
  account: StoredAccount,
  keys: readonly Key[],
  dueBy: number,
  dueMax: number,
  now: number,
): Cut {
  const records = new Map<Key, Value>()
  for (const key of keys) {
    const record = account.records.get(key)
    if (record !== undefined) records.set(key, record.value)
  }
  const due = dueRecords(account, dueBy)
  return {
    head: account.head,
    records,
    due: due.length > dueMax ? due.slice(0, dueMax) : due,
    moreDue: due.length > dueMax,
    version: account.version,
    now,
  }
}

function dueRecords(account: StoredAccount, dueBy: number): { key: Key; value: Value; dueAt: number }[] {
  const due: { key: Key; value: Value; dueAt: number }[] = []
  if (dueBy < account.quietUntil) return due
  account.quietUntil = Number.POSITIVE_INFINITY
  for (const key of account.waiting) {
    const record = account.records.get(key)
    if (record?.dueAt === undefined) continue
    account.quietUntil = Math.min(account.quietUntil, record.dueAt)
    if (record.dueAt <= dueBy) due.push({ key, value: record.value, dueAt: record.dueAt })
  }
  // By key where the time is the same, so that every store looks after them in one order.
  return due.length < 2 ? due : due.sort((a, b) => a.dueAt - b.dueAt || (a.key < b.key ? -1 : 1))
}

function isDue(account: StoredAccount, dueBy: number): boolean {
  return dueRecords(account, dueBy).length > 0
}

function refuseExisting(account: StoredAccount, puts: readonly Put[] | undefined): void {
  for (const put of puts ?? []) {
    if (put.mode === 'create' && account.records.has(put.key)) {
      const error = new Error(`The record "${put.key}" exists already.`)
      error.name = 'Conflict'
      throw error
    }
  }
}

function refuseGap(account: StoredAccount, entries: readonly StoredEntry[] | undefined): void {
  let last = account.journal.at(-1)?.seq ?? 0n
  for (const { seq } of entries ?? []) {
    const previous = last
    assert(seq === previous + 1n, () => `entry ${seq} does not follow entry ${previous}`)
    last = seq
  }
}

function keep(account: StoredAccount, put: Put): void {
  account.records.set(put.key, { value: put.value, dueAt: put.dueAt, keepUntil: put.keepUntil })
  if (put.dueAt === undefined) {
    account.waiting.delete(put.key)
  } else {
    account.waiting.add(put.key)
    account.quietUntil = Math.min(account.quietUntil, put.dueAt)
  }
}

/** Forgets records past their time, now and then, so that each write stays cheap. */
function prune(account: StoredAccount, now: number): void {
  account.writesSincePruning += 1
  if (account.writesSincePruning < 4096) return
  account.writesSincePruning = 0
  for (const [key, record] of account.records) {
    if (record.keepUntil !== undefined && record.keepUntil < now) account.records.delete(key)
  }
}
