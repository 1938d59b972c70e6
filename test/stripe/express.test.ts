import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createGateway, isGatewayError, memoryStorage, type Storage, Unavailable, usd } from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { createPayments, type PaymentEvent } from '@farebox/stripe'
import { type StripeSimulator, startStripeSimulator } from '@farebox/testkit/stripe'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'

/** A shop with real sockets on all sides: the customer, Express, Stripe's API and Stripe's webhooks. */
async function openShop({ before = [] }: { readonly before?: readonly RequestHandler[] } = {}) {
  const app = express()
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stripe: StripeSimulator = await startStripeSimulator({ webhookUrl: `${url}/stripe/webhook` })

  const { ledger } = memoryStorage()
  const state = { isDown: false }
  const storage: Storage = {
    ledger: {
      ...ledger,
      async transact(...call) {
        if (state.isDown) throw new Unavailable('The store is down.')
        return ledger.transact(...call)
      },
    },
  }
  const gateway = createGateway({
    providers: [openaiCompatible({ id: 'any', baseUrl: 'http://127.0.0.1:9' })],
    authenticate: () => undefined,
    storage,
  })
  const payments = createPayments({
    gateway,
    apiKey: 'sk_test_1',
    webhookSecret: stripe.webhookSecret,
    successUrl: `${url}/paid?session={CHECKOUT_SESSION_ID}`,
    cancelUrl: `${url}/credit`,
    packs: [{ packId: 'ten', amount: usd('10.00') }],
    connection: stripe.connection,
  })
  const events: PaymentEvent[] = []
  const faults: unknown[] = []
  const statuses: number[] = []
  for (const handler of before) app.use(handler)
  app.post('/stripe/webhook', express.raw({ type: 'application/json' }), async (req, res) => {
    res.once('finish', () => statuses.push(res.statusCode))
    const result = await payments.handleWebhook({
      rawBody: req.body,
      signature: req.headers['stripe-signature'],
    })
    events.push(...result.events)
    res.status(result.status).send(result.message)
  })
  app.post('/credit', express.json(), async (_req, res) => {
    const result = await payments.checkout({ accountId: 'alice', packId: 'ten' })
    if (result.outcome === 'created') res.redirect(303, result.url)
    else res.status(400).json({ outcome: result.outcome })
  })
  const answerFault: ErrorRequestHandler = (error, _req, res, _next) => {
    faults.push(error)
    res.status(500).end()
  }
  app.use(answerFault)
  onTestFinished(async () => {
    await stripe.close()
    server.closeAllConnections()
    server.close()
    await gateway.close()
  })

  return {
    url,
    stripe,
    state,
    events,
    faults,
    statuses,
    purchased: async () => (await gateway.accounts.balance('alice')).purchased,
    /** A customer buys and pays, and is sent back. */
    async buy(): Promise<string> {
      const opened = await fetch(`${url}/credit`, { method: 'POST', redirect: 'manual' })
      const paid = await fetch(opened.headers.get('location') ?? '', { method: 'POST', redirect: 'manual' })
      return paid.headers.get('location') ?? ''
    },
  }
}

describe('payments in Express, over sockets', () => {
  it('failure 29: a customer pays, Stripe tells, and the credit is there once', async () => {
    const { url, stripe, buy, purchased, events, statuses } = await openShop()
    const sessionId = (await buy()).replace(`${url}/paid?session=`, '')
    await expect.poll(() => events.length).toBe(1)
    expect(events).toMatchObject([{ kind: 'credit.purchased', accountId: 'alice', sessionId }])
    expect(await purchased()).toBe(usd('10.00'))

    // The charge and the payment are told as well, and are nobody's concern.
    await expect.poll(() => statuses).toEqual([200, 200, 200])
    expect(stripe.events).toHaveLength(3)
    stripe.refund(stripe.sessions.get(sessionId)?.payment_intent ?? '', 250)
    await expect.poll(() => statuses).toHaveLength(5)
    expect(await purchased()).toBe(usd('7.50'))
  })

  it('failure 29: while the store is down Stripe is told so, and sends again until the credit is there', async () => {
    const { buy, state, purchased, statuses, faults } = await openShop()
    state.isDown = true
    await buy()
    await expect.poll(() => statuses.filter((status) => status === 500).length).toBeGreaterThan(1)
    expect(faults.every((error) => isGatewayError(error) && error.code === 'store_unavailable')).toBe(true)
    state.isDown = false
    await expect.poll(purchased).toBe(usd('10.00'))
    await expect.poll(() => statuses.filter((status) => status === 200).length).toBe(3)
  })

  it('failure 29: while Stripe itself fails nothing is added, and afterwards once', async () => {
    const { stripe, buy, purchased, statuses } = await openShop()
    let failures = 0
    stripe.fault(({ route }) => {
      if (route !== 'GET /v1/checkout/sessions/:id' || failures >= 2) return undefined
      failures += 1
      return failures === 1 ? 'error' : 'lost'
    })
    await buy()
    await expect.poll(() => statuses.filter((status) => status === 200).length).toBe(3)
    expect(failures).toBe(2)
    expect(await purchased()).toBe(usd('10.00'))
  })

  it('behind a JSON parser a webhook is refused with an error that says what to do', async () => {
    const { buy, faults, purchased } = await openShop({ before: [express.json()] })
    await buy()
    await expect.poll(() => faults.length).toBeGreaterThan(0)
    const [error] = faults
    expect(isGatewayError(error) && error.code).toBe('body_already_read')
    expect(String(error)).toContain("express.raw({ type: 'application/json' })")
    expect(await purchased()).toBe(usd('0.00'))
  })

  it.each([
    ['without a signature', {}],
    [
      'with a made-up signature',
      { 'stripe-signature': `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}` },
    ],
  ])("a stranger's webhook %s gets a 400 and no credit", async (_name, headers) => {
    const { url, stripe, purchased } = await openShop()
    const response = await fetch(`${url}/stripe/webhook`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ id: 'evt_1', object: 'event', type: 'checkout.session.completed' }),
    })
    expect(response.status).toBe(400)
    expect(await response.text()).not.toContain('whsec')
    expect(stripe.calls).toHaveLength(0)
    expect(await purchased()).toBe(usd('0.00'))
  })
})
