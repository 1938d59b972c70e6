import { GatewayError } from '@farebox/core'
import type Stripe from 'stripe'
import { nanoOfCents } from './cents.ts'
import type { PaymentsContext } from './context.ts'
import type { PaymentEvent } from './events.ts'
import { findPurchase, idOf, type Purchase, readPurchase } from './purchase.ts'
import { syncPurchase } from './sync.ts'

export interface WebhookRequest {
  /** The body exactly as it arrived, bytes or text. Stripe signs its bytes, so a body that was parsed is of no use. */
  readonly rawBody: unknown
  /** The header `stripe-signature`. */
  readonly signature: string | readonly string[] | undefined
}

export interface WebhookResult {
  /**
   * `ignored` is not about this application. `refused` was not signed by Stripe. `delayed` could not be done yet, and Stripe
   * is to send it again.
   */
  readonly outcome: 'handled' | 'ignored' | 'refused' | 'delayed'
  /** What to answer Stripe: anything but 2xx makes it send the event again. */
  readonly status: 200 | 400 | 503
  /** The body of that answer. */
  readonly message: string
  /** What happened, in order. */
  readonly events: readonly PaymentEvent[]
}

/** Seconds after signing in which a webhook is taken, so that a recorded one can not be played again later. */
const toleranceSeconds = 300

/**
 * Verifies a webhook and brings the ledger in line with Stripe.
 *
 * @throws GatewayError `body_already_read` when the body was parsed before, `store_unavailable` when the ledger is out of
 * reach. @throws StripeError when Stripe is. Answer 500 to both: Stripe sends the event again, and nothing is done twice.
 */
export async function handleWebhook(
  context: PaymentsContext,
  request: WebhookRequest,
): Promise<WebhookResult> {
  const event = verify(context, request)
  if (typeof event === 'string') return { outcome: 'refused', status: 400, message: event, events: [] }
  // Events of connected accounts are about payments to somebody else.
  const events = event.account === undefined ? await handleEvent(context, event) : undefined
  if (events === undefined) return { outcome: 'ignored', status: 200, message: 'Nothing to do.', events: [] }
  const delayed = events.find(({ kind }) => kind === 'credit.delayed')
  if (delayed?.kind === 'credit.delayed') {
    return { outcome: 'delayed', status: 503, message: delayed.message, events }
  }
  return { outcome: 'handled', status: 200, message: 'Thank you.', events }
}

/** The event, or why it is not one of Stripe's. */
function verify(
  { stripe, options, clock }: PaymentsContext,
  { rawBody, signature }: WebhookRequest,
): Stripe.Event | string {
  if (typeof rawBody !== 'string' && !(rawBody instanceof Uint8Array)) {
    throw new GatewayError(
      'body_already_read',
      "Stripe signs the bytes of a webhook, and something has parsed them already. Mount express.raw({ type: 'application/json' }) on this route, before express.json().",
    )
  }
  if (typeof signature !== 'string' || signature === '') return 'The header stripe-signature is missing.'
  try {
    return stripe.webhooks.constructEvent(
      typeof rawBody === 'string' ? rawBody : Buffer.from(rawBody),
      signature,
      options.webhookSecret,
      toleranceSeconds,
      undefined,
      clock.now(),
    )
  } catch (error) {
    const { type, message } = error as { readonly type?: unknown; readonly message: string }
    if (type !== 'StripeSignatureVerificationError') {
      return 'This is not a snapshot event. Choose that payload style for the endpoint in Stripe.'
    }
    // Its own message quotes documentation. Whoever sent this is not to learn more than that.
    return /timestamp outside/i.test(message) ? 'The signature is too old.' : 'The signature does not match.'
  }
}

/** Undefined for what is not about this application. */
async function handleEvent(
  context: PaymentsContext,
  event: Stripe.Event,
): Promise<PaymentEvent[] | undefined> {
  switch (event.type) {
    case 'checkout.session.completed':
    case 'checkout.session.async_payment_succeeded':
      return sync(context, await readPurchase(context, event.data.object.id))
    case 'checkout.session.async_payment_failed': {
      const purchase = await readPurchase(context, event.data.object.id)
      // The customer may have paid in another way since.
      if (purchase?.status !== 'pending') return sync(context, purchase)
      return [{ kind: 'payment.failed', accountId: purchase.terms.accountId, sessionId: purchase.sessionId }]
    }
    case 'charge.refunded':
    case 'charge.refund.updated':
    case 'refund.created':
    case 'refund.updated':
    case 'refund.failed':
    case 'charge.dispute.created':
    case 'charge.dispute.updated':
    case 'charge.dispute.closed':
    case 'charge.dispute.funds_withdrawn':
    case 'charge.dispute.funds_reinstated': {
      const paymentId = idOf(event.data.object.payment_intent)
      return paymentId === undefined ? undefined : sync(context, await findPurchase(context, paymentId))
    }
    case 'invoice.paid':
    case 'invoice.payment_failed':
    case 'invoice.marked_uncollectible':
    case 'invoice.voided':
      return readInvoice(context, event.data.object, event.type)
    default:
      return undefined
  }
}

async function sync(
  context: PaymentsContext,
  purchase: Purchase | undefined,
): Promise<PaymentEvent[] | undefined> {
  return purchase === undefined ? undefined : syncPurchase(context, purchase)
}

/** Tells of an invoice as it is now: a failed charge may be told after the one that succeeded. */
async function readInvoice(
  { stripe, application }: PaymentsContext,
  { id, metadata }: Stripe.Invoice,
  type: string,
): Promise<PaymentEvent[] | undefined> {
  const accountId = metadata?.['farebox_account']
  const invoiceId = metadata?.['farebox_invoice']
  if (metadata?.['farebox'] !== application || accountId === undefined || invoiceId === undefined)
    return undefined
  const { status, amount_paid: paid } = await stripe.invoices.retrieve(id)
  const about = { accountId, invoiceId, stripeInvoiceId: id, paid: nanoOfCents(paid) }
  if (status === 'paid') return [{ kind: 'invoice.paid', ...about }]
  if (status === 'void' || status === 'uncollectible') return [{ kind: 'invoice.written-off', ...about }]
  return type === 'invoice.payment_failed' ? [{ kind: 'invoice.payment-failed', ...about }] : []
}
