import { systemClock } from '@farebox/core'
import Stripe from 'stripe'
import { type CheckoutRequest, type CheckoutResult, checkout } from './checkout.ts'
import type { PaymentsContext } from './context.ts'
import type { PaymentEvent } from './events.ts'
import { checkPaymentsOptions, type PaymentsOptions } from './options.ts'
import { readPurchase } from './purchase.ts'
import { type DueInvoice, type SendInvoiceResult, sendInvoice } from './send-invoice.ts'
import { syncPurchase } from './sync.ts'
import { handleWebhook, type WebhookRequest, type WebhookResult } from './webhook.ts'

/** Credit and invoices by the host's own Stripe account. */
export interface Payments {
  /** Opens a payment page for credit. */
  checkout(request: CheckoutRequest): Promise<CheckoutResult>
  /** Takes a webhook of Stripe: answer with the status it gives. */
  handleWebhook(request: WebhookRequest): Promise<WebhookResult>
  /**
   * Does what the webhooks of one checkout would do, without one: for the page that the customer comes back to, and after
   * webhooks were lost. Gives nothing for a session that does not exist or is not this application's.
   */
  sync(sessionId: string): Promise<readonly PaymentEvent[]>
  /** Bills what an account owes for a period. May be called again after any failure. */
  sendInvoice(invoice: DueInvoice): Promise<SendInvoiceResult>
}

/** How long Stripe may take for one request; its own library would wait 80 seconds. */
const timeoutMs = 20_000

/**
 * Sells credit and collects overage by Stripe.
 *
 * @throws RangeError when an option is wrong, naming it.
 */
export function createPayments(options: PaymentsOptions): Payments {
  checkPaymentsOptions(options)
  const context: PaymentsContext = {
    // The client is made here, so that the shapes money is read from are those of one version of Stripe's API.
    stripe: new Stripe(options.apiKey, { timeout: timeoutMs, ...options.connection }),
    gateway: options.gateway,
    options,
    application: options.application ?? 'farebox',
    clock: options.clock ?? systemClock,
  }
  return {
    checkout: (request) => checkout(context, request),
    handleWebhook: (request) => handleWebhook(context, request),
    async sync(sessionId) {
      const purchase = await readPurchase(context, sessionId).catch(unlessMissing)
      return purchase === undefined ? [] : syncPurchase(context, purchase)
    },
    sendInvoice: (invoice) => sendInvoice(context, invoice),
  }
}

/**
 * A session id comes from the address of a page, so it may be anything. In a webhook it is Stripe's own, and one that is not
 * there is a key of the wrong account.
 */
function unlessMissing(error: unknown): undefined {
  if ((error as { readonly statusCode?: unknown }).statusCode !== 404) throw error
}
