import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createLedger, systemClock, usd } from '@farebox/core'
import { plans, spendingLimit } from './money.js'
import { processUsage } from './process-usage.js'
import { percentile } from './statistics.js'
import { stores } from './store-kinds.js'

/**
 * What a hold and its settlement cost on each store, and what the same server does for its own simplest form of both. Nothing
 * here is pinned or repeated: compare figures of one run only.
 */

const help = `Measures holds and settlements on every store, through the ledger, beside the raw primitive of its server.

  npm run bench:stores -- [options]

  --only LIST        some of ${Object.keys(stores).join(',')}
  --accounts LIST    how many accounts the requests are for (1,1000)
  --in-flight LIST   how many requests are under way at once (32,256)
  --seconds N        seconds measured of each (3)
  --json             the figures as one line of JSON
  --help
`

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(stores).join(',') },
    accounts: { type: 'string', default: '1,1000' },
    'in-flight': { type: 'string', default: '32,256' },
    seconds: { type: 'string', default: '3' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  process.stdout.write(help)
  process.exit()
}

const amount = usd('0.01')
const cost = usd('0.0004')
let lastId = 0

/** One hold and its settlement at a time for each of `inFlight` callers, for `durationMs`. */
async function measure({ hold, settle, durationMs, inFlight, accountIds }) {
  const holdMs = []
  const startedMs = performance.now()
  const before = processUsage()
  async function work() {
    for (;;) {
      const sentMs = performance.now()
      if (sentMs - startedMs >= durationMs) return
      lastId += 1
      const accountId = accountIds[lastId % accountIds.length]
      const id = `req_${lastId}`
      await hold(accountId, id)
      holdMs.push(performance.now() - sentMs)
      await settle(accountId, id)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, work))
  const elapsedSeconds = (performance.now() - startedMs) / 1000
  return {
    pairs: holdMs.length,
    pairsPerSecond: Math.round(holdMs.length / elapsedSeconds),
    cpuUsPerPair: (processUsage().cpuUs - before.cpuUs) / holdMs.length,
    holdMsP50: percentile(holdMs, 0.5),
    holdMsP99: percentile(holdMs, 0.99),
  }
}

async function measureStore(kind, { accounts, inFlight, durationMs, folder }) {
  const opened = await stores[kind]({ folder, accounts })
  try {
    const { storage, raw, commits } = opened
    const ledger = createLedger({ store: storage.ledger, plans, clock: systemClock })
    const accountIds = Array.from({ length: accounts }, (_, index) => `${accounts}-${index}`)
    await Promise.all(
      accountIds.map((accountId) => ledger.configure({ accountId, planId: 'pro', spendingLimit })),
    )
    const measured = { durationMs, inFlight, accountIds }
    const commitsBefore = commits()
    const farebox = await measure({ ...through(ledger), ...measured })
    const commitsPerRequest = commits && (commits() - commitsBefore) / farebox.pairs
    const primitive = await measure({ hold: raw, settle: raw, ...measured })
    return {
      kind,
      accounts,
      inFlight,
      ...farebox,
      commitsPerRequest,
      rawPairsPerSecond: primitive.pairsPerSecond,
      rawRatio: primitive.pairsPerSecond / farebox.pairsPerSecond,
    }
  } finally {
    await opened.close()
  }
}

function through(ledger) {
  return {
    async hold(accountId, reservationId) {
      const subject = { model: 'bench/model', costProviderIds: [], attemptsMax: 2 }
      const { outcome } = await ledger.reserve({
        accountId,
        reservationId,
        amount,
        timeToLiveMs: 600_000,
        subject,
      })
      if (outcome !== 'reserved') throw new Error(`A hold was not made: ${outcome}.`)
    },
    async settle(accountId, reservationId) {
      const attempt = {
        attemptId: `${reservationId}.1`,
        providerId: 'bench',
        providerModel: 'bench-model',
        outcome: 'served',
        usage: { quantities: { input_token: 210n, output_token: 190n }, certainty: 'exact' },
        costSource: 'price-book',
        cost,
        payer: 'customer',
      }
      const { outcome } = await ledger.settle({ accountId, reservationId, attempts: [attempt] })
      if (outcome !== 'settled') throw new Error(`A hold was not settled: ${outcome}.`)
    },
  }
}

function line({ kind, accounts, inFlight, pairsPerSecond, cpuUsPerPair, holdMsP50, holdMsP99, ...rest }) {
  const { commitsPerRequest, rawPairsPerSecond, rawRatio } = rest
  return [
    kind.padEnd(10),
    String(accounts).padStart(8),
    String(inFlight).padStart(9),
    String(pairsPerSecond).padStart(8),
    cpuUsPerPair.toFixed(0).padStart(7),
    holdMsP50.toFixed(2).padStart(8),
    holdMsP99.toFixed(2).padStart(8),
    commitsPerRequest.toFixed(3).padStart(12),
    String(rawPairsPerSecond).padStart(11),
    rawRatio.toFixed(2).padStart(6),
  ].join(' ')
}

const listOf = (text) => text.split(',').filter((item) => item !== '')
const folder = mkdtempSync(join(tmpdir(), 'farebox-stores-'))
const figures = []
try {
  if (!values.json) {
    console.log(
      'store      accounts in-flight  pairs/s  cpu µs  p50 ms   p99 ms  commits/req  raw pairs/s  raw ÷',
    )
  }
  for (const kind of listOf(values.only)) {
    for (const accounts of listOf(values.accounts).map(Number)) {
      for (const inFlight of listOf(values['in-flight']).map(Number)) {
        const durationMs = Number(values.seconds) * 1000
        const figure = await measureStore(kind, { accounts, inFlight, durationMs, folder })
        figures.push(figure)
        if (!values.json) console.log(line(figure))
      }
    }
  }
  if (values.json) console.log(JSON.stringify(figures))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
