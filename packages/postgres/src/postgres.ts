import { type Clock, type LedgerStore, type Storage, type StoreTraits, Unavailable } from '@farebox/core'
import {
  accountCache,
  type CachedAccount,
  checkText,
  contention,
  hostClock,
  serverClock,
} from '@farebox/core/batching'
import { batchRunner } from './batch.ts'
import { connections as connectionsOf } from './connections.ts'
import { postgresCounters } from './counters.ts'
import { togetherRunner } from './gather.ts'
import { postgresKeys } from './keys.ts'
import { mailboxes } from './mailboxes.ts'
import type { PostgresPool } from './pool.ts'
import { schemaCheck } from './schema.ts'
import { tableNames } from './table-names.ts'
import { tables as tablesOf } from './tables.ts'
import { trim } from './trim.ts'

export interface PostgresOptions {
  /** The schema that holds the tables. Several gateways that share it share their accounts. @default 'farebox' */
  readonly schema?: string
  /** @default the clock of the database server */
  readonly clock?: Clock
  /** How long a call waits for a connection of the pool, or for an account that another process has locked. @default 5000 */
  readonly waitTimeoutMs?: number
  /** How long the server may take to answer. Then the connection is given up, and a write has an unknown outcome. @default 10000 */
  readonly answerTimeoutMs?: number
  /** Whether connections keep the store's statements prepared. Not behind a pooler that forgets them. @default false */
  readonly preparesStatements?: boolean
  /**
   * Whether accounts that are written at the same moment share a statement and its commit. Not where they live on several
   * machines, as with Citus: there each statement has to name one. @default true
   */
  readonly sharesStatements?: boolean
  /** Whether to work on a server that may forget answered writes (`synchronous_commit` or `fsync` off). @default false */
  readonly acceptsLoss?: boolean
}

/** Accounts in one statement. */
const accountsMax = 128
const cachedCharsMax = 16 * 1024 * 1024
/** However many a reducer asks for: `moreDue` tells it the rest. */
const dueMost = 1000

/**
 * Keeps state in a PostgreSQL database of the host, for any number of processes: every answered write is as safe as the
 * server's own commits.
 *
 * `pool` is a `Pool` of `pg` and stays the host's, who ends it after `close()`. Nothing is asked before the first call,
 * which checks that the migrations have run. Calls to one account that wait at the same time share a commit.
 *
 * @throws Error when the schema is not a plain identifier.
 */
export function postgres(pool: PostgresPool, options: PostgresOptions = {}): Storage {
  const { schema = 'farebox', waitTimeoutMs = 5000, answerTimeoutMs = 10_000 } = options
  const names = tableNames(schema)
  const check = schemaCheck({ names, acceptsLoss: options.acceptsLoss ?? false })
  listenTo(pool)
  const connections = connectionsOf(pool, { waitTimeoutMs, answerTimeoutMs, prepare: check.ensure })
  const clock = options.clock === undefined ? serverClock() : hostClock(options.clock)
  const preparesStatements = options.preparesStatements ?? false
  const tables = tablesOf({
    names,
    hasServerTime: options.clock === undefined,
    preparesStatements,
    waitTimeoutMs,
  })
  const races = contention()
  const context = { tables, cache: accountCache<CachedAccount<bigint>>(cachedCharsMax), clock, races }
  const queue = mailboxes({
    connections,
    run: batchRunner(context),
    runTogether: togetherRunner(context),
    accountsMax: options.sharesStatements === false ? 1 : accountsMax,
    isContended: races.isContended,
  })
  let isClosed = false

  const ledger: LedgerStore = {
    // A server that promises less than its own disk is refused at the first call, unless the host accepts it.
    get traits(): StoreTraits {
      return { durability: check.durability, sharedBy: 'network' }
    },
    async transact(accountId, keys, reduce, { dueBy = 0, dueMax = 16 } = {}) {
      checkText(accountId, 'account id')
      for (const key of keys) checkText(key, 'record key')
      const result = await queue.add({ accountId, keys, reduce, dueBy, dueMax: Math.min(dueMax, dueMost) })
      // What the queue answers is what this very reducer returned.
      return result as never
    },
    async journal(accountId, afterSeq, limit) {
      if (isClosed) throw closed()
      return connections.read((connection) =>
        tables.readJournal(connection, accountId, afterSeq, rowsMost(limit)),
      )
    },
    async trim(accountId, throughSeq) {
      if (isClosed) throw closed()
      checkText(accountId, 'account id')
      await trim({ connections, tables, accountId, throughSeq })
    },
    async scan(what, cursor, limit) {
      if (isClosed) throw closed()
      const rowsMax = rowsMost(limit)
      const accountIds = await connections.read((connection) =>
        what === 'all'
          ? tables.accountsAfter(connection, cursor ?? '', rowsMax)
          : tables.dueAccountsAfter(connection, cursor ?? '', what.dueBy, rowsMax),
      )
      return { accountIds, cursor: accountIds.length < rowsMax ? null : (accountIds.at(-1) ?? null) }
    },
    close() {
      isClosed = true
      return queue.close()
    },
  }
  return {
    ledger,
    keys: postgresKeys(connections, names),
    counters: postgresCounters(connections, names),
  }
}

const heard = new WeakSet<PostgresPool>()

/** A connection that is lost between two calls is not used again: there is nothing else to do about it. */
function listenTo(pool: PostgresPool): void {
  if (heard.has(pool)) return
  heard.add(pool)
  pool.on('error', () => {})
}

function closed(): Unavailable {
  return new Unavailable('The PostgreSQL storage is closed.')
}

/** PostgreSQL takes no infinite limit. */
function rowsMost(limit: number): number {
  return Math.min(Math.max(0, Math.trunc(limit)), 1_000_000)
}
