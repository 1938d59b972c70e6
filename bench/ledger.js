import { parseArgs } from 'node:util'
import { createLedger, systemClock, usd } from '@farebox/core'
import { answerParent } from './children.js'
import { openStorage, plans, spendingLimit } from './money.js'
import { processUsage } from './process-usage.js'
import { percentile } from './statistics.js'

/** Holds and settlements straight through the ledger: no HTTP, no provider, all of the money. */

const { values } = parseArgs({ options: { storage: { type: 'string' }, database: { type: 'string' } } })
const storage = openStorage(values.storage, values.database)
const ledger = createLedger({ store: storage.ledger, plans, clock: systemClock })
const amount = usd('0.01')
const cost = usd('0.0004')

/** Memory keeps every receipt: this many pairs fit into a heap of ordinary size. */
const pairsMax = 200_000
let lastId = 0

async function run({ accounts, inFlight, durationMs }) {
  const accountIds = Array.from({ length: accounts }, (_, index) => `${accounts}-${index}`)
  for (const accountId of accountIds) await ledger.configure({ accountId, planId: 'pro', spendingLimit })
  const reserveMs = []
  const startedMs = performance.now()
  const before = processUsage()

  async function work() {
    for (;;) {
      const sentMs = performance.now()
      if (sentMs - startedMs >= durationMs || reserveMs.length >= pairsMax) return
      lastId += 1
      const accountId = accountIds[lastId % accounts]
      const reservationId = `req_${lastId}`
      await reserve(accountId, reservationId)
      reserveMs.push(performance.now() - sentMs)
      await settle(accountId, reservationId)
    }
  }

  await Promise.all(Array.from({ length: inFlight }, work))
  const elapsedSeconds = (performance.now() - startedMs) / 1000
  const cpuUs = processUsage().cpuUs - before.cpuUs
  return {
    pairs: reserveMs.length,
    pairsPerSecond: reserveMs.length / elapsedSeconds,
    cpuUsPerPair: cpuUs / reserveMs.length,
    coreShare: cpuUs / 1e6 / elapsedSeconds,
    reserveMsP50: percentile(reserveMs, 0.5),
    reserveMsP99: percentile(reserveMs, 0.99),
  }
}

async function reserve(accountId, reservationId) {
  const { outcome } = await ledger.reserve({
    accountId,
    reservationId,
    amount,
    timeToLiveMs: 600_000,
    subject: { model: 'bench/model', costProviderIds: [], attemptsMax: 2 },
  })
  if (outcome !== 'reserved') throw new Error(`A hold was not made: ${outcome}.`)
}

async function settle(accountId, reservationId) {
  const { outcome } = await ledger.settle({
    accountId,
    reservationId,
    attempts: [
      {
        attemptId: `${reservationId}.1`,
        providerId: 'bench',
        providerModel: 'bench-model',
        outcome: 'served',
        usage: { quantities: { input_token: 210n, output_token: 190n }, certainty: 'exact' },
        costSource: 'price-book',
        cost,
        payer: 'customer',
      },
    ],
  })
  if (outcome !== 'settled') throw new Error(`A hold was not settled: ${outcome}.`)
}

answerParent({ run, usage: processUsage })
