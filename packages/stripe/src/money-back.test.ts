import {
  createGateway,
  createLedger,
  fakeClock,
  memoryStorage,
  type Nano,
  nano,
  planPreset,
  usd,
} from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { type StripeSimulator, startStripeSimulator } from '@farebox/testkit/stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPayments, type PaymentEvent, type PaymentsOptions } from './index.ts'

const dayMs = 24 * 60 * 60 * 1000

let clock = fakeClock(Date.UTC(2026, 10, 22))
let stripe: StripeSimulator
beforeEach(async () => {
  clock = fakeClock(Date.UTC(2026, 10, 22))
  stripe = await startStripeSimulator({ clock })
})
afterEach(() => stripe.close())

/** A purchase of $10.00 that was paid and credited. */
async function purchase({ taxCents = 0, creditDays }: { taxCents?: number; creditDays?: number } = {}) {
  const storage = memoryStorage({ clock })
  const plans = planPreset('hf-2026-02-04')
  const gateway = createGateway({
    providers: [openaiCompatible({ id: 'any', baseUrl: 'http://127.0.0.1:9' })],
    authenticate: () => undefined,
    storage,
    plans,
    clock,
  })
  const options: PaymentsOptions = {
    gateway,
    apiKey: 'sk_test_1',
    webhookSecret: stripe.webhookSecret,
    successUrl: 'https://example.com/paid',
    cancelUrl: 'https://example.com/credit',
    packs: [{ packId: 'ten', amount: usd('10.00') }],
    connection: stripe.connection,
    clock,
    ...(creditDays === undefined ? {} : { creditDays }),
  }
  const payments = createPayments(options)
  const result = await payments.checkout({ accountId: 'alice', packId: 'ten' })
  if (result.outcome !== 'created') throw new Error(result.outcome)
  const { sessionId } = result
  const paymentId = stripe.pay(sessionId, { taxCents }).payment_intent ?? ''
  await payments.sync(sessionId)
  const ledger = createLedger({ store: storage.ledger, plans, clock })
  return {
    gateway,
    payments,
    options,
    paymentId,
    balance: () => gateway.accounts.balance('alice'),
    /** Sets money aside for a request, beyond the included $0.10. */
    hold: (reservationId: string, amount: Nano) =>
      ledger.reserve({
        reservationId,
        accountId: 'alice',
        amount: nano(amount + usd('0.10')),
        timeToLiveMs: 60_000,
        subject: { model: 'any', costProviderIds: [], attemptsMax: 1 },
      }),
    settle: (reservationId: string) => ledger.settle({ accountId: 'alice', reservationId, attempts: [] }),
    /** What the webhooks since then tell about money that went back. */
    async told(): Promise<PaymentEvent[]> {
      const event = stripe.events.at(-1)
      if (event === undefined) throw new Error('nothing happened')
      const { body, signature } = stripe.sign(event)
      const { events } = await payments.handleWebhook({ rawBody: body, signature })
      return events.filter(({ kind }) => kind !== 'credit.purchased')
    },
  }
}

/** A promise, and the call that fulfils it. */
function signal(): { readonly given: Promise<void>; give(): void } {
  let give = (): void => undefined
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give: () => give() }
}

describe('a refund', () => {
  it('takes credit back, and the journal says who and why', async () => {
    const { gateway, paymentId, told, balance } = await purchase()
    const refund = stripe.refund(paymentId, 400)
    expect(await told()).toEqual([
      {
        kind: 'credit.taken-back',
        accountId: 'alice',
        paymentId,
        cause: 'refund',
        causeId: refund.id,
        taken: usd('4.00'),
        missing: usd('0.00'),
        held: usd('0.00'),
      },
    ])
    expect((await balance()).purchased).toBe(usd('6.00'))
    const entry = (await gateway.accounts.journal({ accountId: 'alice' })).at(-1)
    expect(entry).toMatchObject({
      kind: 'voided',
      terms: { actor: 'stripe', reason: `Stripe refund ${refund.id}` },
    })
  })

  it('takes what tax was paid on, and leaves less than a nano-USD for each part', async () => {
    const { paymentId, told, balance } = await purchase({ taxCents: 190 })
    expect((await balance()).purchased).toBe(usd('10.00'))
    stripe.refund(paymentId, 595)
    await told()
    expect((await balance()).purchased).toBe(usd('5.00'))
    stripe.refund(paymentId, 1)
    await told()
    // 10.00 / 11.90 of a cent, rounded down.
    expect((await balance()).purchased).toBe(usd('5.00') - 8_403_361n)
    stripe.refund(paymentId, 594)
    await told()
    expect((await balance()).purchased).toBe(1n)
  })

  it('of everything in one piece leaves nothing, whatever the tax', async () => {
    const { paymentId, told, balance } = await purchase({ taxCents: 77 })
    stripe.refund(paymentId, 1077)
    await told()
    expect((await balance()).purchased).toBe(0n)
  })

  it('tells what was not there to take, and what of it was set aside', async () => {
    const { paymentId, told, balance, hold, settle } = await purchase()
    await hold('r1', usd('7.00'))
    stripe.refund(paymentId, 1000)
    expect(await told()).toMatchObject([{ taken: usd('3.00'), missing: usd('7.00'), held: usd('7.00') }])
    await settle('r1')
    // The request had no cost. Its credit comes back to the customer, and is not taken a second time.
    expect(await told()).toMatchObject([{ taken: usd('3.00'), missing: usd('7.00'), held: usd('7.00') }])
    expect((await balance()).purchased).toBe(usd('7.00'))
  })

  it('leaves the credit of other payments alone', async () => {
    const { payments, paymentId, told, balance, hold } = await purchase()
    await hold('r1', usd('10.00'))
    const other = await payments.checkout({ accountId: 'alice', packId: 'ten' })
    if (other.outcome !== 'created') throw new Error(other.outcome)
    stripe.pay(other.sessionId)
    await payments.sync(other.sessionId)
    stripe.refund(paymentId, 1000)
    expect(await told()).toMatchObject([{ taken: usd('0.00'), missing: usd('10.00') }])
    expect((await balance()).purchased).toBe(usd('10.00'))
  })

  it('that fails gives back exactly what was taken, and no more', async () => {
    const { paymentId, told, balance, hold } = await purchase()
    await hold('r1', usd('7.00'))
    const { id } = stripe.refund(paymentId, 1000, 'pending')
    await told()
    expect((await balance()).purchased).toBe(usd('0.00'))
    stripe.endRefund(id, 'failed')
    const about = { accountId: 'alice', paymentId, cause: 'refund', causeId: id }
    expect(await told()).toEqual([{ kind: 'credit.given-back', ...about, amount: usd('3.00') }])
    await told()
    expect((await balance()).purchased).toBe(usd('3.00'))
  })

  it('that fails waits with 503 while the account has no room to give back', async () => {
    const { gateway, payments, paymentId, told, balance } = await purchase()
    const { id } = stripe.refund(paymentId, 1000, 'pending')
    await told()
    for (let count = 1; count <= 64; count += 1) {
      const grant = { accountId: 'alice', grantId: `g${count}`, amount: nano(1n), kind: 'courtesy' } as const
      await gateway.credits.grant({ ...grant, expiresAtMs: clock.now() + dayMs })
    }
    stripe.endRefund(id, 'failed')
    const event = stripe.events.at(-1)
    if (event === undefined) throw new Error('nothing happened')
    const signed = () => {
      const { body, signature } = stripe.sign(event)
      return { rawBody: body, signature }
    }
    expect(await payments.handleWebhook(signed())).toMatchObject({ outcome: 'delayed', status: 503 })
    clock.advance(dayMs)
    expect(await payments.handleWebhook(signed())).toMatchObject({ outcome: 'handled', status: 200 })
    expect((await balance()).purchased).toBe(usd('10.00'))
  })

  it('of credit that has expired changes nothing', async () => {
    const { paymentId, told, balance } = await purchase({ creditDays: 30 })
    clock.advance(30 * dayMs)
    stripe.refund(paymentId, 1000)
    expect(await told()).toEqual([])
    expect((await balance()).purchased).toBe(0n)
  })

  it('reports when the host has used its id for something else', async () => {
    const { gateway, paymentId, told, balance } = await purchase()
    const { id } = stripe.refund(paymentId, 400)
    const reason = 'by hand'
    const grantId = `stripe:${paymentId}`
    await gateway.credits.void({
      accountId: 'alice',
      opId: `stripe:${id}`,
      grantId,
      amount: usd('1.00'),
      actor: 'ann',
      reason,
    })
    expect(await told()).toMatchObject([{ kind: 'payment.refused', reason: 'take-conflict' }])
    expect((await balance()).purchased).toBe(usd('9.00'))
  })

  it('is one of more than a page of them', async () => {
    const { paymentId, told, balance } = await purchase()
    for (let count = 0; count < 120; count += 1) stripe.refund(paymentId, 5)
    expect(await told()).toHaveLength(120)
    expect((await balance()).purchased).toBe(usd('4.00'))
  })
})

describe('a dispute', () => {
  it('takes credit with the money, and a won one gives it back', async () => {
    const { paymentId, told, balance } = await purchase()
    const { id } = stripe.dispute(paymentId)
    const about = { accountId: 'alice', paymentId, cause: 'dispute', causeId: id }
    expect(await told()).toMatchObject([{ kind: 'credit.taken-back', ...about, taken: usd('10.00') }])
    expect((await balance()).purchased).toBe(usd('0.00'))
    stripe.closeDispute(id, 'won')
    expect(await told()).toEqual([{ kind: 'credit.given-back', ...about, amount: usd('10.00') }])
    expect((await balance()).purchased).toBe(usd('10.00'))
  })

  it('is not taken for good by a webhook that had looked before it was won, and is slower', async () => {
    const { gateway, payments, options, paymentId, told, balance } = await purchase()
    const reached = signal()
    const gate = signal()
    const slow = createPayments({
      ...options,
      gateway: {
        credits: {
          grant: (request) => gateway.credits.grant(request),
          async void(request) {
            reached.give()
            await gate.given
            return gateway.credits.void(request)
          },
        },
      },
    })
    const { id } = stripe.dispute(paymentId)
    const opened = stripe.events.find(({ type }) => type === 'charge.dispute.created')
    if (opened === undefined) throw new Error('nothing happened')
    const { body, signature } = stripe.sign(opened)
    const behind = slow.handleWebhook({ rawBody: body, signature })
    await reached.given
    stripe.closeDispute(id, 'won')
    expect(await told()).toMatchObject([{ kind: 'credit.given-back', amount: usd('10.00') }])
    gate.give()
    expect(await behind).toMatchObject({ outcome: 'handled' })
    expect((await balance()).purchased).toBe(usd('10.00'))
    expect(await payments.handleWebhook({ rawBody: body, signature })).toMatchObject({ outcome: 'handled' })
    expect((await balance()).purchased).toBe(usd('10.00'))
  })

  it('that is only an inquiry takes nothing', async () => {
    const { paymentId, told, balance } = await purchase()
    const { id } = stripe.dispute(paymentId, { isInquiry: true })
    expect(await told()).toEqual([])
    stripe.closeDispute(id, 'warning_closed')
    expect(await told()).toEqual([])
    expect((await balance()).purchased).toBe(usd('10.00'))
  })

  it('of a part takes a part, and one that is lost keeps it', async () => {
    const { paymentId, told, balance } = await purchase()
    const { id } = stripe.dispute(paymentId, { cents: 250 })
    await told()
    stripe.closeDispute(id, 'lost')
    expect(await told()).toMatchObject([{ kind: 'credit.taken-back', taken: usd('2.50') }])
    expect((await balance()).purchased).toBe(usd('7.50'))
  })

  it('of a payment that was refunded finds nothing left', async () => {
    const { paymentId, told, balance } = await purchase()
    stripe.refund(paymentId, 1000)
    await told()
    stripe.dispute(paymentId)
    expect(await told()).toMatchObject([
      { cause: 'refund', taken: usd('10.00') },
      { cause: 'dispute', taken: usd('0.00'), missing: usd('10.00') },
    ])
    expect((await balance()).purchased).toBe(usd('0.00'))
  })
})
