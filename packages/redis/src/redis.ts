import { randomBytes } from 'node:crypto'
import {
  type Clock,
  type CounterStore,
  type KeyStore,
  type LedgerStore,
  type Storage,
  type StoreTraits,
  Unavailable,
} from '@farebox/core'
import { accountCache, type CachedAccount, checkText, hostClock, serverClock } from '@farebox/core/batching'
import { accountIndex } from './account-index.ts'
import { accounts as accountsOf } from './accounts.ts'
import { batchRunner } from './batch.ts'
import type { RedisClient, RedisCluster } from './client.ts'
import { commands as commandsOf } from './commands.ts'
import { redisCounters } from './counters.ts'
import { type RedisEvent, warn } from './event.ts'
import { indexReader } from './index-reader.ts'
import { keyNames } from './key-names.ts'
import { redisKeys } from './keys.ts'
import { mailboxes } from './mailboxes.ts'
import type { Position } from './position.ts'
import { type RepairReport, recoveryOf } from './recovery.ts'
import type { Replicas } from './replicas.ts'
import { serverCheck } from './server-check.ts'
import { sightings as sightingsOf } from './sightings.ts'
import { type RememberedWrite, writeMemory } from './write-memory.ts'

export interface RedisOptions {
  /** What the names of all keys start with. Several gateways that share it share their accounts. @default 'farebox' */
  readonly prefix?: string
  /** @default the clock of the server that has the account */
  readonly clock?: Clock
  /** How long a command waits for a connection, or a call for an account that other processes write too. @default 5000 */
  readonly waitTimeoutMs?: number
  /** How long a server may take to answer. Then a write has an unknown outcome. @default 10000 */
  readonly answerTimeoutMs?: number
  /**
   * How many replicas have to confirm a write, and for how long to wait for them: fewer make the outcome unknown. Give the
   * store a client of its own then, because the connection waits. @default none are waited for
   */
  readonly wait?: Replicas
  /** Told of what a host should know. @default a warning of the process */
  readonly onEvent?: (event: RedisEvent) => void
  /** Told of every write that was answered, whole. What it keeps elsewhere can be put back by `recovery.repair`. */
  readonly onWrite?: (write: RememberedWrite) => void
}

/** For accounts of which a server has forgotten something, after a replica took over or a disk was lost. */
export interface RedisRecovery {
  /**
   * Puts back what is missing of an account: what this process remembers, and the writes that are given. Each is put back
   * only where it stood, so it is safe to repeat.
   */
  repair(accountId: string, writes?: readonly RememberedWrite[]): Promise<RepairReport>
  /** Lets an account go on from what is there, in all processes. What is missing is lost. */
  acceptLoss(accountId: string): Promise<void>
  /** The last writes of an account that this process made, oldest first. */
  remembered(accountId: string): readonly RememberedWrite[]
}

export interface RedisStorage extends Storage {
  readonly keys: KeyStore
  /** Also for the side of another store: `{ ...postgres(pool), counters: redis(client).counters }`. */
  readonly counters: CounterStore
  readonly recovery: RedisRecovery
}

const cachedCharsMax = 16 * 1024 * 1024
const rememberedCharsMax = 16 * 1024 * 1024
/** How long a request waits to be counted, before its process counts by itself. */
const counterWaitMs = 1000
const counterAnswerMs = 2000
/** However many a reducer asks for: `moreDue` tells it the rest. */
const dueMost = 1000
/** Entries forgotten in one script: less than a millisecond. */
const trimMax = 1000n

/**
 * Keeps state in Redis or Redis Cluster, for any number of processes.
 *
 * `client` is a connected client of `redis` (node-redis), or a cluster client, and stays the host's, who closes it after
 * `close()`. The first call checks that the server throws no keys away. Calls to one account that wait at the same time share
 * a script. An answered write can be lost when a replica takes over: then the account is stopped, and repaired from the
 * memory of the processes.
 *
 * @throws Error when the prefix has other characters than letters, digits and `_ - .`.
 */
export function redis(client: RedisClient | RedisCluster, options: RedisOptions = {}): RedisStorage {
  const { waitTimeoutMs = 5000, answerTimeoutMs = 10_000, onEvent = warn } = options
  const names = keyNames(options.prefix ?? 'farebox')
  const chance = Math.random
  const nonce = randomBytes(9).toString('base64url')
  const check = serverCheck({ client, answerTimeoutMs, onEvent })
  const commands = commandsOf(client, {
    waitTimeoutMs,
    answerTimeoutMs,
    replicas: options.wait,
    chance,
    prepare: check.ensure,
  })
  // A server may throw counters away, and a request does not wait for them as long as for money.
  const counterCommands = commandsOf(client, {
    waitTimeoutMs: Math.min(waitTimeoutMs, counterWaitMs),
    answerTimeoutMs: Math.min(answerTimeoutMs, counterAnswerMs),
    replicas: undefined,
    chance,
    prepare: () => undefined,
  })
  const accounts = accountsOf({ names, commands, hasServerTime: options.clock === undefined })
  const reader = indexReader(names, commands)
  const index = accountIndex({ names, commands, accounts, reader })
  const sightings = sightingsOf()
  const memory = writeMemory(rememberedCharsMax)
  const recovery = recoveryOf({ accounts, index, commands, names, sightings, memory, nonce, onEvent })
  const clock = options.clock === undefined ? serverClock() : hostClock(options.clock)
  const cache = accountCache<CachedAccount<Position>>(cachedCharsMax)
  const run = batchRunner({
    accounts,
    index,
    cache,
    clock,
    sightings,
    memory,
    recovery,
    nonce,
    waitTimeoutMs,
    chance,
    onWrite: options.onWrite,
  })
  const queue = mailboxes(run)
  let isClosed = false

  const ledger: LedgerStore = {
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
      return accounts.readJournal(accountId, afterSeq, Math.min(Math.max(0, Math.trunc(limit)), 1_000_000))
    },
    async trim(accountId, throughSeq) {
      if (isClosed) throw closed()
      checkText(accountId, 'account id')
      const [first] = await accounts.readJournal(accountId, 0n, 1)
      if (first === undefined) return
      // In steps: while a script runs, the server does nothing else.
      for (let from = first.seq; from <= throughSeq; from += trimMax) {
        const last = from + trimMax - 1n
        await accounts.trim(accountId, last < throughSeq ? last : throughSeq)
      }
    },
    async scan(what, cursor, limit) {
      if (isClosed) throw closed()
      return what === 'all' ? index.all(cursor, limit) : index.due(what.dueBy, cursor, limit)
    },
    close() {
      isClosed = true
      return queue.close()
    },
  }
  return {
    ledger,
    keys: redisKeys({ names, commands, reader }),
    counters: redisCounters({ names, commands: counterCommands }),
    recovery: {
      repair: (accountId, writes = []) => recovery.repair(accountId, writes),
      async acceptLoss(accountId) {
        cache.delete(accountId)
        await recovery.acceptLoss(accountId)
      },
      remembered: (accountId) => memory.of(accountId),
    },
  }
}

function closed(): Unavailable {
  return new Unavailable('The Redis storage is closed.')
}
