// Takes from one counter of an account: node count.js <url> <prefix> <limit> <asked>. Writes how often there was room to standard
// output.
import { redis } from '@farebox/redis'
import { createClient } from 'redis'

const [url, prefix, limit, asked] = process.argv.slice(2)
const client = createClient({ url })
client.on('error', () => {})
await client.connect()
const { ledger, counters } = redis(client, { prefix })
const count = { name: 'shared', amount: 1, least: 1, limit: Number(limit), untilMs: 2_000_000 }
const answers = await Promise.all(
  Array.from({ length: Number(asked) }, () =>
    counters.take({ accountId: 'alice', nowMs: 1_000_000, counts: [count] }),
  ),
)
console.log(answers.filter(({ isTaken }) => isTaken).length)
await ledger.close()
client.destroy()
