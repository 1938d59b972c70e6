import { createGateway, fakeClock, type GatewayError, isGatewayError, usd } from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { type StripeSimulator, startStripeSimulator } from '@farebox/testkit/stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPayments } from './index.ts'

const clock = fakeClock(Date.UTC(2026, 10, 22))
let stripe: StripeSimulator
beforeEach(async () => {
  stripe = await startStripeSimulator({ clock })
})
afterEach(() => stripe.close())

function open(application?: string) {
  const gateway = createGateway({
    providers: [openaiCompatible({ id: 'any', baseUrl: 'http://127.0.0.1:9' })],
    authenticate: () => undefined,
    clock,
  })
  const payments = createPayments({
    gateway,
    apiKey: 'sk_test_1',
    webhookSecret: stripe.webhookSecret,
    successUrl: 'https://example.com/paid',
    cancelUrl: 'https://example.com/credit',
    amounts: { min: usd('1.00'), max: usd('500.00') },
    connection: stripe.connection,
    clock,
    ...(application === undefined ? {} : { application }),
  })
  return { gateway, payments }
}

/** A payment that was made, and the webhook about it. */
async function paid(application?: string) {
  const { gateway, payments } = open(application)
  const result = await payments.checkout({ accountId: 'alice', amount: usd('10.00') })
  if (result.outcome !== 'created') throw new Error(result.outcome)
  stripe.pay(result.sessionId)
  return { gateway, payments, sessionId: result.sessionId, ...signed('checkout.session.completed') }
}

function signed(type: string, atMs = clock.now()): { body: string; signature: string } {
  const event = stripe.events.findLast((each) => each.type === type)
  if (event === undefined) throw new Error(`There is no ${type}.`)
  return stripe.sign(event, atMs)
}

/** A session that was not opened by `checkout`, but by whoever else holds the key. */
async function foreignSession(
  metadata: Record<string, string>,
  currency = 'usd',
  cents = 1000,
): Promise<string> {
  const form = new URLSearchParams({
    mode: 'payment',
    success_url: 'https://example.com',
    'line_items[0][quantity]': '1',
    'line_items[0][price_data][currency]': currency,
    'line_items[0][price_data][unit_amount]': String(cents),
    'line_items[0][price_data][product_data][name]': 'Something',
  })
  for (const [name, value] of Object.entries(metadata)) form.set(`metadata[${name}]`, value)
  const answer = await fetch(`${stripe.url}/v1/checkout/sessions`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_1' },
    body: form,
  })
  return ((await answer.json()) as { id: string }).id
}

const nothing = { credits: usd('0.00') }

describe('the signature of a webhook', () => {
  it('is checked over bytes and over text', async () => {
    const { gateway, payments, body, signature } = await paid()
    const result = await payments.handleWebhook({ rawBody: Buffer.from(body), signature })
    expect(result).toMatchObject({ outcome: 'handled', status: 200 })
    expect(await payments.handleWebhook({ rawBody: body, signature })).toEqual(result)
    expect((await gateway.accounts.balance('alice')).purchased).toBe(usd('10.00'))
  })

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['sent twice', ['t=1,v1=2', 't=1,v1=2']],
    ['not one', 'hello'],
    ['of another secret', 'other'],
    ['of another scheme', 'v0'],
  ])('is refused with 400 when it is %s, and Stripe is not asked', async (_name, kind) => {
    const { gateway, payments, body, signature } = await paid()
    const calls = stripe.calls.length
    const other = await startStripeSimulator({ clock, webhookSecret: 'whsec_other' })
    const event = stripe.events.at(-1)
    if (event === undefined) throw new Error('nothing happened')
    const sent =
      kind === 'other' ? other.sign(event).signature : kind === 'v0' ? signature.replace('v1', 'v0') : kind
    await other.close()

    const result = await payments.handleWebhook({ rawBody: body, signature: sent })
    expect(result).toMatchObject({ outcome: 'refused', status: 400, events: [] })
    expect(result.message).not.toMatch(/whsec|docs/)
    expect(stripe.calls).toHaveLength(calls)
    expect((await gateway.accounts.balance('alice')).purchased).toBe(nothing.credits)
  })

  it('that is good on a thin event says which payload to choose', async () => {
    const { payments } = open()
    const thin = { id: 'evt_1', object: 'v2.core.event', type: 'v1.charge.refunded' } as unknown
    const { body, signature } = stripe.sign(thin as Parameters<typeof stripe.sign>[0])
    const result = await payments.handleWebhook({ rawBody: body, signature })
    expect(result).toMatchObject({ outcome: 'refused', status: 400 })
    expect(result.message).toContain('snapshot')
  })

  it('does not match a body of which one byte was changed', async () => {
    const { payments, body, signature } = await paid()
    const rawBody = body.replace('1000', '9000')
    expect(await payments.handleWebhook({ rawBody, signature })).toMatchObject({
      outcome: 'refused',
      status: 400,
    })
  })

  it('holds for five minutes', async () => {
    const { payments } = await paid()
    const fresh = signed('checkout.session.completed', clock.now() - 300_000)
    const old = signed('checkout.session.completed', clock.now() - 301_000)
    expect(await payments.handleWebhook({ rawBody: fresh.body, signature: fresh.signature })).toMatchObject({
      status: 200,
    })
    expect(await payments.handleWebhook({ rawBody: old.body, signature: old.signature })).toEqual({
      outcome: 'refused',
      status: 400,
      message: 'The signature is too old.',
      events: [],
    })
  })

  it.each([
    ['an object', (body: string) => JSON.parse(body)],
    ['nothing', () => undefined],
    ['an empty object, as for a content type that express.raw does not take', () => ({})],
  ])('can not be checked when something has made %s of the body, which is told', async (_name, parse) => {
    const { payments, body, signature } = await paid()
    const error = await payments.handleWebhook({ rawBody: parse(body), signature }).catch((thrown) => thrown)
    expect(isGatewayError(error) && (error as GatewayError).code).toBe('body_already_read')
    expect(error.message).toContain("express.raw({ type: 'application/json' })")
  })
})

describe('a webhook', () => {
  it('adds what was paid without tax, not what was asked for', async () => {
    const { gateway, payments } = open()
    const result = await payments.checkout({ accountId: 'alice', amount: usd('10.00') })
    if (result.outcome !== 'created') throw new Error(result.outcome)
    stripe.pay(result.sessionId, { taxCents: 190, discountCents: 250 })
    const { body, signature } = signed('checkout.session.completed')

    const { events } = await payments.handleWebhook({ rawBody: body, signature })
    const paymentId = stripe.sessions.get(result.sessionId)?.payment_intent
    expect(events).toEqual([
      {
        kind: 'credit.purchased',
        accountId: 'alice',
        sessionId: result.sessionId,
        paymentId,
        grantId: `stripe:${paymentId}`,
        amount: usd('7.50'),
        paid: usd('9.40'),
      },
    ])
    expect((await gateway.accounts.balance('alice')).purchased).toBe(usd('7.50'))
  })

  it('believes Stripe and not its own body: a session that is not paid now adds nothing', async () => {
    const { gateway, payments } = open()
    const result = await payments.checkout({ accountId: 'alice', amount: usd('10.00') })
    if (result.outcome !== 'created') throw new Error(result.outcome)
    stripe.pay(result.sessionId, { isDelayed: true })
    const event = stripe.events.findLast(({ type }) => type === 'checkout.session.completed')
    if (event === undefined) throw new Error('nothing happened')
    const { body, signature } = stripe.sign({
      ...event,
      data: { object: { ...event.data.object, payment_status: 'paid', amount_total: 999_900 } },
    })

    const { events } = await payments.handleWebhook({ rawBody: body, signature })
    expect(events).toEqual([{ kind: 'payment.pending', accountId: 'alice', sessionId: result.sessionId }])
    expect((await gateway.accounts.balance('alice')).purchased).toBe(nothing.credits)
  })

  it('adds a delayed payment when it has arrived, and tells of one that failed', async () => {
    const { gateway, payments } = open()
    for (const isPaid of [true, false]) {
      const result = await payments.checkout({ accountId: 'alice', amount: usd('10.00') })
      if (result.outcome !== 'created') throw new Error(result.outcome)
      stripe.pay(result.sessionId, { isDelayed: true })
      stripe.settlePayment(result.sessionId, isPaid)
      const { body, signature } = signed(`checkout.session.async_payment_${isPaid ? 'succeeded' : 'failed'}`)
      const { events } = await payments.handleWebhook({ rawBody: body, signature })
      expect(events.map(({ kind }) => kind)).toEqual([isPaid ? 'credit.purchased' : 'payment.failed'])
    }
    expect((await gateway.accounts.balance('alice')).purchased).toBe(usd('10.00'))
  })

  it.each(['eur', 'jpy'])('adds nothing for a payment in %s, and says so once for all', async (currency) => {
    const { gateway, payments } = open()
    const sessionId = await foreignSession({ farebox: 'farebox', farebox_account: 'alice' }, currency)
    stripe.pay(sessionId)
    const { body, signature } = signed('checkout.session.completed')

    const result = await payments.handleWebhook({ rawBody: body, signature })
    expect(result).toMatchObject({ outcome: 'handled', status: 200 })
    expect(result.events).toMatchObject([
      { kind: 'payment.refused', reason: 'currency', accountId: 'alice', sessionId },
    ])
    expect((await gateway.accounts.balance('alice')).purchased).toBe(nothing.credits)
  })

  it('adds nothing when a promotion code paid for all of it', async () => {
    const { gateway, payments } = open()
    const result = await payments.checkout({ accountId: 'alice', amount: usd('10.00') })
    if (result.outcome !== 'created') throw new Error(result.outcome)
    stripe.pay(result.sessionId, { discountCents: 1000 })
    const { body, signature } = signed('checkout.session.completed')

    const { events } = await payments.handleWebhook({ rawBody: body, signature })
    expect(events).toMatchObject([{ kind: 'payment.refused', reason: 'nothing-paid' }])
    expect((await gateway.accounts.balance('alice')).purchased).toBe(nothing.credits)
  })

  it.each([
    ['a session without an application', {}],
    ['a session of another application', { farebox: 'other', farebox_account: 'alice' }],
    ['a session without an account', { farebox: 'farebox' }],
    ['a session with an empty account', { farebox: 'farebox', farebox_account: '' }],
  ])('leaves %s alone', async (_name, metadata) => {
    const { gateway, payments } = open()
    const sessionId = await foreignSession(metadata)
    const { payment_intent: paymentId } = stripe.pay(sessionId)
    const completed = signed('checkout.session.completed')
    expect(
      await payments.handleWebhook({ rawBody: completed.body, signature: completed.signature }),
    ).toMatchObject({
      outcome: 'ignored',
      status: 200,
    })
    stripe.refund(paymentId ?? '', 100)
    const refunded = signed('charge.refunded')
    expect(
      await payments.handleWebhook({ rawBody: refunded.body, signature: refunded.signature }),
    ).toMatchObject({
      outcome: 'ignored',
    })
    expect((await gateway.accounts.balance('alice')).purchased).toBe(nothing.credits)
  })

  it('keeps two applications on one Stripe account apart', async () => {
    const { payments, body, signature } = await paid('gateway-a')
    const other = open('gateway-b')
    expect(await other.payments.handleWebhook({ rawBody: body, signature })).toMatchObject({
      outcome: 'ignored',
    })
    expect(await payments.handleWebhook({ rawBody: body, signature })).toMatchObject({ outcome: 'handled' })
  })

  it("of a connected account is about somebody else's money", async () => {
    const { payments } = await paid()
    const event = stripe.events.findLast(({ type }) => type === 'checkout.session.completed')
    if (event === undefined) throw new Error('nothing happened')
    const { body, signature } = stripe.sign({ ...event, account: 'acct_1' } as typeof event)
    expect(await payments.handleWebhook({ rawBody: body, signature })).toMatchObject({ outcome: 'ignored' })
  })

  it('about a payment that our key does not know rejects: it is the key of another account', async () => {
    const { payments } = await paid()
    const event = stripe.events.findLast(({ type }) => type === 'checkout.session.completed')
    if (event === undefined) throw new Error('nothing happened')
    const { body, signature } = stripe.sign({
      ...event,
      data: { object: { ...event.data.object, id: 'cs_live_1' } },
    })
    await expect(payments.handleWebhook({ rawBody: body, signature })).rejects.toMatchObject({
      statusCode: 404,
    })
  })

  it('of a kind that is no concern of ours is taken without asking Stripe', async () => {
    const { payments } = await paid()
    const calls = stripe.calls.length
    const { body, signature } = signed('charge.succeeded')
    expect(await payments.handleWebhook({ rawBody: body, signature })).toMatchObject({
      outcome: 'ignored',
      status: 200,
    })
    expect(stripe.calls).toHaveLength(calls)
  })

  it('is delayed with 503 while the account has no room for a grant, and adds it once there is', async () => {
    const { gateway, payments, body, signature } = await paid()
    const grant = (name: string, expiresAtMs: number) =>
      gateway.credits.grant({ accountId: 'alice', grantId: name, amount: usd('0.01'), expiresAtMs })
    for (let count = 1; count <= 64; count += 1) await grant(`g${count}`, clock.now() + 60_000)

    const first = await payments.handleWebhook({ rawBody: body, signature })
    expect(first).toMatchObject({ outcome: 'delayed', status: 503 })
    expect(first.events).toMatchObject([{ kind: 'credit.delayed', reason: 'too-many-grants' }])
    clock.advance(60_000)
    expect(await payments.handleWebhook({ rawBody: body, signature })).toMatchObject({ outcome: 'handled' })
    expect((await gateway.accounts.balance('alice')).purchased).toBe(usd('10.00'))
  })

  it('reports a grant of the same id that somebody else has made', async () => {
    const { gateway, payments, sessionId, body, signature } = await paid()
    const grantId = `stripe:${stripe.sessions.get(sessionId)?.payment_intent}`
    await gateway.credits.grant({ accountId: 'alice', grantId, amount: usd('1.00') })
    const { status, events } = await payments.handleWebhook({ rawBody: body, signature })
    expect(status).toBe(200)
    expect(events).toMatchObject([{ kind: 'payment.refused', reason: 'grant-conflict' }])
  })
})

describe('sync', () => {
  it('does without a webhook what the webhook would do, and the webhook then adds nothing', async () => {
    const { gateway, payments, sessionId, body, signature } = await paid()
    expect(await payments.sync(sessionId)).toMatchObject([{ kind: 'credit.purchased', amount: usd('10.00') }])
    await payments.handleWebhook({ rawBody: body, signature })
    expect((await gateway.accounts.balance('alice')).purchased).toBe(usd('10.00'))
  })

  it('finds nothing in a session that is open, expired or not ours', async () => {
    const { gateway, payments } = open()
    const result = await payments.checkout({ accountId: 'alice', amount: usd('10.00') })
    if (result.outcome !== 'created') throw new Error(result.outcome)
    expect(await payments.sync(result.sessionId)).toEqual([])
    stripe.expireSession(result.sessionId)
    expect(await payments.sync(result.sessionId)).toEqual([])
    expect(await payments.sync(await foreignSession({}))).toEqual([])
    expect((await gateway.accounts.balance('alice')).purchased).toBe(nothing.credits)
  })

  it.each(['cs_test_none', '', '../../refunds', '%2e%2e/refunds', 'a'.repeat(5000)])(
    'finds nothing in a session that does not exist: %s',
    async (sessionId) => {
      expect(await open().payments.sync(sessionId)).toEqual([])
      expect(stripe.calls.at(-1)?.path).toMatch(/^\/v1\/checkout\/sessions\//)
    },
  )

  it('rejects when Stripe does not know the key', async () => {
    const { payments } = open()
    stripe.fault(() => 'limited')
    await expect(payments.sync('cs_test_none')).rejects.toMatchObject({ statusCode: 429 })
  })
})

describe('credit that expires', () => {
  it('does so by the terms it was sold on, whatever the options say when the webhook comes', async () => {
    const { gateway } = open()
    const options = {
      gateway,
      apiKey: 'sk_test_1',
      webhookSecret: stripe.webhookSecret,
      successUrl: 'https://example.com/paid',
      cancelUrl: 'https://example.com/credit',
      amounts: { min: usd('1.00'), max: usd('500.00') },
      connection: stripe.connection,
      clock,
    }
    const seller = createPayments({ ...options, creditDays: 30 })
    const soldAtMs = clock.now()
    const result = await seller.checkout({ accountId: 'alice', amount: usd('10.00') })
    if (result.outcome !== 'created') throw new Error(result.outcome)
    stripe.pay(result.sessionId)
    const { body, signature } = signed('checkout.session.completed')
    await createPayments({ ...options, creditDays: 90 }).handleWebhook({ rawBody: body, signature })
    await createPayments(options).handleWebhook({ rawBody: body, signature })

    clock.set(soldAtMs + 30 * 24 * 60 * 60 * 1000 - 1)
    expect((await gateway.accounts.balance('alice')).spendable).toBeGreaterThanOrEqual(usd('10.00'))
    clock.set(soldAtMs + 30 * 24 * 60 * 60 * 1000)
    expect((await gateway.accounts.balance('alice')).spendable).toBeLessThan(usd('10.00'))
  })
})
