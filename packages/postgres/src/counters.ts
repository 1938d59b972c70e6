import { createHash } from 'node:crypto'
import type { CounterStore, Taken, TakeRequest } from '@farebox/core'
import { checkText } from '@farebox/core/batching'
import type { Connections } from './connections.ts'
import { type Argument, literals } from './expressions.ts'
import { isContention, writeFault } from './fault.ts'
import type { TableNames } from './table-names.ts'

/** How often to let go of what is over, in requests of this process, and how many rows at most. */
const purgeEvery = 256
const purgeMax = 1000

/** How often a request is tried whose transaction others have come between, under a stricter isolation than the usual. */
const triesMax = 8

/**
 * Counters in a table that the server does not log. The two statements of a request go in one text, which is one
 * transaction: the first waits for the account's turn, and the second sees what the one before has counted.
 */
export function postgresCounters(connections: Connections, { counters }: TableNames): CounterStore {
  let takes = 0

  async function run(text: string): Promise<readonly unknown[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await connections.use(async (connection) => (await connection.script(text)).at(-1)?.rows ?? [])
      } catch (error) {
        if (!isContention(error) || attempt >= triesMax) throw writeFault(error)
      }
    }
  }

  return {
    async take(request) {
      checkText(request.accountId, 'account id')
      takes += 1
      const statements = [turnStatement(counters, request), takeStatement(counters, request)]
      if (takes % purgeEvery === 0) statements.unshift(purgeStatement(counters, request.nowMs))
      return takenOf(await run(statements.join(';\n')))
    },

    async giveBack({ accountId, counts }) {
      checkText(accountId, 'account id')
      const { rows, turn } = literals({
        turn: { type: 'text', value: counterOf(accountId, '') },
        rows: json(
          counts.map(({ name, amount, holder = '' }) => ({
            counter: counterOf(accountId, name),
            holder,
            amount,
          })),
        ),
      })
      const given = `json_to_recordset(${rows}::json) AS g (counter text, holder text, amount bigint)`
      await run(
        `SELECT 1 FROM ${counters} WHERE counter = ${turn} AND holder = '' FOR UPDATE;
        DELETE FROM ${counters} AS c USING ${given}
          WHERE g.holder <> '' AND c.counter = g.counter AND c.holder = g.holder;
        UPDATE ${counters} AS c SET amount = greatest(0, c.amount - g.amount) FROM ${given}
          WHERE g.holder = '' AND c.counter = g.counter AND c.holder = ''`,
      )
    },
  }
}

/** Requests of one account come one after the other from here on, until they are committed. */
function turnStatement(counters: string, { accountId, counts }: TakeRequest): string {
  const { turn, until } = literals({
    turn: { type: 'text', value: counterOf(accountId, '') },
    until: { type: 'double precision', value: Math.max(...counts.map(({ untilMs }) => untilMs)) },
  })
  return `INSERT INTO ${counters} AS c (counter, holder, amount, until_ms) VALUES (${turn}, '', 0, ${until})
    ON CONFLICT (counter, holder) DO UPDATE SET until_ms = greatest(c.until_ms, excluded.until_ms)`
}

function takeStatement(counters: string, { accountId, nowMs, counts }: TakeRequest): string {
  const { rows, now } = literals({
    rows: json(
      counts.map(({ name, amount, least, limit, untilMs, holder = '' }, place) => ({
        place,
        counter: counterOf(accountId, name),
        holder,
        wanted: amount,
        needed: least,
        most: limit,
        until_ms: untilMs,
      })),
    ),
    now: { type: 'double precision', value: nowMs },
  })
  return `WITH asked AS (
      SELECT a.*, coalesce((SELECT sum(c.amount) FROM ${counters} AS c
        WHERE c.counter = a.counter AND (c.holder = '' OR c.until_ms > ${now})), 0)::bigint AS before
      FROM json_to_recordset(${rows}::json) AS a (place integer, counter text, holder text, wanted bigint, needed bigint,
        most bigint, until_ms double precision)
    ), verdict AS (
      SELECT bool_and(most - before >= needed) AS is_taken FROM asked
    ), put AS (
      INSERT INTO ${counters} AS c (counter, holder, amount, until_ms)
        SELECT counter, holder, least(wanted, most - before), until_ms FROM asked, verdict WHERE is_taken
        ON CONFLICT (counter, holder) DO UPDATE SET
          amount = c.amount + excluded.amount, until_ms = greatest(c.until_ms, excluded.until_ms)
    )
    SELECT before, least(wanted, most - before) AS taken, is_taken FROM asked, verdict ORDER BY place`
}

/** Passes over rows that somebody has locked: who counts on them wants to keep them. */
function purgeStatement(counters: string, nowMs: number): string {
  const { now } = literals({ now: { type: 'double precision', value: nowMs } })
  return `DELETE FROM ${counters} WHERE (counter, holder) IN (
    SELECT counter, holder FROM ${counters} WHERE until_ms < ${now} LIMIT ${purgeMax} FOR UPDATE SKIP LOCKED)`
}

function takenOf(rows: readonly unknown[]): Taken {
  const found = rows as readonly { before: unknown; taken: unknown; is_taken: boolean }[]
  const isTaken = found.every((row) => row.is_taken)
  return {
    isTaken,
    counts: found.map(({ before, taken }) => ({
      before: Number(before),
      taken: isTaken ? Number(taken) : 0,
    })),
  }
}

/** Of one length, whatever the names: an index takes no long ones. */
function counterOf(accountId: string, name: string): string {
  return createHash('sha256')
    .update(JSON.stringify([accountId, name]))
    .digest('base64url')
}

function json(value: unknown): Argument {
  return { type: 'text', value: JSON.stringify(value) }
}
