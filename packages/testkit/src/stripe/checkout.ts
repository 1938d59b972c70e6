import { type Books, type Customer, checkNames, find, page, whole } from './books.ts'
import { type Form, list, members, text, textMembers } from './form.ts'
import type { Charge, PaymentIntent, Session } from './objects.ts'
import { Refusal, wrong } from './refusal.ts'

const sessionParameters = [
  'adaptive_pricing',
  'allow_promotion_codes',
  'automatic_tax',
  'billing_address_collection',
  'cancel_url',
  'client_reference_id',
  'currency',
  'customer',
  'customer_creation',
  'customer_email',
  'customer_update',
  'expand',
  'expires_at',
  'invoice_creation',
  'line_items',
  'locale',
  'metadata',
  'mode',
  'payment_intent_data',
  'payment_method_types',
  'submit_type',
  'success_url',
  'tax_id_collection',
]

const day = 24 * 60 * 60

export function createCustomer(books: Books, form: Form): Customer {
  checkNames(form, ['email', 'expand', 'metadata', 'name'])
  const customer: Customer = {
    id: books.id('cus'),
    object: 'customer',
    created: books.now(),
    email: text(form, 'email') ?? null,
    livemode: false,
    metadata: textMembers(form, 'metadata'),
  }
  books.customers.set(customer.id, customer)
  return customer
}

/** `POST /v1/checkout/sessions`, for payments of priced items. */
export function createSession(books: Books, form: Form): Session {
  checkNames(form, sessionParameters)
  const mode = required(form, 'mode')
  if (mode !== 'payment') throw wrong('mode', `This simulator knows payments, not '${mode}'.`)
  const customer = text(form, 'customer')
  if (customer !== undefined && !books.customers.has(customer)) {
    throw wrong('customer', `No such customer: '${customer}'`, 'resource_missing')
  }
  const { currency, amount } = priceOf(form)
  const id = books.id('cs_test')
  const session: Session = {
    id,
    object: 'checkout.session',
    created: books.now(),
    expires_at: whole(form, 'expires_at') ?? books.now() + day,
    livemode: false,
    mode,
    currency,
    customer: customer ?? null,
    success_url: required(form, 'success_url'),
    cancel_url: text(form, 'cancel_url') ?? null,
    metadata: textMembers(form, 'metadata'),
    amount_subtotal: amount,
    amount_total: amount,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    payment_intent: null,
    payment_status: 'unpaid',
    status: 'open',
    url: `${books.url()}/c/pay/${id}`,
  }
  books.sessions.set(id, session)
  return session
}

export function listSessions(books: Books, query: Form): object {
  checkNames(query, [
    'customer',
    'ending_before',
    'expand',
    'limit',
    'payment_intent',
    'starting_after',
    'status',
  ])
  const intent = text(query, 'payment_intent')
  const customer = text(query, 'customer')
  const status = text(query, 'status')
  const matching = [...books.sessions.values()].filter(
    (session) =>
      (intent === undefined || session.payment_intent === intent) &&
      (customer === undefined || session.customer === customer) &&
      (status === undefined || session.status === status),
  )
  return page(matching, query, '/v1/checkout/sessions')
}

/** How a customer pays. */
export interface Payment {
  /** Cents of tax on top. @default 0 */
  readonly taxCents?: number
  /** Cents that a promotion code takes off. @default 0 */
  readonly discountCents?: number
  /** For payment methods that take days, such as bank debits: `settlePayment` says how it ends. @default false */
  readonly isDelayed?: boolean
}

/**
 * A customer completes the session's page.
 *
 * @throws Refusal when there is no such session or it is not open.
 */
export function pay(books: Books, sessionId: string, payment: Payment = {}): Session {
  const session = find(books.sessions, 'checkout.session', sessionId)
  if (session.status !== 'open') throw new Refusal(400, 'The session is not open.')
  const { taxCents = 0, discountCents = 0, isDelayed = false } = payment
  session.amount_total = session.amount_subtotal - discountCents + taxCents
  session.total_details = { amount_discount: discountCents, amount_shipping: 0, amount_tax: taxCents }
  session.status = 'complete'
  session.url = null
  if (session.amount_total === 0) {
    session.payment_status = 'no_payment_required'
    books.emit('checkout.session.completed', session)
    return session
  }
  const { intent, charge } = charged(books, session)
  session.payment_intent = intent.id
  if (!isDelayed) {
    succeed(session, intent)
    books.emit('charge.succeeded', charge)
    books.emit('payment_intent.succeeded', intent)
  }
  books.emit('checkout.session.completed', session)
  return session
}

/** A delayed payment arrives, or does not. */
export function settlePayment(books: Books, sessionId: string, isPaid: boolean): Session {
  const session = find(books.sessions, 'checkout.session', sessionId)
  const intent = find(books.intents, 'payment_intent', session.payment_intent ?? '')
  if (intent.status !== 'processing') throw new Refusal(400, 'The payment is not under way.')
  if (isPaid) {
    succeed(session, intent)
    books.emit('payment_intent.succeeded', intent)
    books.emit('checkout.session.async_payment_succeeded', session)
  } else {
    intent.status = 'requires_payment_method'
    books.emit('payment_intent.payment_failed', intent)
    books.emit('checkout.session.async_payment_failed', session)
  }
  return session
}

/** A session nobody completed in time. */
export function expireSession(books: Books, sessionId: string): Session {
  const session = find(books.sessions, 'checkout.session', sessionId)
  if (session.status !== 'open') throw new Refusal(400, 'Only an open session expires.')
  session.status = 'expired'
  session.url = null
  books.emit('checkout.session.expired', session)
  return session
}

function charged(books: Books, session: Session): { intent: PaymentIntent; charge: Charge } {
  const intentId = books.id('pi')
  const { currency, metadata, amount_total: amount } = session
  const common = { amount, created: books.now(), currency, livemode: false, metadata } as const
  const charge: Charge = {
    ...common,
    id: books.id('ch'),
    object: 'charge',
    payment_intent: intentId,
    amount_refunded: 0,
    disputed: false,
    refunded: false,
  }
  const intent: PaymentIntent = {
    ...common,
    id: intentId,
    object: 'payment_intent',
    latest_charge: charge.id,
    amount_received: 0,
    status: 'processing',
  }
  books.charges.set(charge.id, charge)
  books.intents.set(intent.id, intent)
  return { intent, charge }
}

function succeed(session: Session, intent: PaymentIntent): void {
  intent.status = 'succeeded'
  intent.amount_received = intent.amount
  session.payment_status = 'paid'
}

/** The sum of the line items. All of them have one currency. */
function priceOf(form: Form): { readonly currency: string; readonly amount: number } {
  const items = list(form, 'line_items')
  if (items.length === 0)
    throw wrong('line_items', 'Missing required param: line_items.', 'parameter_missing')
  const prices = items.map((item) => {
    const price = members(item, 'price_data')
    if (text(members(price, 'product_data'), 'name') === undefined) {
      throw wrong(
        'line_items[0][price_data][product_data][name]',
        'Missing required param.',
        'parameter_missing',
      )
    }
    const unitAmount = whole(price, 'unit_amount')
    if (unitAmount === undefined || unitAmount < 0 || unitAmount > 99_999_999) {
      throw wrong('line_items[0][price_data][unit_amount]', 'Invalid amount.', 'parameter_invalid_integer')
    }
    return { currency: required(price, 'currency'), amount: unitAmount * (whole(item, 'quantity') ?? 1) }
  })
  const currency = prices[0]?.currency ?? 'usd'
  const amount = prices.reduce((sum, price) => sum + price.amount, 0)
  if (currency === 'usd' && amount > 0 && amount < 50) {
    throw wrong('line_items', 'The amount due must add up to at least $0.50 usd.', 'amount_too_small')
  }
  return { currency, amount }
}

export function required(form: Form, name: string): string {
  const value = text(form, name)
  if (value === undefined) throw wrong(name, `Missing required param: ${name}.`, 'parameter_missing')
  return value
}
