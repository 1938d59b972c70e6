/**
 * The members of Stripe's objects that are needed here, named and shaped as in API version 2026-10-28.endive
 * (types of the npm package stripe 23.1.0, read 2026-11-25). Amounts are whole cents, times are seconds.
 */

export interface Session {
  readonly id: string
  readonly object: 'checkout.session'
  readonly created: number
  readonly expires_at: number
  readonly livemode: false
  readonly mode: string
  readonly currency: string
  readonly customer: string | null
  readonly success_url: string
  readonly cancel_url: string | null
  readonly metadata: Metadata
  readonly amount_subtotal: number
  amount_total: number
  total_details: { amount_discount: number; amount_shipping: number; amount_tax: number }
  payment_intent: string | null
  payment_status: 'paid' | 'unpaid' | 'no_payment_required'
  status: 'open' | 'complete' | 'expired'
  url: string | null
}

export interface PaymentIntent {
  readonly id: string
  readonly object: 'payment_intent'
  readonly amount: number
  readonly created: number
  readonly currency: string
  readonly latest_charge: string
  readonly livemode: false
  readonly metadata: Metadata
  amount_received: number
  status: 'processing' | 'requires_payment_method' | 'succeeded'
}

export interface Charge {
  readonly id: string
  readonly object: 'charge'
  readonly amount: number
  readonly created: number
  readonly currency: string
  readonly livemode: false
  readonly metadata: Metadata
  readonly payment_intent: string
  amount_refunded: number
  disputed: boolean
  refunded: boolean
}

export interface Refund {
  readonly id: string
  readonly object: 'refund'
  readonly amount: number
  readonly charge: string
  readonly created: number
  readonly currency: string
  readonly metadata: Metadata
  readonly payment_intent: string
  status: 'pending' | 'requires_action' | 'succeeded' | 'failed' | 'canceled'
}

/** Money that entered or left the host's Stripe balance, in the currency of that balance. */
export interface BalanceTransaction {
  readonly id: string
  readonly object: 'balance_transaction'
  readonly amount: number
  readonly created: number
  readonly currency: string
  readonly type: string
}

export interface Dispute {
  readonly id: string
  readonly object: 'dispute'
  readonly amount: number
  readonly charge: string
  readonly created: number
  readonly currency: string
  readonly livemode: false
  readonly metadata: Metadata
  readonly payment_intent: string
  readonly reason: string
  balance_transactions: BalanceTransaction[]
  status: string
}

export interface InvoiceLine {
  readonly id: string
  readonly object: 'line_item'
  readonly amount: number
  readonly currency: string
  readonly description: string | null
  readonly invoice: string
  readonly metadata: Metadata
  readonly period: { readonly start: number; readonly end: number }
}

export interface Invoice {
  readonly id: string
  readonly object: 'invoice'
  readonly collection_method: string
  readonly created: number
  readonly currency: string
  readonly customer: string
  readonly description: string | null
  readonly due_date: number | null
  readonly livemode: false
  readonly metadata: Metadata
  amount_due: number
  amount_paid: number
  attempted: boolean
  auto_advance: boolean
  hosted_invoice_url: string | null
  lines: StripeList<InvoiceLine>
  status: 'draft' | 'open' | 'paid' | 'uncollectible' | 'void'
  subtotal: number
  total: number
}

export interface StripeEvent {
  readonly id: string
  readonly object: 'event'
  readonly api_version: string
  readonly created: number
  readonly data: { readonly object: object }
  readonly livemode: false
  readonly pending_webhooks: number
  readonly request: { readonly id: string | null; readonly idempotency_key: string | null }
  readonly type: string
}

export interface StripeList<T> {
  readonly object: 'list'
  readonly data: T[]
  readonly has_more: boolean
  readonly url: string
}

export type Metadata = { readonly [name: string]: string }
