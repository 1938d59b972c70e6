import {
  type Count,
  type CounterStore,
  type GiveBackRequest,
  shareOf,
  type Taken,
  type TakeRequest,
} from '@farebox/core'
import { checkText } from '@farebox/core/batching'
import type { ChangesBeside } from './changes-beside.ts'
import type { SqliteDatabase, SqliteStatement } from './database.ts'
import type { SchemaOptions } from './schema.ts'
import { inTransaction } from './transaction.ts'
import { whenUnlocked } from './when-unlocked.ts'

/** How often to let go of what is over, in requests of this process, and how many rows at most. */
const purgeEvery = 256
const purgeMax = 1000

/** Counters in a table of their own. All calls of one turn of the event loop share a commit and its wait for the disk. */
export function sqliteCounters(
  database: SqliteDatabase,
  { prefix, busyTimeoutMs }: SchemaOptions,
  beside: ChangesBeside,
): CounterStore {
  const together = gathering((works) =>
    whenUnlocked(
      () =>
        beside.during(() => inTransaction(database, 'BEGIN IMMEDIATE', () => works.map((work) => work()))),
      busyTimeoutMs,
    ),
  )
  // Prepared at the first use: a read-only file from before there were counters lacks the table.
  let prepared: Statements | undefined
  const statements = (): Statements => {
    prepared ??= prepare(database, `${prefix}counters`)
    return prepared
  }
  let takes = 0

  return {
    async take(request) {
      checkText(request.accountId, 'account id')
      takes += 1
      const isPurging = takes % purgeEvery === 0
      return together(() => {
        if (isPurging) statements().purge.run(request.nowMs, purgeMax)
        return take(statements(), request)
      })
    },
    async giveBack(request) {
      checkText(request.accountId, 'account id')
      return together(() => giveBack(statements(), request))
    },
  }
}

function take({ sum, add }: Statements, { accountId, nowMs, counts }: TakeRequest): Taken {
  const before = counts.map(({ name }) => {
    const [row] = sum.all(accountId, name, nowMs) as readonly { amount: number | bigint | null }[]
    return Number(row?.amount ?? 0)
  })
  const shares = counts.map((count, index) => shareOf(count, before[index] ?? 0))
  const isTaken = !shares.includes(undefined)
  if (isTaken) {
    for (const [index, { name, holder = '', untilMs }] of counts.entries()) {
      add.run(accountId, name, holder, shares[index] ?? 0, untilMs)
    }
  }
  const taken = (share: Count['amount'] | undefined): number => (isTaken ? (share ?? 0) : 0)
  return {
    isTaken,
    counts: before.map((amount, index) => ({ before: amount, taken: taken(shares[index]) })),
  }
}

function giveBack({ drop, subtract }: Statements, { accountId, counts }: GiveBackRequest): void {
  for (const { name, amount, holder } of counts) {
    if (holder === undefined) subtract.run(amount, accountId, name)
    else drop.run(accountId, name, holder)
  }
}

interface Statements {
  readonly sum: SqliteStatement
  readonly add: SqliteStatement
  readonly subtract: SqliteStatement
  readonly drop: SqliteStatement
  readonly purge: SqliteStatement
}

function prepare(database: SqliteDatabase, table: string): Statements {
  return {
    sum: database.prepare(
      `SELECT sum(amount) AS amount FROM ${table}
        WHERE account = ? AND name = ? AND (holder = '' OR until_ms > ?)`,
    ),
    add: database.prepare(
      `INSERT INTO ${table} (account, name, holder, amount, until_ms) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (account, name, holder) DO UPDATE SET
          amount = amount + excluded.amount, until_ms = max(until_ms, excluded.until_ms)`,
    ),
    subtract: database.prepare(
      `UPDATE ${table} SET amount = max(0, amount - ?) WHERE account = ? AND name = ? AND holder = ''`,
    ),
    drop: database.prepare(`DELETE FROM ${table} WHERE account = ? AND name = ? AND holder = ?`),
    purge: database.prepare(
      `DELETE FROM ${table} WHERE (account, name, holder) IN
        (SELECT account, name, holder FROM ${table} WHERE until_ms < ? LIMIT ?)`,
    ),
  }
}

interface Waiting {
  readonly work: () => unknown
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

type Together = <T>(work: () => T) => Promise<T>

/** Bounds how long one commit keeps the event loop. */
const togetherMax = 512

/** Hands over what was asked for in one turn of the event loop at its end. */
function gathering(run: (works: readonly (() => unknown)[]) => Promise<readonly unknown[]>): Together {
  const waiting: Waiting[] = []

  function flush(): void {
    while (waiting.length > 0) start(waiting.splice(0, togetherMax))
  }

  function start(batch: readonly Waiting[]): void {
    run(batch.map(({ work }) => work)).then(
      (results) => {
        for (const [index, { resolve }] of batch.entries()) resolve(results[index])
      },
      (error: unknown) => {
        for (const { reject } of batch) reject(error)
      },
    )
  }

  return (work) =>
    new Promise<unknown>((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush)
      waiting.push({ work, resolve, reject })
      // What comes back is what this very work returned.
    }) as Promise<never>
}
