import { fakeClock, usd } from '@farebox/core'
import { type StripeFault, type StripeSimulator, startStripeSimulator } from '@farebox/testkit/stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPayments, type DueInvoice, type InvoiceOptions } from './index.ts'

const refuse = () => Promise.reject(new Error('Nothing is granted or taken here.'))

const closedAtMs = Date.UTC(2026, 11, 1, 2)
const dayMs = 24 * 60 * 60 * 1000

let clock = fakeClock(closedAtMs)
let stripe: StripeSimulator
let customer: string
beforeEach(async () => {
  clock = fakeClock(closedAtMs)
  stripe = await startStripeSimulator({ clock })
  // The first call; the tests count from there.
  customer = await newCustomer()
})
afterEach(() => stripe.close())

async function newCustomer(): Promise<string> {
  const answer = await fetch(`${stripe.url}/v1/customers`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_1' },
    body: 'email=alice%40example.com',
  })
  return ((await answer.json()) as { id: string }).id
}

function open(invoices: InvoiceOptions = {}, customerOf = (): string | undefined => customer) {
  return createPayments({
    gateway: { credits: { grant: refuse, void: refuse } },
    apiKey: 'sk_test_1',
    webhookSecret: stripe.webhookSecret,
    successUrl: 'https://example.com/paid',
    cancelUrl: 'https://example.com/credit',
    amounts: { min: usd('1.00'), max: usd('500.00') },
    customerOf,
    invoices,
    connection: stripe.connection,
    clock,
  })
}

/** $3.00 of usage, $2.00 of it paid from credit, and half a cent from the month before. */
const november: DueInvoice = {
  invoiceId: 'alice:2026-11',
  accountId: 'alice',
  periodKey: '2026-11',
  startMs: Date.UTC(2026, 10, 1),
  endMs: Date.UTC(2026, 11, 1),
  closedAtMs,
  currency: 'USD',
  lines: [
    { kind: 'usage', description: 'openai/gpt-oss-120b at cerebras', amount: usd('3.00') },
    { kind: 'credit', description: 'Paid from included credit', amount: usd('-2.00') },
    { kind: 'overage', description: 'Pay-as-you-go of 2026-11', amount: usd('1.00') },
  ],
  carryIn: usd('0.005'),
  dueCents: 100n,
}

function only() {
  expect(stripe.invoices.size).toBe(1)
  const [invoice] = stripe.invoices.values()
  if (invoice === undefined) throw new Error('There is no invoice.')
  return invoice
}

describe('sendInvoice', () => {
  it('makes one finalized invoice of the lines, with what it is for', async () => {
    const result = await open().sendInvoice(november)

    const invoice = only()
    expect(result).toEqual({
      outcome: 'sent',
      stripeInvoiceId: invoice.id,
      status: 'open',
      url: invoice.hosted_invoice_url,
      total: usd('1.00'),
    })
    expect(invoice).toMatchObject({
      customer,
      currency: 'usd',
      collection_method: 'charge_automatically',
      auto_advance: true,
      status: 'open',
      amount_due: 100,
      metadata: { farebox: 'farebox', farebox_account: 'alice', farebox_invoice: 'alice:2026-11' },
    })
    expect(invoice.lines.data).toMatchObject([
      {
        description: 'openai/gpt-oss-120b at cerebras',
        amount: 300,
        period: { start: Date.UTC(2026, 10, 1) / 1000, end: Date.UTC(2026, 11, 1) / 1000 - 1 },
      },
      { description: 'Paid from included credit', amount: -200 },
    ])
  })

  it('sends an invoice to pay by hand when the host says so', async () => {
    await open({ collect: 'send', dueDays: 14, invoice: { footer: 'Thank you' } }).sendInvoice(november)
    expect(only()).toMatchObject({
      collection_method: 'send_invoice',
      due_date: (closedAtMs + 14 * dayMs) / 1000,
    })
    expect(stripe.events.map(({ type }) => type)).toContain('invoice.sent')
  })

  it('bills the total in one line when the host says so', async () => {
    await open({ lines: 'total' }).sendInvoice(november)
    expect(only().lines.data).toMatchObject([{ description: 'Pay-as-you-go of 2026-11', amount: 100 }])
  })

  it.each([0n, -1n, -500n])('asks Stripe nothing when %s cents are due', async (dueCents) => {
    expect(await open().sendInvoice({ ...november, dueCents })).toEqual({ outcome: 'nothing-due' })
    expect(stripe.calls).toHaveLength(1)
  })

  it('asks Stripe nothing for an account without a customer', async () => {
    expect(await open({}, () => undefined).sendInvoice(november)).toEqual({ outcome: 'no-customer' })
    expect(stripe.calls).toHaveLength(1)
  })

  it('makes nothing more when it is called again, the next minute or the next year', async () => {
    const payments = open()
    const first = await payments.sendInvoice(november)
    expect(await payments.sendInvoice(november)).toEqual(first)
    clock.advance(366 * dayMs)
    expect(await open({ collect: 'send' }).sendInvoice(november)).toEqual(first)
    only()
  })

  it('makes one invoice when it is called five times at once', async () => {
    const results = await Promise.all(Array.from({ length: 5 }, () => open().sendInvoice(november)))
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['sent']))
    expect(only().lines.data).toHaveLength(2)
  })

  it.each([
    ['paid', (id: string) => stripe.payInvoice(id, true)],
    ['void', (id: string) => stripe.voidInvoice(id)],
  ])('does not bill again what is %s by now', async (status, end) => {
    await open().sendInvoice(november)
    end(only().id)
    expect(await open().sendInvoice(november)).toMatchObject({ outcome: 'settled', status })
    only()
  })

  it('finds its invoice behind hundreds of others of the same customer', async () => {
    const payments = open()
    await payments.sendInvoice(november)
    for (let count = 1; count <= 230; count += 1) {
      await fetch(`${stripe.url}/v1/invoices`, {
        method: 'POST',
        headers: { authorization: 'Bearer sk_test_1' },
        body: `customer=${customer}&metadata[farebox]=farebox&metadata[farebox_invoice]=other-${count}`,
      })
    }
    expect(await payments.sendInvoice(november)).toMatchObject({ outcome: 'sent' })
    expect(stripe.invoices.size).toBe(231)
  })

  it('is not misled by the invoice of another account, period or application', async () => {
    await open().sendInvoice(november)
    await open().sendInvoice({ ...november, accountId: 'bob' })
    await open().sendInvoice({ ...november, invoiceId: 'alice:2026-12' })
    expect(stripe.invoices.size).toBe(3)
  })

  it('does not send a draft that somebody has changed', async () => {
    stripe.fault(({ route }) => (route.endsWith('/finalize') ? 'limited' : undefined))
    await expect(open().sendInvoice(november)).rejects.toMatchObject({ statusCode: 429 })
    stripe.fault(undefined)
    const { id } = only()
    await fetch(`${stripe.url}/v1/invoices/${id}/add_lines`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk_test_1' },
      body: 'lines[0][amount]=1&lines[0][description]=Tip',
    })
    expect(await open().sendInvoice(november)).toEqual({
      outcome: 'changed-in-stripe',
      stripeInvoiceId: id,
      expected: usd('1.00'),
      found: usd('1.01'),
    })
    expect(only().status).toBe('draft')
  })

  it('refuses ids that Stripe can not keep', async () => {
    const invoiceId = `${'a'.repeat(500)}:2026-11`
    await expect(open().sendInvoice({ ...november, invoiceId })).rejects.toThrow(RangeError)
    expect(stripe.calls).toHaveLength(1)
  })
})

describe('sendInvoice after a failure', () => {
  const faults: readonly StripeFault[] = ['error', 'error-after', 'lost', 'limited', 'busy']

  it.each(faults)(
    'of any call by "%s" bills once when it is called again, at once or after two days',
    async (fault) => {
      const before = stripe.calls.length
      await open().sendInvoice(november)
      const calls = stripe.calls.length - before
      expect(calls).toBe(7)
      for (const waitMs of [0, 2 * dayMs]) {
        for (let number = 1; number <= calls; number += 1) {
          const invoiceId = `alice:${fault}-${waitMs}-${number}`
          const invoice = { ...november, invoiceId, closedAtMs: clock.now() }
          const failing = stripe.calls.length + number
          stripe.fault((call) => (call.number === failing ? fault : undefined))
          await expect(open().sendInvoice(invoice), `call ${number}`).rejects.toThrow()
          stripe.fault(undefined)
          clock.advance(waitMs)
          expect(await open().sendInvoice(invoice), `call ${number}`).toMatchObject({ outcome: 'sent' })
          const made = [...stripe.invoices.values()].filter(
            (each) => each.metadata['farebox_invoice'] === invoiceId,
          )
          expect(
            made.map(({ status, amount_due }) => [status, amount_due]),
            `call ${number}`,
          ).toEqual([['open', 100]])
          expect(made[0]?.lines.data, `call ${number}`).toHaveLength(2)
        }
      }
    },
  )

  it('of every second call bills once in the end', async () => {
    stripe.fault(({ number }) => (number % 2 === 0 ? 'error-after' : undefined))
    let outcome = ''
    for (let count = 0; count < 20 && outcome !== 'sent'; count += 1) {
      outcome = await open()
        .sendInvoice(november)
        .then(
          (result) => result.outcome,
          () => 'failed',
        )
    }
    expect(outcome).toBe('sent')
    expect(only()).toMatchObject({ status: 'open', amount_due: 100 })
  })
})

describe('the webhooks of an invoice', () => {
  it('tell that it was paid, that a charge failed, or that it was written off, as it is now', async () => {
    const payments = open()
    await payments.sendInvoice(november)
    const { id } = only()
    const told = async (type: string) => {
      const event = stripe.events.findLast((each) => each.type === type)
      if (event === undefined) throw new Error(`There is no ${type}.`)
      const { body, signature } = stripe.sign(event)
      return (await payments.handleWebhook({ rawBody: body, signature })).events
    }
    const about = { accountId: 'alice', invoiceId: 'alice:2026-11', stripeInvoiceId: id }
    stripe.payInvoice(id, false)
    expect(await told('invoice.payment_failed')).toEqual([
      { kind: 'invoice.payment-failed', ...about, paid: usd('0.00') },
    ])
    stripe.payInvoice(id, true)
    expect(await told('invoice.paid')).toEqual([{ kind: 'invoice.paid', ...about, paid: usd('1.00') }])
    // The failed charge is told again, late: it is paid all the same.
    expect(await told('invoice.payment_failed')).toEqual([
      { kind: 'invoice.paid', ...about, paid: usd('1.00') },
    ])

    const december = { ...november, invoiceId: 'alice:2026-12' }
    const result = await payments.sendInvoice(december)
    if (result.outcome !== 'sent') throw new Error(result.outcome)
    stripe.voidInvoice(result.stripeInvoiceId)
    expect(await told('invoice.voided')).toMatchObject([
      { kind: 'invoice.written-off', invoiceId: 'alice:2026-12' },
    ])
  })

  it('that we did not send are ignored', async () => {
    const answer = await fetch(`${stripe.url}/v1/invoices`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk_test_1' },
      body: `customer=${customer}`,
    })
    const { id } = (await answer.json()) as { id: string }
    const event = stripe.events.find(({ type }) => type === 'invoice.created')
    if (event === undefined) throw new Error('nothing happened')
    const { body, signature } = stripe.sign({ ...event, type: 'invoice.paid' })
    const calls = stripe.calls.length
    expect(await open().handleWebhook({ rawBody: body, signature })).toMatchObject({ outcome: 'ignored' })
    expect(stripe.calls).toHaveLength(calls)
    expect(stripe.invoices.get(id)?.status).toBe('draft')
  })
})
