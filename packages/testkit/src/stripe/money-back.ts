import { type Books, checkNames, find, page } from './books.ts'
import { type Form, text } from './form.ts'
import type { BalanceTransaction, Charge, Dispute, Refund } from './objects.ts'
import { Refusal } from './refusal.ts'

export function listRefunds(books: Books, query: Form): object {
  checkNames(query, [
    'charge',
    'created',
    'ending_before',
    'expand',
    'limit',
    'payment_intent',
    'starting_after',
  ])
  return page(matching(books.refunds.values(), query), query, '/v1/refunds')
}

export function listDisputes(books: Books, query: Form): object {
  checkNames(query, [
    'charge',
    'created',
    'ending_before',
    'expand',
    'limit',
    'payment_intent',
    'starting_after',
  ])
  return page(matching(books.disputes.values(), query), query, '/v1/disputes')
}

/**
 * The host gives money back, as in the Dashboard.
 *
 * @throws Refusal when the charge has less left than `cents`.
 */
export function refund(
  books: Books,
  paymentIntentId: string,
  cents: number,
  status: Refund['status'] = 'succeeded',
): Refund {
  const charge = chargeOf(books, paymentIntentId)
  if (cents < 1 || charge.amount_refunded + cents > charge.amount) {
    throw new Refusal(400, `Refund amount is greater than unrefunded amount on charge.`, {
      code: 'amount_too_large',
      param: 'amount',
    })
  }
  const made: Refund = {
    id: books.id('re'),
    object: 'refund',
    amount: cents,
    charge: charge.id,
    created: books.now(),
    currency: charge.currency,
    metadata: {},
    payment_intent: paymentIntentId,
    status,
  }
  books.refunds.set(made.id, made)
  charge.amount_refunded += cents
  charge.refunded = charge.amount_refunded === charge.amount
  books.emit('refund.created', made)
  books.emit('charge.refunded', charge)
  return made
}

/** A refund that was under way ends. One that fails gives the money back to the host. */
export function endRefund(
  books: Books,
  refundId: string,
  status: 'succeeded' | 'failed' | 'canceled',
): Refund {
  const ended = find(books.refunds, 'refund', refundId)
  ended.status = status
  if (status !== 'succeeded') {
    const charge = find(books.charges, 'charge', ended.charge)
    charge.amount_refunded -= ended.amount
    charge.refunded = false
  }
  books.emit('refund.updated', ended)
  books.emit('charge.refund.updated', ended)
  if (status === 'failed') books.emit('refund.failed', ended)
  return ended
}

/** A customer's bank takes the money back, or only asks (`isInquiry`), which takes nothing. */
export function dispute(
  books: Books,
  paymentIntentId: string,
  { cents, isInquiry = false }: { readonly cents?: number; readonly isInquiry?: boolean } = {},
): Dispute {
  const charge = chargeOf(books, paymentIntentId)
  const amount = cents ?? charge.amount
  const opened: Dispute = {
    id: books.id('dp'),
    object: 'dispute',
    amount,
    charge: charge.id,
    created: books.now(),
    currency: charge.currency,
    livemode: false,
    metadata: {},
    payment_intent: paymentIntentId,
    reason: 'fraudulent',
    balance_transactions: isInquiry ? [] : [moved(books, charge, -amount)],
    status: isInquiry ? 'warning_needs_response' : 'needs_response',
  }
  books.disputes.set(opened.id, opened)
  charge.disputed = true
  books.emit('charge.dispute.created', opened)
  if (!isInquiry) books.emit('charge.dispute.funds_withdrawn', opened)
  return opened
}

/** The bank decides. A dispute that is won gives the money back to the host. */
export function closeDispute(
  books: Books,
  disputeId: string,
  status: 'won' | 'lost' | 'warning_closed',
): Dispute {
  const closed = find(books.disputes, 'dispute', disputeId)
  closed.status = status
  if (status === 'won') {
    const charge = find(books.charges, 'charge', closed.charge)
    closed.balance_transactions.push(moved(books, charge, closed.amount))
    books.emit('charge.dispute.funds_reinstated', closed)
  }
  books.emit('charge.dispute.closed', closed)
  return closed
}

function moved(books: Books, charge: Charge, amount: number): BalanceTransaction {
  return {
    id: books.id('txn'),
    object: 'balance_transaction',
    amount,
    created: books.now(),
    currency: charge.currency,
    type: 'adjustment',
  }
}

function chargeOf(books: Books, paymentIntentId: string): Charge {
  const intent = find(books.intents, 'payment_intent', paymentIntentId)
  if (intent.status !== 'succeeded') throw new Refusal(400, 'The payment did not succeed.')
  return find(books.charges, 'charge', intent.latest_charge)
}

function* matching<T extends { readonly charge: string; readonly payment_intent: string }>(
  all: Iterable<T>,
  query: Form,
): Iterable<T> {
  const charge = text(query, 'charge')
  const intent = text(query, 'payment_intent')
  for (const element of all) {
    if (charge !== undefined && element.charge !== charge) continue
    if (intent !== undefined && element.payment_intent !== intent) continue
    yield element
  }
}
