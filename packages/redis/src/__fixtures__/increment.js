// Adds to one account: node increment.js <url> <prefix> <count> <in flight>. Writes every number it got to standard output, at
// once and unbuffered, so that a reader knows what had been answered when this process was killed.
import { writeSync } from 'node:fs'
import { redis } from "@farebox/redis"
import { connect } from "./connect.js"

const [url, prefix, count, inFlight] = process.argv.slice(2)
const client = await connect(url)
const { ledger } = redis(client, { prefix, waitTimeoutMs: 20_000, answerTimeoutMs: 30_000 })
let started = 0

async function work() {
  while (started < Number(count)) {
    started += 1
    const total = await ledger.transact('shared', [], (cut) => {
      const next = Number(cut.head ?? 0) + 1
      return { result: next, write: { head: next } }
    })
    writeSync(1, `${total}\n`)
  }
}

await Promise.all(Array.from({ length: Number(inFlight) }, work))
await ledger.close()
client.destroy()
