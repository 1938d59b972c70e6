// Takes from one counter of an account: node count.js <url> <schema> <limit> <asked>. Writes how often there was room to standard
// output.
import { postgres } from '@farebox/postgres'
import pg from 'pg'

const [url, schema, limit, asked] = process.argv.slice(2)
const pool = new pg.Pool({ connectionString: url, max: 4 })
const { ledger, counters } = postgres(pool, { schema, waitTimeoutMs: 20_000, answerTimeoutMs: 30_000 })
const count = { name: 'shared', amount: 1, least: 1, limit: Number(limit), untilMs: 2_000_000 }
const answers = await Promise.all(
  Array.from({ length: Number(asked) }, () =>
    counters.take({ accountId: 'alice', nowMs: 1_000_000, counts: [count] }),
  ),
)
console.log(answers.filter(({ isTaken }) => isTaken).length)
await ledger.close()
await pool.end()
