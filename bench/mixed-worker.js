import { once } from 'node:events'
import { createLedger, systemClock } from '@farebox/core'
import { postgres } from '@farebox/postgres'
import pg from 'pg'
import { callUntil, createTally } from './mix.js'
import { plans } from './money.js'

/**
 * One process of a mixed load: node mixed-worker.js <options as JSON>. Begins when it is told to, so that all of them begin
 * together; tells its counts every second, and all it knows at the end.
 */

const { url, schema, poolMax, inFlight, accounts, name } = JSON.parse(process.argv[2])
const pool = new pg.Pool({ connectionString: url, max: poolMax, application_name: 'farebox-mixed' })
const { ledger: store } = postgres(pool, { schema, waitTimeoutMs: 30_000, answerTimeoutMs: 60_000 })
const ledger = createLedger({ store, plans, clock: systemClock })
const tally = createTally()
// A connection that works is there before the time begins to run.
await ledger.storeNow()
process.send?.({ kind: 'ready' })
const [{ endMs }] = await once(process, 'message')
const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0)
const telling = setInterval(
  () => process.send?.({ kind: 'progress', done: sum(tally.operations), errors: sum(tally.errors) }),
  1000,
)
const isOver = () => Date.now() >= endMs
await Promise.all(
  Array.from({ length: inFlight }, (_, index) =>
    callUntil(isOver, { ledger, accounts, random: Math.random, name: `${name}.${index}`, tally }),
  ),
)
clearInterval(telling)
await store.close()
await pool.end()
const texts = (sums) => [...sums].map(([accountId, amount]) => [accountId, String(amount)])
process.send?.({
  kind: 'end',
  ...tally,
  charged: texts(tally.charged),
  refunded: texts(tally.refunded),
})
process.disconnect?.()
