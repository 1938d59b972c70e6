import type { Nano } from '@farebox/core'

/**
 * What a webhook, or `sync`, came to. Each is told at least once, after the ledger has it, and again when Stripe repeats
 * itself: recognise repeats by the ids.
 */
export type PaymentEvent =
  /** The credit of a payment is in the account. */
  | {
      readonly kind: 'credit.purchased'
      readonly accountId: string
      readonly sessionId: string
      readonly paymentId: string
      readonly grantId: string
      /** What was added: what was paid without tax and shipping. */
      readonly amount: Nano
      readonly paid: Nano
    }
  /** The customer is done, the money is not there yet: bank debits and the like take days. */
  | { readonly kind: 'payment.pending'; readonly accountId: string; readonly sessionId: string }
  | { readonly kind: 'payment.failed'; readonly accountId: string; readonly sessionId: string }
  /** Something was not done, and sending the webhook again can not change that. Look at the payment in Stripe. */
  | {
      readonly kind: 'payment.refused'
      readonly accountId: string
      readonly sessionId: string
      readonly paymentId: string | undefined
      readonly reason: 'currency' | 'nothing-paid' | 'grant-conflict' | 'take-conflict'
      readonly message: string
    }
  /** The account holds as many open grants as an account may. Stripe sends the webhook again until there is room. */
  | {
      readonly kind: 'credit.delayed'
      readonly accountId: string
      readonly sessionId: string
      readonly paymentId: string
      readonly reason: 'too-many-grants'
      readonly message: string
    }
  /** A refund or a dispute took money back, so credit was taken back as far as there was any. */
  | {
      readonly kind: 'credit.taken-back'
      readonly accountId: string
      readonly paymentId: string
      readonly cause: 'refund' | 'dispute'
      /** Stripe's id of the refund or the dispute. */
      readonly causeId: string
      readonly taken: Nano
      /** Not there to take: used, expired, or set aside for requests under way. */
      readonly missing: Nano
      /** The part of `missing` that was set aside. What comes back of it stays the customer's. */
      readonly held: Nano
    }
  /** A refund failed or a dispute was won, so what had been taken is back. */
  | {
      readonly kind: 'credit.given-back'
      readonly accountId: string
      readonly paymentId: string
      readonly cause: 'refund' | 'dispute'
      readonly causeId: string
      readonly amount: Nano
    }
  | {
      readonly kind: 'invoice.paid' | 'invoice.payment-failed' | 'invoice.written-off'
      readonly accountId: string
      readonly invoiceId: string
      readonly stripeInvoiceId: string
      readonly paid: Nano
    }
