// Prepaid credit by Stripe in an Express app: a page to buy it, the webhook, and the gateway that it pays for. Without a key
// of Stripe it simulates Stripe on loopback, so that it runs anywhere and charges nobody.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bearerKey, createGateway, formatUsd, usd } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { middleware } from '@farebox/express'
import { sqlite } from '@farebox/sqlite'
import { createPayments } from '@farebox/stripe'
import { startSimulator } from '@farebox/testkit/simulator'
import { startStripeSimulator } from '@farebox/testkit/stripe'
import express from 'express'
import Database from 'libsql'
import { creditPage } from './page.js'

if (process.argv.includes('--help')) {
  console.log(`Farebox credit top-up: prepaid credit by Stripe Checkout.

  npm run build && node examples/credit-topup/server.js

  PORT                   where to listen (8788)
  STRIPE_SECRET_KEY      use your Stripe account (sk_test_…) instead of the simulated one
  STRIPE_WEBHOOK_SECRET  its webhook secret; \`stripe listen --forward-to 127.0.0.1:8788/stripe/webhook\` prints one`)
  process.exit(0)
}

// One demo account. In your app this is whoever is logged in; never an account id from the request's body.
const accountId = 'alice'
const key = 'hf_demo'

const app = express()
const server = app.listen(readPort(process.env.PORT), '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}`

const stripeKey = process.env.STRIPE_SECRET_KEY
const stripe = stripeKey
  ? { apiKey: stripeKey, webhookSecret: process.env.STRIPE_WEBHOOK_SECRET, close: async () => {} }
  : await simulateStripe()
const provider = await startSimulator()

const folder = mkdtempSync(join(tmpdir(), 'farebox-'))
const database = new Database(join(folder, 'credits.db'))
const gateway = createGateway({
  providers: [cerebras({ apiKey: 'simulated', baseUrl: provider.baseUrl('cerebras') })],
  storage: sqlite(database),
  authenticate: (request) => (bearerKey(request) === key ? { accountId } : undefined),
})
const payments = createPayments({
  gateway,
  apiKey: stripe.apiKey,
  webhookSecret: stripe.webhookSecret,
  successUrl: `${url}/?session={CHECKOUT_SESSION_ID}`,
  cancelUrl: `${url}/`,
  packs: [
    { packId: 'small', amount: usd('10.00') },
    { packId: 'large', amount: usd('50.00') },
  ],
  amounts: { min: usd('5.00'), max: usd('500.00') },
  connection: stripe.connection,
})

// The webhook needs the bytes that Stripe signed, so it comes before anything that parses bodies.
app.post('/stripe/webhook', express.raw({ type: 'application/json' }), async (req, res) => {
  const { status, message, events } = await payments.handleWebhook({
    rawBody: req.body,
    signature: req.headers['stripe-signature'],
  })
  for (const event of events) console.log(`${event.kind} ${event.accountId}`)
  res.status(status).send(message)
})

app.use('/ai', middleware(gateway))

app.get('/', async (req, res) => {
  // The customer may come back before the webhook does.
  if (typeof req.query.session === 'string') await payments.sync(req.query.session)
  const { purchased, spendable } = await gateway.accounts.balance(accountId)
  res.send(creditPage({ purchased: formatUsd(purchased), spendable: formatUsd(spendable) }))
})

app.post('/credit', express.urlencoded({ extended: false }), async (req, res) => {
  const { pack, amount = '', form } = req.body ?? {}
  const choice = pack ? { packId: pack } : { amount: amountOf(amount) }
  const result = await payments.checkout({ accountId, checkoutId: form, ...choice })
  if (result.outcome === 'created') res.redirect(303, result.url)
  else res.status(400).send(result.message ?? result.outcome)
})

console.log(`farebox ready ${url}`)
console.log(`
${stripeKey ? 'Payments go to your Stripe account.' : 'SIMULATED: Stripe runs on this machine. No card is charged and no money moves.'}
SIMULATED: cerebras runs on this machine; answers are made up and cost nothing.

Buy credit in a browser at ${url}/ or by hand:
  curl -si ${url}/credit -d pack=small | grep -i location
  curl -s ${url}/ai/v1/credits -H 'Authorization: Bearer ${key}'

Ctrl-C stops it.`)

async function simulateStripe() {
  const simulator = await startStripeSimulator({ webhookUrl: `${url}/stripe/webhook` })
  const { webhookSecret, connection } = simulator
  return { apiKey: 'sk_test_simulated', webhookSecret, connection, close: () => simulator.close() }
}

/** Undefined for what is no amount; `checkout` then says what it wants. */
function amountOf(text) {
  return /^\d{1,6}(\.\d{1,2})?$/.test(text) ? usd(text) : undefined
}

async function stop() {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  await stripe.close()
  await gateway.close()
  server.closeAllConnections()
  await closed
  database.close()
  await provider.close()
  rmSync(folder, { recursive: true, force: true })
  console.log('farebox stopped')
  process.exit(0)
}
process.once('SIGINT', stop)
process.once('SIGTERM', stop)

function readPort(text = '8788') {
  const port = Number(text)
  if (/^\d+$/.test(text) && port < 65_536) return port
  throw new RangeError(`PORT is "${text}". Use a number from 1 to 65535, or 0 for any that is free.`)
}
