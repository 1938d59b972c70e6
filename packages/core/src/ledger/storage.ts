/**
 * Where the ledger lives. A store knows nothing about money: it offers one atomic read-modify-write of one account,
 * and every rule is in the reducer it is handed.
 */

import type { CounterStore } from './counter-store.ts'
import type { KeyStore } from './key-store.ts'

/** Milliseconds since 1970 UTC, by the store's clock. */
export type Instant = number

/** Plain data: what a store keeps without looking inside. `encodeValue` writes it as text and `decodeValue` reads it back. */
export type Value =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Value[]
  | { readonly [name: string]: Value | undefined }

/**
 * A record of an account, such as a hold, under a key unique in the account. Keys and account ids are well-formed Unicode
 * without NUL, at most 512 characters.
 */
export type Key = string

/** What an account looked like at one version. */
export interface Cut {
  /** `null` when the account was never written. */
  readonly head: Value | null
  /** The records asked for that exist. */
  readonly records: ReadonlyMap<Key, Value>
  /** Records whose `dueAt` has come, oldest first, at most 16 unless more were asked for. */
  readonly due: readonly { readonly key: Key; readonly value: Value }[]
  /** Whether more records are due than `due` holds. */
  readonly moreDue: boolean
  /** Counts the writes of this account; 0 before the first. */
  readonly version: bigint
  /** The store's clock. */
  readonly now: Instant
}

export interface Put {
  readonly key: Key
  readonly value: Value
  /** `create` refuses the whole write, with an error named `Conflict`, when the key exists. */
  readonly mode: 'create' | 'replace'
  /** When this record comes up in `due`; absent for never. */
  readonly dueAt?: Instant | undefined
  /** The record may be forgotten after this; absent for never. */
  readonly keepUntil?: Instant | undefined
}

/** One line of the journal, as it is stored: `text` is what was hashed. */
export interface StoredEntry {
  /** 1, 2, 3, … without gaps in each account. */
  readonly seq: bigint
  readonly text: string
  /** SHA-256 in hexadecimal over the previous entry's hash and `text`. */
  readonly hash: string
}

export interface Write {
  readonly head: Value
  readonly put?: readonly Put[]
  /** Follow the last entry without a gap; a store refuses anything else. */
  readonly append?: readonly StoredEntry[]
}

/** What a reducer decided. Without `write` nothing changes. */
export interface Decision<R> {
  readonly result: R
  readonly write?: Write | undefined
}

/** Pure and synchronous; may be run again on a newer cut. */
export type Reduce<R> = (cut: Cut) => Decision<R>

export interface TransactOptions {
  /** Also counts as due what becomes due until then. */
  readonly dueBy?: Instant
  /** How many due records to read, at most 1,000. Records due at the same time come in any order. @default 16 */
  readonly dueMax?: number
}

export interface StoreTraits {
  /** What survives: nothing, the loss of the process and power, a lagging replica, or the loss of a machine. */
  readonly durability: 'none' | 'local-fsync' | 'async-replica' | 'sync-replica'
  /** Who sees the same accounts. */
  readonly sharedBy: 'process' | 'host' | 'network'
}

export interface AccountPage {
  readonly accountIds: readonly string[]
  /** Hand it to the next call; `null` after the last page. A page before the last may be short, or even empty. */
  readonly cursor: string | null
}

export interface LedgerStore {
  readonly traits: StoreTraits

  /**
   * Reads one account, runs `reduce` on what it read, and applies the returned write, all or nothing.
   *
   * Writes to one account have a single order that agrees with real time, and each makes a new version, also where it
   * changes nothing: a write that was decided on an older one is never applied. A decision without a write was made on a
   * cut that was current at some moment during the call.
   *
   * @throws Unavailable when surely nothing was applied. @throws OutcomeUnknown when the caller must ask again by id.
   */
  transact<R>(
    accountId: string,
    keys: readonly Key[],
    reduce: Reduce<R>,
    options?: TransactOptions,
  ): Promise<R>

  /** Entries with `seq` above `afterSeq`, in order, at most `limit`. */
  journal(accountId: string, afterSeq: bigint, limit: number): Promise<readonly StoredEntry[]>

  /**
   * Forgets the entries up to `throughSeq`, which is below the account's last. Many are deleted in small steps, so that nobody
   * waits for it; a call that broke off is made again. Nothing else changes, and no version.
   *
   * Optional: without it a journal is kept as a whole.
   */
  trim?(accountId: string, throughSeq: bigint): Promise<void>

  /** Accounts that have a record due by then, or all of them, by id, at most `limit` a page. */
  scan(what: { readonly dueBy: Instant } | 'all', cursor: string | null, limit: number): Promise<AccountPage>

  /** Finishes what is under way and lets go of what the store itself opened, not of the host's handle. */
  close(): Promise<void>
}

/** Where state lives. */
export interface Storage {
  readonly ledger: LedgerStore
  /** Settings and encrypted keys of accounts. Without it everything works that needs none. */
  readonly keys?: KeyStore
  /** Rate limits. Without it each process counts by itself. */
  readonly counters?: CounterStore
}

/** Surely nothing was applied: the caller may try again or refuse. */
export class Unavailable extends Error {
  override readonly name: string = 'Unavailable'
}

/**
 * The store has forgotten writes of the account that it had answered, as a replica may that takes over. The account is
 * stopped rather than giving spent credit again.
 */
export class StoreRegressed extends Unavailable {
  override readonly name: string = 'StoreRegressed'
}

/** The write may have been applied. The caller repeats the operation with the same id. */
export class OutcomeUnknown extends Error {
  override readonly name: string = 'OutcomeUnknown'
}

/** By name, because a store may be built on another copy of this package. */
export function isUnavailable(error: unknown): error is Unavailable {
  return error instanceof Error && (error.name === 'Unavailable' || error.name === 'StoreRegressed')
}

export function isOutcomeUnknown(error: unknown): error is OutcomeUnknown {
  return error instanceof Error && error.name === 'OutcomeUnknown'
}
