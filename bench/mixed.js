import { fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { createLedger, systemClock } from '@farebox/core'
import { migrate, postgres } from '@farebox/postgres'
import { startPostgres } from '@farebox/testkit/servers'
import pg from 'pg'
import { accountId } from './mix.js'
import { plans } from './money.js'

/** Whether anything goes wrong on PostgreSQL when several processes do everything at once, for as long as you like. */

const help = `Runs a mixed load on PostgreSQL and proves the books afterwards.

  npm run bench:mixed -- [options]

  --minutes N        how long (10)
  --seconds N        how long, instead
  --processes N      processes, each with a pool of its own (3)
  --in-flight N      callers in each (32)
  --pool N           connections of each (4)
  --accounts N       accounts: five are hot, others follow Zipf's law, and some are hardly ever used (2000)
  --url URL          a server that runs, instead of one of its own; a schema is made there, and dropped at the end
  --json             the figures as one line of JSON
  --help

Requests with and without members, extensions, failed attempts, releases, repeats, grants, voids, adjustments, refunds, changes
of plans and caps, balances, receipts, usage and exports. Fails, with 1, if the server meets a deadlock, if a process takes more
connections than its pool has, if any call is rejected, if an account's books do not say what its callers were told, or if an
audit finds anything. Build first: npm run build.
`

const options = readOptions(process.argv.slice(2))
if (options !== undefined) await main(options)

function readOptions(args) {
  const number = (value) => ({ type: 'string', default: String(value) })
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', default: false },
      minutes: number(10),
      seconds: { type: 'string' },
      processes: number(3),
      'in-flight': number(32),
      pool: number(4),
      accounts: number(2000),
      url: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const { help: isAsked, url, json } = values
  const durationMs = Number(values.seconds ?? Number(values.minutes) * 60) * 1000
  const [processes, inFlight, poolMax, accounts] = [
    values.processes,
    values['in-flight'],
    values.pool,
    values.accounts,
  ].map(Number)
  const isRight =
    durationMs > 0 && [processes, inFlight, poolMax, accounts - 5].every((n) => Number.isInteger(n) && n > 0)
  if (isAsked || !isRight) {
    process.stdout.write(help)
    process.exitCode = isAsked ? 0 : 1
    return undefined
  }
  return { durationMs, processes, inFlight, poolMax, accounts, url, json }
}

async function main({ url, ...load }) {
  const server =
    url === undefined ? await startPostgres({ settings: { shared_buffers: '128MB' } }) : undefined
  const pool = new pg.Pool({
    connectionString: url ?? server?.url,
    max: 4,
    application_name: 'farebox-watch',
  })
  const schema = `mixed_${Date.now()}`
  try {
    await migrate(pool, { schema })
    const { ledger: store } = postgres(pool, { schema })
    const ledger = createLedger({ store, plans, clock: systemClock })
    const before = await deadlocks(pool)
    const { connectionsMost, told, elapsedMs } = await run(pool, { ...load, url: url ?? server.url, schema })
    const books = await prove(ledger, store, { told, accounts: load.accounts, isQuiet: load.json })
    const operations = sumOf(told.map((each) => each.operations))
    const done = Object.values(operations).reduce((a, b) => a + b, 0)
    const figures = {
      operations,
      outcomes: sumOf(told.map((each) => each.outcomes)),
      errors: sumOf(told.map((each) => each.errors)),
      done,
      perSecond: Math.round(done / (elapsedMs / 1000)),
      slowestMs: mostOf(told.map((each) => each.slowestMs)),
      deadlocks: (await deadlocks(pool)) - before,
      connectionsMost,
      connectionsAllowed: load.processes * load.poolMax,
      ...books,
    }
    const wrong = wrongOf(figures)
    if (load.json) console.log(JSON.stringify({ ...figures, wrong }))
    else describe(figures, wrong)
    if (wrong.length > 0) process.exitCode = 1
  } finally {
    if (url !== undefined) await pool.query(`DROP SCHEMA ${schema} CASCADE`)
    await pool.end()
    await server?.stop()
  }
}

/** Starts the processes, and watches their connections until they end. */
async function run(pool, { durationMs, processes, json, ...load }) {
  const progress = new Map()
  const children = await Promise.all(
    Array.from({ length: processes }, (_, index) => startWorker(load, index)),
  )
  const startedMs = Date.now()
  const endMs = startedMs + durationMs
  let connectionsMost = 0
  let isOver = false
  const watching = (async () => {
    for (let lastMs = 0; !isOver; ) {
      const { rows } = await pool.query(
        "SELECT count(*)::integer AS count FROM pg_stat_activity WHERE application_name = 'farebox-mixed'",
      )
      connectionsMost = Math.max(connectionsMost, rows[0].count)
      if (!json && Date.now() - lastMs >= 5000) {
        lastMs = Date.now()
        tell(progress, { startedMs, endMs, connections: rows[0].count })
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  })()
  const told = await Promise.all(
    children.map((child, index) => outcomeOf(child, endMs, (message) => progress.set(index, message))),
  )
  isOver = true
  await watching
  return { connectionsMost, told, elapsedMs: Date.now() - startedMs }
}

async function startWorker(load, index) {
  const settings = JSON.stringify({ ...load, name: `p${index}` })
  const child = fork(new URL('./mixed-worker.js', import.meta.url), [settings])
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`A process ended with ${code}.`))),
  ])
  return child
}

function outcomeOf(child, endMs, onProgress) {
  return new Promise((resolve, reject) => {
    let told
    child.send({ endMs })
    child.on('message', (message) => {
      if (message.kind === 'end') told = message
      else onProgress(message)
    })
    child.on('error', reject)
    child.on('exit', (code) =>
      told === undefined ? reject(new Error(`A process ended with ${code}.`)) : resolve(told),
    )
  })
}

function tell(progress, { startedMs, endMs, connections }) {
  const all = [...progress.values()]
  const done = all.reduce((sum, each) => sum + each.done, 0)
  const errors = all.reduce((sum, each) => sum + each.errors, 0)
  const seconds = Math.round((Date.now() - startedMs) / 1000)
  const left = Math.max(0, Math.round((endMs - Date.now()) / 1000))
  process.stderr.write(
    `${seconds} s: ${done} done, ${errors} errors, ${connections} connections; ${left} s to go\n`,
  )
}

/** Audits every account that was touched, and compares it with what its callers were told. */
async function prove(ledger, store, { told, accounts, isQuiet }) {
  const sums = (name) => {
    const all = new Map()
    for (const [account, amount] of told.flatMap((each) => each[name]))
      all.set(account, (all.get(account) ?? 0n) + BigInt(amount))
    return all
  }
  const [charged, refunded] = [sums('charged'), sums('refunded')]
  const books = { accounts: 0, entries: 0, findings: [], unequal: [] }
  for (let number = 0; number < accounts; number += 1) {
    const account = accountId(number)
    const head = await store.transact(account, [], (cut) => ({ result: cut.head }))
    if (head === null) continue
    const report = await ledger.audit(account)
    books.accounts += 1
    books.entries += Number(report.seq)
    books.findings.push(...report.findings.map(({ message }) => `${account}: ${message}`))
    if (head.charged !== (charged.get(account) ?? 0n) || head.refunded !== (refunded.get(account) ?? 0n))
      books.unequal.push(account)
    if (!isQuiet && books.accounts % 200 === 0) process.stderr.write(`${books.accounts} accounts proved\n`)
  }
  return books
}

async function deadlocks(pool) {
  // Processes that have ended have told what they counted; the server takes a moment to add it up.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const { rows } = await pool.query(
    'SELECT deadlocks::integer AS count FROM pg_stat_database WHERE datname = current_database()',
  )
  return rows[0].count
}

function sumOf(counts) {
  const sums = {}
  for (const each of counts)
    for (const [name, times] of Object.entries(each)) sums[name] = (sums[name] ?? 0) + times
  return sums
}

function mostOf(times) {
  const most = {}
  for (const each of times)
    for (const [name, ms] of Object.entries(each)) most[name] = Math.max(most[name] ?? 0, ms)
  return most
}

function wrongOf({ deadlocks: met, connectionsMost, connectionsAllowed, errors, findings, unequal }) {
  const wrong = []
  if (met > 0) wrong.push(`${met} deadlocks`)
  if (connectionsMost > connectionsAllowed)
    wrong.push(`${connectionsMost} connections, ${connectionsAllowed} allowed`)
  for (const [error, times] of Object.entries(errors)) wrong.push(`${times} times: ${error}`)
  wrong.push(...findings.slice(0, 10))
  for (const account of unequal.slice(0, 10))
    wrong.push(`${account}: its books are not what callers were told`)
  return wrong
}

function describe({ operations, outcomes, done, perSecond, slowestMs, ...rest }, wrong) {
  const { deadlocks: met, connectionsMost, connectionsAllowed, accounts, entries } = rest
  const list = (counts) =>
    Object.entries(counts)
      .map(([name, times]) => `${name} ${times}`)
      .join(', ')
  console.log(`done         ${done} operations, ${perSecond} a second`)
  console.log(`operations   ${list(operations)}`)
  console.log(`outcomes     ${list(outcomes)}`)
  console.log(`slowest, ms  ${list(slowestMs)}`)
  console.log(
    `server       ${met} deadlocks, ${connectionsMost} connections at most, ${connectionsAllowed} allowed`,
  )
  console.log(`books        ${accounts} accounts with ${entries} entries proved`)
  console.log(wrong.length === 0 ? 'Nothing went wrong.' : `WRONG\n  ${wrong.join('\n  ')}`)
}
