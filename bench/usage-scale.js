import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createGateway, createLedger, fakeClock, systemClock } from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { day, entryOf, openJournal, seedJournal, startMs, targets } from './long-journal.js'
import { plans, spendingLimit } from './money.js'
import { processUsage } from './process-usage.js'
import { percentile } from './statistics.js'

/** One account with millions of requests: what its balance, its requests and its usage page cost then. */

const help = `Measures one account with a journal of millions of requests.

  node bench/usage-scale.js [options]

  --rows N           requests in the journal (10000000)
  --fill N           as many entries more in the same table, of a thousand other accounts; only with postgres (0)
  --storage KIND     sqlite, postgres or memory (sqlite); memory takes about 1.5 GB for a million
  --dir DIRECTORY    where the file of sqlite goes (the directory for temporary files); about 0.6 GB for a million. PostgreSQL
                     always uses the directory for temporary files, and about 1 GB
  --trim             at the end, 401 days later: take all of them out of the journal
  --assert           exit with 1 when a budget is missed
  --help

Budgets: a balance, and a hold with its settlement, take at most twice what they take on an account with 1,000 requests; a
usage page of a month, grouped by model and day, takes 250 ms (all p50); a query reads no entry of the journal again.
Build first: npm run build.
`

const budgets = { balanceRatio: 2, pairRatio: 2, pageMsP50: 250, entriesReadAgain: 0 }

const options = readOptions()
if (options !== undefined) await main(options)

function readOptions() {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      rows: { type: 'string', default: '10000000' },
      fill: { type: 'string', default: '0' },
      storage: { type: 'string', default: 'sqlite' },
      dir: { type: 'string', default: tmpdir() },
      trim: { type: 'boolean', default: false },
      assert: { type: 'boolean', default: false },
    },
  })
  const rows = Number(values.rows)
  const fill = Number(values.fill)
  const isRight =
    Number.isInteger(rows) &&
    rows >= 1000 &&
    Number.isInteger(fill) &&
    (fill === 0 || values.storage === 'postgres') &&
    ['sqlite', 'postgres', 'memory'].includes(values.storage)
  if (values.help || !isRight) {
    process.stdout.write(help)
    process.exitCode = values.help ? 0 : 1
    return undefined
  }
  return { ...values, rows, fill }
}

async function main({ rows, fill, storage: kind, dir, trim, assert }) {
  const folder = mkdtempSync(join(dir, 'farebox-usage-'))
  // Stands still, but what waits for a store to answer again does wait.
  const clock = { ...fakeClock(startMs), after: systemClock.after }
  const opened = await openJournal(kind, { clock, file: join(folder, 'usage.db') })
  const { storage } = opened
  try {
    const reading = countReads(storage.ledger)
    const ledger = createLedger({ store: reading.store, plans, clock })
    for (const accountId of ['quiet', 'busy'])
      await ledger.configure({ accountId, planId: 'pro', spendingLimit })
    await seedJournal(storage.ledger, 'quiet', 1000, clock)
    clock.set(startMs)
    const seedMs = await timed(() => seedJournal(storage.ledger, 'busy', rows, clock))
    show('seed', `${rows} requests in ${seconds(seedMs)}, ${perSecond(rows, seedMs)}`)
    if (fill > 0) show('fill', `${fill} entries in ${seconds(await timed(() => opened.fill(fill)))}`)
    show('journal', gibibytes(await opened.bytes()))
    await fold(ledger, rows)
    const ratios = await compare(ledger, clock)
    await ledger.statements.fold('busy', 100_000)
    reading.entries = 0
    const measured = { ...ratios, ...(await page({ ...storage, ledger: reading.store }, clock, reading)) }
    await close(ledger, clock)
    if (trim) await trimAll(ledger, { rows, clock, opened })
    const missed = Object.entries(budgets).filter(([name, budget]) => measured[name] > budget)
    for (const [name, budget] of missed) show('missed', `${name} is ${measured[name]}, more than ${budget}`)
    if (assert && missed.length > 0) process.exitCode = 1
  } finally {
    await storage.ledger.close()
    await opened.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Adds everything up once, as the first query or the reconciliation would, and watches how long the process is busy at once. */
async function fold(ledger, rows) {
  let longestMs = 0
  let last = performance.now()
  const watch = setInterval(() => {
    const now = performance.now()
    longestMs = Math.max(longestMs, now - last - 1)
    last = now
  }, 1)
  const before = processUsage().cpuUs
  const foldMs = await timed(async () => {
    for (;;) if ((await ledger.statements.fold('busy', 100_000)).isComplete) break
  })
  clearInterval(watch)
  const cpuUs = (processUsage().cpuUs - before) / rows
  const pace = `${seconds(foldMs)}, ${perSecond(rows, foldMs)}, ${cpuUs.toFixed(1)} µs of processor each`
  show('fold', `${pace}, busy for at most ${longestMs.toFixed(1)} ms at once`)
}

/** The same on both accounts in turn, so that both meet the same machine. */
async function compare(ledger, clock) {
  const times = { quiet: { balance: [], pair: [] }, busy: { balance: [], pair: [] } }
  for (let turn = 0; turn < 500; turn += 1) {
    for (const [accountId, { balance, pair: pairs }] of Object.entries(times)) {
      balance.push(await timed(() => ledger.balance(accountId)))
      pairs.push(await timed(() => pair(ledger, accountId, `pair-${turn}`)))
    }
    clock.advance(1)
  }
  for (const [accountId, { balance, pair: pairs }] of Object.entries(times)) {
    show('balance', `${milliseconds(balance)} (${accountId})`)
    show('hold + settle', `${milliseconds(pairs)} (${accountId})`)
  }
  const ratio = (what) => percentile(times.busy[what], 0.5) / percentile(times.quiet[what], 0.5)
  return { balanceRatio: ratio('balance'), pairRatio: ratio('pair') }
}

async function pair(ledger, accountId, reservationId) {
  const subject = { model: targets[0].model, costProviderIds: [], attemptsMax: 1 }
  await ledger.reserve({ accountId, reservationId, amount: 1000n, timeToLiveMs: 60_000, subject })
  const attempt = { ...entryOf(0, 500n, 0).attempts[0], attemptId: `${reservationId}.1`, payer: 'customer' }
  await ledger.settle({ accountId, reservationId, attempts: [attempt] })
}

/** The usage page of the account, as its owner opens it: over the gateway, a month by model and day. */
async function page(storage, clock, reading) {
  const gateway = createGateway({
    providers: [openaiCompatible({ id: 'bench', baseUrl: 'http://127.0.0.1:9' })],
    authenticate: () => ({ accountId: 'busy' }),
    storage,
    plans,
    clock,
  })
  const query = {
    method: 'GET',
    headers: {},
    body: { kind: 'drained' },
    signal: new AbortController().signal,
  }
  const ask = async (text) => {
    const { status } = await gateway.handle({ ...query, path: '/v1/usage', query: text })
    if (status !== 200) throw new Error(`The usage page answered ${status}.`)
  }
  const month = 'from=2026-11-01&to=2026-12-01&group_by=model,day&limit=1000'
  const pages = await samples(50, () => ask(month))
  show('usage page', `${milliseconds(pages)}, ${reading.entries} entries of the journal read`)
  const year = await samples(10, () => ask('from=2026-01-01&to=2027-01-01&group_by=member'))
  show('usage of a year', milliseconds(year))
  return { pageMsP50: percentile(pages, 0.5), entriesReadAgain: reading.entries }
}

async function close(ledger, clock) {
  clock.set(Date.UTC(2026, 11, 1))
  let result
  const closeMs = await timed(async () => {
    result = await ledger.statements.closePeriod({ accountId: 'busy' })
  })
  const cents = result.invoice?.dueCents
  show('close', `${result.outcome} in ${closeMs.toFixed(1)} ms, ${cents} cents due`)
}

/** What is trimmed is proved first, so this is an audit and a deletion. */
async function trimAll(ledger, { rows, clock, opened }) {
  const { seq } = await ledger.exportState('busy', 'archive')
  await ledger.acknowledge('busy', 'archive', seq)
  clock.advance(401 * day)
  const request = { accountId: 'busy', consumers: ['archive'], olderThanMs: 400 * day, isDryRun: false }
  let result
  const trimMs = await timed(async () => {
    result = await ledger.trim(request)
  })
  await opened.vacuum?.()
  const gone = `${result.outcome}: ${result.entries ?? result.message}`
  show(
    'trim',
    `${gone} in ${seconds(trimMs)}, ${perSecond(rows, trimMs)}; left ${gibibytes(await opened.bytes())}`,
  )
}

/** The store, and how many entries of the journal were read from it. */
function countReads(store) {
  const reading = {
    entries: 0,
    store: {
      ...store,
      async journal(...request) {
        const entries = await store.journal(...request)
        reading.entries += entries.length
        return entries
      },
    },
  }
  return reading
}

async function timed(run) {
  const startedMs = performance.now()
  await run()
  return performance.now() - startedMs
}

async function samples(count, run) {
  const times = []
  for (let index = 0; index < count; index += 1) times.push(await timed(run))
  return times
}

function show(what, text) {
  process.stdout.write(`${what.padEnd(16)} ${text}\n`)
}

function milliseconds(times) {
  return `p50 ${percentile(times, 0.5).toFixed(2)} ms, p99 ${percentile(times, 0.99).toFixed(2)} ms`
}

function gibibytes(bytes) {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`
}

function perSecond(count, ms) {
  return `${Math.round((count / ms) * 1000)} a second`
}
