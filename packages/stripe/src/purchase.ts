import type { Nano } from '@farebox/core'
import type Stripe from 'stripe'
import { nanoOfCents } from './cents.ts'
import type { PaymentsContext } from './context.ts'
import { readTerms, type Terms } from './metadata.ts'

/** What Stripe says about one checkout, now. */
export interface Purchase {
  readonly sessionId: string
  readonly terms: Terms
  /** When checkout began, milliseconds since 1970 UTC. */
  readonly createdAtMs: number
  readonly status: 'paid' | 'pending' | 'open' | 'expired' | 'free'
  /** Stripe's id of the payment; there is none before the customer paid, and none when nothing was to pay. */
  readonly paymentId: string | undefined
  readonly currency: string
  readonly paid: Nano
  /** What was paid without tax and shipping: what the credit is worth. */
  readonly credit: Nano
}

/** Money that left the host again. */
export interface Reversal {
  /** Stable and unique: what is taken under it is taken once. */
  readonly reversalId: string
  readonly cause: 'refund' | 'dispute'
  readonly causeId: string
  readonly createdAt: number
  readonly amount: Nano
  /** Whether the money has come back to the host: the refund failed, the dispute was won. */
  readonly isUndone: boolean
}

/** How many refunds and disputes of one payment are read. Nobody refunds a purchase of credit in more parts. */
const reversalsMax = 1000

/** Reads a checkout session, or gives undefined for one that is not of this application. */
export async function readPurchase(
  { stripe, application }: PaymentsContext,
  sessionId: string,
): Promise<Purchase | undefined> {
  return purchaseOf(await stripe.checkout.sessions.retrieve(sessionId), application)
}

/** The checkout that a payment came from, or undefined when it came from somewhere else. */
export async function findPurchase(
  { stripe, application }: PaymentsContext,
  paymentId: string,
): Promise<Purchase | undefined> {
  const { data } = await stripe.checkout.sessions.list({ payment_intent: paymentId, limit: 1 })
  return data[0] === undefined ? undefined : purchaseOf(data[0], application)
}

function purchaseOf(session: Stripe.Checkout.Session, application: string): Purchase | undefined {
  const terms = readTerms(application, session.metadata)
  if (terms === undefined) return undefined
  const { amount_tax: tax = 0, amount_shipping: shipping = 0 } = session.total_details ?? {}
  const paid = nanoOfCents(session.amount_total ?? 0)
  return {
    sessionId: session.id,
    terms,
    createdAtMs: session.created * 1000,
    status: statusOf(session),
    paymentId: idOf(session.payment_intent),
    currency: session.currency ?? '',
    paid,
    credit: (paid - nanoOfCents(tax) - nanoOfCents(shipping ?? 0)) as Nano,
  }
}

function statusOf({ status, payment_status: payment }: Stripe.Checkout.Session): Purchase['status'] {
  if (payment === 'paid') return 'paid'
  if (payment === 'no_payment_required') return 'free'
  if (status === 'complete') return 'pending'
  return status === 'expired' ? 'expired' : 'open'
}

/** Everything that took money of a payment back, oldest first. */
export async function readReversals({ stripe }: PaymentsContext, paymentId: string): Promise<Reversal[]> {
  const found: Reversal[] = []
  for await (const refund of stripe.refunds.list({ payment_intent: paymentId, limit: 100 })) {
    found.push(reversalOfRefund(refund))
    checkCount(found, paymentId)
  }
  for await (const dispute of stripe.disputes.list({ payment_intent: paymentId, limit: 100 })) {
    found.push(...reversalsOfDispute(dispute))
    checkCount(found, paymentId)
  }
  return found.toSorted((a, b) => a.createdAt - b.createdAt || (a.reversalId < b.reversalId ? -1 : 1))
}

function checkCount(found: readonly Reversal[], paymentId: string): void {
  if (found.length > reversalsMax) throw new Error(`${paymentId} has more than ${reversalsMax} refunds.`)
}

/** A refund takes the money at once, also one that is still on its way. */
function reversalOfRefund({ id, amount, created, status }: Stripe.Refund): Reversal {
  return {
    reversalId: id,
    cause: 'refund',
    causeId: id,
    createdAt: created,
    amount: nanoOfCents(amount),
    isUndone: status === 'failed' || status === 'canceled',
  }
}

/**
 * What a dispute has moved is in its balance transactions, whatever its status is called: an inquiry has none, a dispute
 * that is won has given back what it had withdrawn. They are in the currency of the host's balance, so only their sign is
 * used.
 */
function reversalsOfDispute({ id, amount, balance_transactions: moves }: Stripe.Dispute): Reversal[] {
  const withdrawn = moves.filter((move) => move.amount < 0)
  const reinstated = moves.filter((move) => move.amount > 0).length
  return withdrawn
    .toSorted((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1))
    .map((move, index) => ({
      reversalId: move.id,
      cause: 'dispute',
      causeId: id,
      createdAt: move.created,
      amount: nanoOfCents(amount),
      isUndone: index < reinstated,
    }))
}

/** Stripe gives an id, or the whole object for a request that asked for it. */
export function idOf(reference: string | { readonly id: string } | null | undefined): string | undefined {
  return typeof reference === 'object' ? reference?.id : reference
}
