import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Clock, systemClock } from '@farebox/core'
import { readBody } from '../simulator/exchange.ts'
import { startLocalServer } from '../simulator/local-server.ts'
import { createStripeApi, type StripeCall, type StripeFault } from './api.ts'
import { openBooks } from './books.ts'
import * as checkout from './checkout.ts'
import { createDelivery, type Delivery } from './delivery.ts'
import { createInProcessClient, type InProcessClient } from './in-process.ts'
import * as invoicing from './invoicing.ts'
import * as moneyBack from './money-back.ts'
import type { Dispute, Invoice, Refund, Session, StripeEvent } from './objects.ts'
import { paymentPage } from './payment-page.ts'
import { signWebhook } from './signature.ts'

export interface StripeSimulatorOptions {
  /** @default 0, any free port; the host is always 127.0.0.1 */
  readonly port?: number
  /** Signs webhooks. @default 'whsec_simulated' */
  readonly webhookSecret?: string
  /** The only key that is accepted. @default any */
  readonly apiKey?: string
  /** Dates objects and lets idempotency keys expire. @default systemClock */
  readonly clock?: Clock
  /** Where webhooks are delivered, each until it is taken with a 2xx. @default nowhere */
  readonly webhookUrl?: string
}

/** A Stripe account on this machine. */
export interface StripeSimulator {
  readonly url: string
  /** Options for `new Stripe(key, connection)` of the official library. It does not retry by itself. */
  readonly connection: {
    readonly host: string
    readonly port: number
    readonly protocol: 'http'
    readonly maxNetworkRetries: 0
    readonly telemetry: false
  }
  readonly webhookSecret: string
  readonly calls: readonly StripeCall[]
  /** Oldest first. */
  readonly events: readonly StripeEvent[]
  readonly sessions: ReadonlyMap<string, Session>
  readonly invoices: ReadonlyMap<string, Invoice>
  /** Asked about every call; undefined lets it succeed. */
  fault(plan: ((call: StripeCall) => StripeFault | undefined) | undefined): void
  /** The same API without a socket, as `new Stripe(key, { httpClient })`: for many thousands of calls in a test. */
  readonly httpClient: InProcessClient
  /** The body of a webhook and its signature, made now or at `atMs`. */
  sign(event: StripeEvent, atMs?: number): { readonly body: string; readonly signature: string }
  pay(sessionId: string, payment?: checkout.Payment): Session
  /** Ends a payment that was delayed. */
  settlePayment(sessionId: string, isPaid: boolean): Session
  expireSession(sessionId: string): Session
  refund(paymentIntentId: string, cents: number, status?: Refund['status']): Refund
  endRefund(refundId: string, status: 'succeeded' | 'failed' | 'canceled'): Refund
  dispute(
    paymentIntentId: string,
    options?: { readonly cents?: number; readonly isInquiry?: boolean },
  ): Dispute
  closeDispute(disputeId: string, status: 'won' | 'lost' | 'warning_closed'): Dispute
  payInvoice(invoiceId: string, isPaid: boolean): Invoice
  voidInvoice(invoiceId: string): Invoice
  /** Destroys all sockets and frees the port. */
  close(): Promise<void>
}

/** Starts a server that answers as Stripe's API does, as far as credit and invoices need it, and charges nobody. */
export async function startStripeSimulator(options: StripeSimulatorOptions = {}): Promise<StripeSimulator> {
  const { clock = systemClock, webhookSecret = 'whsec_simulated' } = options
  let url = ''
  const books = openBooks(
    clock,
    () => url,
    (event) => delivery?.start(event),
  )
  const api = createStripeApi(books, clock, options.apiKey)

  function sign(event: StripeEvent, atMs = clock.now()): { body: string; signature: string } {
    const body = JSON.stringify(event, null, 2)
    return { body, signature: signWebhook(body, webhookSecret, atMs) }
  }
  const delivery: Delivery | undefined =
    options.webhookUrl === undefined ? undefined : createDelivery({ url: options.webhookUrl, clock, sign })

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await readBody(message))?.toString('utf8')
    if (body === undefined) return void response.destroy()
    const target = new URL(message.url ?? '/', url)
    const { method = 'GET', headers } = message
    if (target.pathname.startsWith('/c/pay/')) return answerPage(method, target, response)
    const idempotencyKey = headers['idempotency-key']?.toString()
    const made = api.answer({ method, target, authorization: headers.authorization, idempotencyKey, body })
    if (made === undefined) return void response.socket?.destroy()
    response.writeHead(made.status, made.headers)
    if (made.isLost) response.write(made.text.slice(0, 10), () => response.destroy())
    else response.end(made.text)
  }

  function answerPage(method: string, target: URL, response: ServerResponse): void {
    const session = books.sessions.get(target.pathname.slice('/c/pay/'.length))
    if (session?.status !== 'open') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('This session is over.')
    } else if (method === 'POST') {
      checkout.pay(books, session.id)
      const location = session.success_url.replace('{CHECKOUT_SESSION_ID}', session.id)
      response.writeHead(303, { location }).end()
    } else {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(paymentPage(session))
    }
  }

  const server = await startLocalServer((message, response) => {
    answer(message, response).catch((error: unknown) => {
      // A mistake of the simulator itself; the test that meets it should see it, not a dead process.
      if (response.headersSent) response.destroy()
      else
        response.writeHead(501).end(`The simulator failed: ${error instanceof Error ? error.stack : error}`)
    })
  }, options.port)
  url = server.url

  return {
    url,
    connection: {
      host: '127.0.0.1',
      port: server.port,
      protocol: 'http',
      maxNetworkRetries: 0,
      telemetry: false,
    },
    webhookSecret,
    calls: api.calls,
    events: books.events,
    sessions: books.sessions,
    invoices: books.invoices,
    fault: api.fault,
    httpClient: createInProcessClient(api, url),
    sign,
    pay: (sessionId, payment) => checkout.pay(books, sessionId, payment),
    settlePayment: (sessionId, isPaid) => checkout.settlePayment(books, sessionId, isPaid),
    expireSession: (sessionId) => checkout.expireSession(books, sessionId),
    refund: (paymentIntentId, cents, status) => moneyBack.refund(books, paymentIntentId, cents, status),
    endRefund: (refundId, status) => moneyBack.endRefund(books, refundId, status),
    dispute: (paymentIntentId, details) => moneyBack.dispute(books, paymentIntentId, details),
    closeDispute: (disputeId, status) => moneyBack.closeDispute(books, disputeId, status),
    payInvoice: (invoiceId, isPaid) => invoicing.payInvoice(books, invoiceId, isPaid),
    voidInvoice: (invoiceId) => invoicing.voidInvoice(books, invoiceId),
    async close() {
      delivery?.close()
      await server.close()
    },
  }
}
