import { statSync } from 'node:fs'
import { chainHash, encodeValue, memoryStorage } from '@farebox/core'
import { migrate, postgres } from '@farebox/postgres'
import { sqlite } from '@farebox/sqlite'
import { startPostgres } from '@farebox/testkit/servers'
import Database from 'libsql'
import pg from 'pg'

export const day = 86_400_000
export const startMs = Date.UTC(2026, 10, 1)

/** Twelve targets and twenty members make 240 combinations a day. */
export const targets = Array.from({ length: 12 }, (_, index) => ({
  model: `example-org/model-${index}`,
  providerId: ['cerebras', 'together', 'replicate'][index % 3],
}))
const members = Array.from({ length: 20 }, (_, index) => `member-${index}`)

/** An empty store of a kind, how large it is, and what can be done to its journal beside the ledger. */
export async function openJournal(kind, { clock, file }) {
  if (kind === 'memory')
    return { storage: memoryStorage({ clock }), bytes: async () => 0, close: async () => {} }
  if (kind === 'sqlite') {
    const database = new Database(file)
    return {
      storage: sqlite(database, { clock }),
      bytes: async () => statSync(file).size,
      close: async () => database.close(),
    }
  }
  const server = await startPostgres({
    settings: { shared_buffers: '256MB', max_wal_size: '2GB', checkpoint_timeout: '15min' },
  })
  const pool = new pg.Pool({ connectionString: server.url, max: 4 })
  await migrate(pool)
  return {
    storage: postgres(pool, { clock }),
    bytes: async () =>
      Number((await pool.query("SELECT pg_total_relation_size('farebox.journal') AS bytes")).rows[0].bytes),
    /** Entries of other accounts, as long as real ones. Nobody reads them: they make the table and its index as large. */
    async fill(count) {
      const text = encodeValue(entryOf(1, 100n, startMs))
      const step = 100_000
      for (let from = 0; from < count; from += step)
        await pool.query(
          `INSERT INTO farebox.journal (account, seq, text, hash)
            SELECT 'other-' || i % 1000, i / 1000 + 1, $1, encode(sha256(i::text::bytea), 'hex')
            FROM generate_series($2::bigint, $3::bigint) AS i`,
          [text, from, Math.min(from + step, count) - 1],
        )
    },
    async vacuum() {
      await pool.query('VACUUM farebox.journal')
    },
    async close() {
      await pool.end()
      await server.stop()
    },
  }
}

/** Writes settled requests as the ledger would, over 30 days, a few thousand to a transaction. */
export async function seedJournal(store, accountId, rows, clock) {
  const perStep = 2000
  for (let done = 0; done < rows; done += perStep) {
    const count = Math.min(perStep, rows - done)
    clock.set(startMs + Math.floor(((done + count) / rows) * 30 * day) - 1)
    await store.transact(accountId, [], ({ head }) => {
      const entries = []
      let { seq, chain, charged } = head
      let used = 0n
      for (let index = 0; index < count; index += 1) {
        const number = done + index
        const cost = BigInt(100 + (number % 9973))
        seq += 1n
        const text = encodeValue(entryOf(number, cost, startMs + Math.floor((number / rows) * 30 * day)))
        chain = chainHash(chain, seq, text)
        entries.push({ seq, text, hash: chain })
        charged += cost
        used += cost
      }
      const [line] = head.overage
      const overage = [{ periodKey: '2026-11', held: 0n, used: (line?.used ?? 0n) + used }]
      return {
        result: undefined,
        write: { head: { ...head, seq, chain, charged, overage }, append: entries },
      }
    })
  }
}

/** The settlement of one request, as the ledger writes it. */
export function entryOf(number, cost, atMs) {
  const { model, providerId } = targets[number % targets.length]
  const requestId = `req-${number}`
  return {
    kind: 'settled',
    opId: `settle:${requestId}`,
    recordedAtMs: atMs,
    effectiveAtMs: atMs,
    requestId,
    memberId: members[(number * 7) % members.length],
    postings: [{ source: 'overage:2026-11', from: 'limit', to: 'used', amount: cost }],
    attempts: [
      {
        attemptId: `${requestId}.1`,
        providerId,
        providerModel: model,
        outcome: 'served',
        usage: { quantities: { input_token: 210n, output_token: 190n }, certainty: 'exact' },
        costSource: 'price-book',
        priceVersion: 'bench',
        cost,
        charged: cost,
        absorbed: 0n,
      },
    ],
    terms: { model, periodKey: '2026-11', spendableAfter: 0n },
  }
}
