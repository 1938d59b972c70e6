import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fakeClock } from '@farebox/core'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type StripeFault, type StripeSimulator, startStripeSimulator } from './index.ts'

const clock = fakeClock(Date.UTC(2026, 10, 22))
let stripe: StripeSimulator
beforeEach(async () => {
  stripe = await startStripeSimulator({ clock, apiKey: 'sk_test_1' })
})
afterEach(() => stripe.close())

interface Answer {
  readonly status: number
  readonly replayed: string | null
  readonly body: {
    readonly [name: string]: unknown
    readonly id: string
    readonly data: { readonly id: string }[]
  }
}

async function call(
  method: string,
  path: string,
  form: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${stripe.url}${path}`, {
    method,
    headers: { authorization: 'Bearer sk_test_1', ...headers },
    ...(method === 'POST' ? { body: new URLSearchParams(form) } : {}),
  })
  const body = (await response.json()) as Answer['body']
  return { status: response.status, replayed: response.headers.get('idempotent-replayed'), body }
}

const item = {
  mode: 'payment',
  success_url: 'https://example.com/paid?session={CHECKOUT_SESSION_ID}',
  cancel_url: 'https://example.com/"><script>',
  'line_items[0][quantity]': '2',
  'line_items[0][price_data][currency]': 'usd',
  'line_items[0][price_data][unit_amount]': '500',
  'line_items[0][price_data][product_data][name]': 'Credit',
  'metadata[account]': 'alice & bob',
}

const sessions = '/v1/checkout/sessions'

describe('the API of the simulated Stripe', () => {
  it('reads nested form members, and gives the object it made', async () => {
    const { status, body } = await call('POST', sessions, item)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      object: 'checkout.session',
      amount_total: 1000,
      metadata: { account: 'alice & bob' },
    })
    expect((await call('GET', `${sessions}/${body.id}`)).body).toEqual(body)
  })

  it.each([
    ['another key', 401, 'GET', sessions, {}, { authorization: 'Bearer sk_test_2' }, {}],
    ['no key', 401, 'GET', sessions, {}, { authorization: '' }, {}],
    ['an object that is not there', 404, 'GET', `${sessions}/cs_0`, {}, {}, { code: 'resource_missing' }],
    ['a path that is not there', 404, 'GET', '/v1/nothing', {}, {}, {}],
    [
      'a parameter it does not know',
      400,
      'POST',
      sessions,
      { ...item, colour: 'red' },
      {},
      { code: 'parameter_unknown', param: 'colour' },
    ],
    ['a missing parameter', 400, 'POST', sessions, { mode: 'payment' }, {}, { code: 'parameter_missing' }],
    [
      'an amount below the least',
      400,
      'POST',
      sessions,
      {
        ...item,
        'line_items[0][quantity]': '0',
        'line_items[0][price_data][unit_amount]': '49',
        'line_items[1][price_data][currency]': 'usd',
        'line_items[1][price_data][unit_amount]': '49',
        'line_items[1][price_data][product_data][name]': 'x',
      },
      {},
      { code: 'amount_too_small' },
    ],
    [
      'a customer it does not know',
      400,
      'POST',
      '/v1/invoices',
      { customer: 'cus_0' },
      {},
      { param: 'customer' },
    ],
  ])('refuses %s with %i', async (_name, status, method, path, form, headers, error) => {
    const answer = await call(method, path, form as Record<string, string>, headers as Record<string, string>)
    expect(answer.status).toBe(status)
    expect(answer.body).toMatchObject({ error: { type: 'invalid_request_error', ...error } })
  })

  it('lists newest first, in pages', async () => {
    const ids: string[] = []
    for (let count = 0; count < 5; count += 1) ids.unshift((await call('POST', sessions, item)).body.id)
    const page = async (query: string) => {
      const { body } = await call('GET', `${sessions}?${query}`)
      return [body.data.map(({ id }) => id), body['has_more']]
    }
    expect(await page('limit=2')).toEqual([ids.slice(0, 2), true])
    expect(await page(`limit=2&starting_after=${ids[1]}`)).toEqual([ids.slice(2, 4), true])
    expect(await page(`limit=2&starting_after=${ids[3]}`)).toEqual([ids.slice(4), false])
    expect(await page(`limit=2&ending_before=${ids[3]}`)).toEqual([ids.slice(1, 3), true])
    expect(await page('limit=5')).toEqual([ids, false])
    expect((await call('GET', `${sessions}?limit=101`)).status).toBe(400)
    expect((await call('GET', `${sessions}?starting_after=cs_0`)).status).toBe(400)
  })
})

describe('an idempotency key', () => {
  const key = { 'idempotency-key': 'k1' }

  it('gives the first answer again for a day, and then runs again', async () => {
    const first = await call('POST', sessions, item, key)
    const again = await call('POST', sessions, Object.fromEntries(Object.entries(item).toReversed()), key)
    expect([first.replayed, again.replayed]).toEqual([null, 'true'])
    expect(again.body).toEqual(first.body)
    clock.advance(24 * 60 * 60 * 1000 - 1)
    expect((await call('POST', sessions, item, key)).replayed).toBe('true')
    clock.advance(1)
    expect((await call('POST', sessions, item, key)).body.id).not.toBe(first.body.id)
    expect(stripe.sessions.size).toBe(2)
  })

  it('is refused with other parameters or for another path', async () => {
    await call('POST', sessions, item, key)
    const other = await call('POST', sessions, { ...item, 'line_items[0][quantity]': '3' }, key)
    expect(other).toMatchObject({ status: 400, body: { error: { type: 'idempotency_error' } } })
    expect((await call('POST', '/v1/customers', {}, key)).status).toBe(400)
  })

  it.each<[StripeFault, boolean, number]>([
    ['error', true, 0],
    ['error-after', true, 1],
    ['limited', false, 1],
    ['busy', false, 1],
  ])('that met "%s" keeps the failure: %s', async (fault, isKept, made) => {
    stripe.fault(({ number }) => (number === 1 ? fault : undefined))
    const first = await call('POST', sessions, item, key)
    const again = await call('POST', sessions, item, key)
    expect(first.status).toBeGreaterThanOrEqual(409)
    expect(again.status).toBe(isKept ? 500 : 200)
    expect(stripe.sessions.size).toBe(made)
  })

  it('that met a refusal of its parameters is free for better ones', async () => {
    expect((await call('POST', sessions, { mode: 'payment' }, key)).status).toBe(400)
    expect((await call('POST', sessions, item, key)).status).toBe(200)
  })

  it('keeps the answer that was lost on the way', async () => {
    stripe.fault(({ number }) => (number === 1 ? 'lost' : undefined))
    await expect(call('POST', sessions, item, key)).rejects.toThrow()
    expect((await call('POST', sessions, item, key)).replayed).toBe('true')
    expect(stripe.sessions.size).toBe(1)
  })

  it('whose connection was reset has done nothing', async () => {
    stripe.fault(({ number }) => (number <= 2 ? 'reset' : undefined))
    await expect(call('POST', sessions, item, key)).rejects.toThrow()
    expect(stripe.sessions.size).toBe(0)
  })
})

describe('what happens in the simulated Stripe', () => {
  it('is told by events that keep what was true then', async () => {
    const { id } = (await call('POST', sessions, item)).body
    const session = stripe.pay(id, { isDelayed: true, taxCents: 190 })
    stripe.settlePayment(id, true)
    const told = stripe.events.filter(({ type }) => type.startsWith('checkout'))
    expect(told.map(({ type }) => type)).toEqual([
      'checkout.session.completed',
      'checkout.session.async_payment_succeeded',
    ])
    expect(told.map(({ data }) => data.object)).toMatchObject([
      { payment_status: 'unpaid', amount_total: 1190 },
      { payment_status: 'paid' },
    ])
    expect(session.payment_intent).toMatch(/^pi_/)
  })

  it('never gives back more than was paid', async () => {
    const { id } = (await call('POST', sessions, item)).body
    const { payment_intent: paymentId } = stripe.pay(id)
    stripe.refund(paymentId ?? '', 600)
    expect(() => stripe.refund(paymentId ?? '', 401)).toThrow()
    const { id: refundId } = stripe.refund(paymentId ?? '', 400, 'pending')
    stripe.endRefund(refundId, 'failed')
    stripe.refund(paymentId ?? '', 400)
    const { body } = await call('GET', `/v1/refunds?payment_intent=${paymentId}`)
    expect(body.data).toMatchObject([{ amount: 400 }, { amount: 400, status: 'failed' }, { amount: 600 }])
  })

  it('moves money with a dispute, and none with an inquiry', async () => {
    const { id } = (await call('POST', sessions, item)).body
    const { payment_intent: paymentId } = stripe.pay(id)
    const inquiry = stripe.dispute(paymentId ?? '', { isInquiry: true })
    stripe.closeDispute(inquiry.id, 'warning_closed')
    const won = stripe.dispute(paymentId ?? '', { cents: 300 })
    stripe.closeDispute(won.id, 'won')
    const amounts = (moves: readonly { readonly amount: number }[]) => moves.map(({ amount }) => amount)
    expect([amounts(inquiry.balance_transactions), amounts(won.balance_transactions)]).toEqual([
      [],
      [-300, 300],
    ])
  })

  it('is delivered with a signature until it is taken', async () => {
    const seen: { signature: unknown; body: string }[] = []
    const taken = new Promise<void>((resolve) => {
      const server = createServer(async (message, response) => {
        let body = ''
        for await (const part of message) body += part
        seen.push({ signature: message.headers['stripe-signature'], body })
        response.writeHead(seen.length < 2 ? 500 : 200).end()
        if (seen.length === 2) resolve()
      })
      server.listen(0, '127.0.0.1', async () => {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhook`
        const time = fakeClock(Date.UTC(2026, 10, 22))
        const sender = await startStripeSimulator({ webhookUrl: url, webhookSecret: 'whsec_1', clock: time })
        onTestFinished(async () => {
          await sender.close()
          server.close()
        })
        const made = await fetch(`${sender.url}${sessions}`, {
          method: 'POST',
          headers: { authorization: 'Bearer any' },
          body: new URLSearchParams(item),
        })
        sender.expireSession(((await made.json()) as { id: string }).id)
        await expect.poll(() => seen.length).toBe(1)
        await expect
          .poll(() => {
            time.advance(500)
            return seen.length
          })
          .toBe(2)
      })
    })
    await taken
    expect(seen[0]?.body).toBe(seen[1]?.body)
    expect(seen[1]?.signature).toMatch(/^t=\d+,v1=[0-9a-f]{64}$/)
    expect(JSON.parse(seen[1]?.body ?? '')).toMatchObject({
      type: 'checkout.session.expired',
      object: 'event',
    })
  })

  it('shows a page that says it is simulated, and pays when it is sent', async () => {
    const { id, url } = (await call('POST', sessions, item)).body as {
      id: string
      url: string
    } & Answer['body']
    const page = await (await fetch(url)).text()
    expect(page).toContain('SIMULATED payment of 10.00 USD')
    expect(page).not.toContain('<script>')
    const answer = await fetch(url, { method: 'POST', redirect: 'manual' })
    expect(answer.headers.get('location')).toBe(`https://example.com/paid?session=${id}`)
    expect(stripe.sessions.get(id)?.payment_status).toBe('paid')
    expect((await fetch(url)).status).toBe(404)
  })
})
