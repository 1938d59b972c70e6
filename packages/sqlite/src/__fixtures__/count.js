// Takes from one counter of an account: node count.js <file> <limit> <asked>. Writes how often there was room to standard output.
import { sqlite } from '@farebox/sqlite'
import Database from 'libsql'

const [file, limit, asked] = process.argv.slice(2)
const database = new Database(file)
const { ledger, counters } = sqlite(database)
const count = { name: 'shared', amount: 1, least: 1, limit: Number(limit), untilMs: 2_000_000 }
const answers = await Promise.all(
  Array.from({ length: Number(asked) }, () =>
    counters.take({ accountId: 'alice', nowMs: 1_000_000, counts: [count] }),
  ),
)
console.log(answers.filter(({ isTaken }) => isTaken).length)
await ledger.close()
database.close()
