// Spends one account's credit: node spend.js <url> <prefix> <name> <requests> <in flight>. Each request holds and settles 1,000
// nano-USD. Writes how many were paid for and how many were refused, as JSON.
import { createLedger, nano, planPreset, systemClock } from '@farebox/core'
import { redis } from "@farebox/redis"
import { connect } from "./connect.js"

const [url, prefix, name, requests, inFlight] = process.argv.slice(2)
const client = await connect(url)
const { ledger: store } = redis(client, { prefix, waitTimeoutMs: 20_000, answerTimeoutMs: 30_000 })
const ledger = createLedger({ store, plans: planPreset('hf-latest'), clock: systemClock })
const counts = { paid: 0, refused: 0 }
let started = 0

async function spend() {
  while (started < Number(requests)) {
    started += 1
    const reservationId = `${name}-${started}`
    const hold = await ledger.reserve({
      accountId: 'hot',
      reservationId,
      amount: nano(1000n),
      timeToLiveMs: 60_000,
      subject: { model: 'model', costProviderIds: [], attemptsMax: 1 },
    })
    if (hold.outcome !== 'reserved') {
      counts.refused += 1
      continue
    }
    await ledger.settle({
      accountId: 'hot',
      reservationId,
      attempts: [
        {
          attemptId: `${reservationId}.1`,
          providerId: 'provider',
          providerModel: 'model',
          outcome: 'served',
          costSource: 'provider',
          cost: nano(1000n),
          payer: 'customer',
        },
      ],
    })
    counts.paid += 1
  }
}

await Promise.all(Array.from({ length: Number(inFlight) }, spend))
console.log(JSON.stringify(counts))
await store.close()
client.destroy()
