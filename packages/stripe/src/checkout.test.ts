import { fakeClock, nano, usd } from '@farebox/core'
import { type StripeFault, type StripeSimulator, startStripeSimulator } from '@farebox/testkit/stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPayments, type PaymentsOptions } from './index.ts'
import { keysMax } from './once.ts'

const refuse = () => Promise.reject(new Error('Nothing is granted or taken here.'))

const clock = fakeClock(Date.UTC(2026, 10, 22))
let stripe: StripeSimulator
beforeEach(async () => {
  stripe = await startStripeSimulator({ clock, apiKey: 'sk_test_1' })
})
afterEach(() => stripe.close())

function open(options: Partial<PaymentsOptions> = {}) {
  return createPayments({
    gateway: { credits: { grant: refuse, void: refuse } },
    apiKey: 'sk_test_1',
    webhookSecret: stripe.webhookSecret,
    successUrl: 'https://example.com/paid?session={CHECKOUT_SESSION_ID}',
    cancelUrl: 'https://example.com/credit',
    packs: [{ packId: 'small', amount: usd('10.00'), name: 'Small pack' }],
    amounts: { min: usd('5.00'), max: usd('500.00') },
    connection: stripe.connection,
    clock,
    ...options,
  })
}

describe('checkout', () => {
  it('opens a page for an amount, with the account and the amount on the session and on the payment', async () => {
    const result = await open().checkout({ accountId: 'alice', amount: usd('12.34') })

    const [session] = stripe.sessions.values()
    expect(result).toEqual({
      outcome: 'created',
      sessionId: session?.id,
      url: session?.url,
      amount: usd('12.34'),
      expiresAtMs: clock.now() + 24 * 60 * 60 * 1000,
    })
    expect(session).toMatchObject({
      mode: 'payment',
      currency: 'usd',
      amount_total: 1234,
      success_url: 'https://example.com/paid?session={CHECKOUT_SESSION_ID}',
      cancel_url: 'https://example.com/credit',
      metadata: { farebox: 'farebox', farebox_account: 'alice', farebox_amount_nano: '12340000000' },
    })
    stripe.pay(session?.id ?? '')
    const paid = stripe.events.find(({ type }) => type === 'payment_intent.succeeded')
    expect(paid?.data.object).toMatchObject({ metadata: { farebox_account: 'alice' } })
  })

  it('opens a page for a pack', async () => {
    const result = await open().checkout({ accountId: 'alice', packId: 'small' })
    expect(result).toMatchObject({ outcome: 'created', amount: usd('10.00') })
    expect([...stripe.sessions.values()][0]?.amount_total).toBe(1000)
  })

  it("passes on the host's own wishes, but not where they would change who or what is paid", async () => {
    const payments = open({
      session: {
        locale: 'de',
        allow_promotion_codes: true,
        metadata: { farebox_account: 'mallory' },
        mode: 'setup',
        success_url: 'https://example.org',
      },
      creditDays: 365,
    })
    await payments.checkout({ accountId: 'alice', packId: 'small' })
    expect([...stripe.sessions.values()][0]).toMatchObject({
      mode: 'payment',
      success_url: 'https://example.com/paid?session={CHECKOUT_SESSION_ID}',
      metadata: { farebox_account: 'alice', farebox_credit_days: '365' },
    })
  })

  it("puts the account's customer on the session", async () => {
    const answer = await fetch(`${stripe.url}/v1/customers`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk_test_1' },
      body: 'email=alice%40example.com',
    })
    const { id } = (await answer.json()) as { id: string }
    const payments = open({ customerOf: async (accountId) => (accountId === 'alice' ? id : undefined) })

    await payments.checkout({ accountId: 'alice', packId: 'small' })
    await payments.checkout({ accountId: 'bob', packId: 'small' })
    expect([...stripe.sessions.values()].map(({ customer }) => customer)).toEqual([id, null])
  })

  it.each([
    ['below the least', { amount: usd('4.99') }],
    ['above the most', { amount: usd('500.01') }],
    ['of a part of a cent', { amount: nano(usd('5.00') + 1n) }],
    ['of nothing', { amount: usd('0') }],
    ['of less than nothing', { amount: usd('-5.00') }],
    ['that was not named', {}],
    ["that is not the pack's", { packId: 'small', amount: usd('5.00') }],
  ])('sells no amount %s, and asks Stripe nothing', async (_name, request) => {
    const result = await open().checkout({ accountId: 'alice', ...request })
    expect(result).toMatchObject({ outcome: 'not-for-sale' })
    expect(stripe.calls).toHaveLength(0)
  })

  it.each(['5.00', '500.00'])('sells $%s, which is on the bound', async (amount) => {
    expect(await open().checkout({ accountId: 'alice', amount: usd(amount) })).toMatchObject({
      outcome: 'created',
    })
  })

  it('names the packs there are to whoever asks for another', async () => {
    const result = await open().checkout({ accountId: 'alice', packId: 'large' })
    expect(result).toEqual({ outcome: 'unknown-pack', packIds: ['small'] })
  })

  it('sells packs only when no bounds are set', async () => {
    const payments = createPayments({
      gateway: { credits: { grant: refuse, void: refuse } },
      apiKey: 'sk_test_1',
      webhookSecret: 'whsec',
      successUrl: 'https://example.com',
      cancelUrl: 'https://example.com',
      packs: [{ packId: 'small', amount: usd('10.00') }],
      connection: stripe.connection,
    })
    expect(await payments.checkout({ accountId: 'alice', amount: usd('10.00') })).toMatchObject({
      outcome: 'not-for-sale',
    })
  })

  it('opens one page for one checkout id, however often and however close together it is sent', async () => {
    const payments = open()
    const request = { accountId: 'alice', packId: 'small', checkoutId: 'form-1' }
    const results = await Promise.all(Array.from({ length: 5 }, () => payments.checkout(request)))

    expect(stripe.sessions.size).toBe(1)
    expect(
      new Set(results.map((result) => JSON.stringify(result, (_, v) => (typeof v === 'bigint' ? `${v}` : v))))
        .size,
    ).toBe(1)
    await payments.checkout({ ...request, accountId: 'bob' })
    expect(stripe.sessions.size).toBe(2)
  })

  it('reports a conflict when a checkout id comes back with something else', async () => {
    const payments = open()
    await payments.checkout({ accountId: 'alice', packId: 'small', checkoutId: 'form-1' })
    const again = await payments.checkout({ accountId: 'alice', amount: usd('5.00'), checkoutId: 'form-1' })
    expect(again).toEqual({ outcome: 'conflict' })
    expect(stripe.sessions.size).toBe(1)
  })

  it.each<StripeFault>(['error', 'error-after', 'limited', 'busy'])(
    'throws when Stripe answers "%s", and opens a page the next time, for the same checkout id too',
    async (fault) => {
      const payments = open()
      const request = { accountId: 'alice', packId: 'small', checkoutId: 'form-1' }
      stripe.fault(({ number }) => (number === 1 ? fault : undefined))
      await expect(payments.checkout(request)).rejects.toThrow()
      expect(await payments.checkout(request)).toMatchObject({ outcome: 'created' })
    },
  )

  it("opens one page when the connection was lost, which Stripe's client tries again by itself", async () => {
    const request = { accountId: 'alice', packId: 'small', checkoutId: 'form-1' }
    stripe.fault(({ number }) => (number === 1 ? 'reset' : number === 3 ? 'lost' : undefined))
    expect(await open().checkout(request)).toMatchObject({ outcome: 'created' })
    await expect(open().checkout({ ...request, checkoutId: 'form-2' })).rejects.toThrow()
    expect(await open().checkout({ ...request, checkoutId: 'form-2' })).toMatchObject({ outcome: 'created' })
    expect(stripe.sessions.size).toBe(2)
  })

  it('gives up when Stripe has saved a failure under every key', async () => {
    const payments = open()
    const request = { accountId: 'alice', packId: 'small', checkoutId: 'form-1' }
    stripe.fault(() => 'error')
    for (let count = 0; count < keysMax; count += 1)
      await expect(payments.checkout(request)).rejects.toThrow()
    stripe.fault(undefined)
    const before = stripe.calls.length
    await expect(payments.checkout(request)).rejects.toThrow()
    expect(stripe.calls.length - before).toBe(keysMax)
    clock.advance(24 * 60 * 60 * 1000)
    expect(await payments.checkout(request)).toMatchObject({ outcome: 'created' })
  })

  it.each(['', 'a'.repeat(501)])('refuses an account id that Stripe can not keep', async (accountId) => {
    await expect(open().checkout({ accountId, packId: 'small' })).rejects.toThrow(RangeError)
    expect(stripe.calls).toHaveLength(0)
  })

  it("rejects with Stripe's own error when the key is wrong", async () => {
    await expect(
      open({ apiKey: 'sk_test_2' }).checkout({ accountId: 'alice', packId: 'small' }),
    ).rejects.toMatchObject({
      statusCode: 401,
    })
  })
})
