// Adds to one account: node increment.js <file> <count> <in flight>. Writes every number it got to standard output, at
// once and unbuffered, so that a reader knows what had been answered when this process was killed.
import { writeSync } from 'node:fs'
import { sqlite } from '@farebox/sqlite'
import Database from 'libsql'

const [file, count, inFlight] = process.argv.slice(2)
const database = new Database(file)
const { ledger } = sqlite(database)
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
database.close()
