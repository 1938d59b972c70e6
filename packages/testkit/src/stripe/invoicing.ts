import { type Books, checkNames, find, isTrue, page, whole } from './books.ts'
import { required } from './checkout.ts'
import { type Form, list, members, text, textMembers } from './form.ts'
import type { Invoice, InvoiceLine } from './objects.ts'
import { Refusal, wrong } from './refusal.ts'

/** At most this many lines on an invoice. */
const linesMax = 250

const day = 24 * 60 * 60

const invoiceParameters = [
  'auto_advance',
  'automatic_tax',
  'collection_method',
  'currency',
  'customer',
  'days_until_due',
  'default_payment_method',
  'description',
  'discounts',
  'expand',
  'footer',
  'metadata',
  'pending_invoice_items_behavior',
]

export function createInvoice(books: Books, form: Form): Invoice {
  checkNames(form, invoiceParameters)
  const customer = required(form, 'customer')
  if (!books.customers.has(customer)) {
    throw wrong('customer', `No such customer: '${customer}'`, 'resource_missing')
  }
  const method = text(form, 'collection_method') ?? 'charge_automatically'
  const days = whole(form, 'days_until_due')
  if ((method === 'send_invoice') !== (days !== undefined)) {
    throw wrong('days_until_due', 'days_until_due belongs to invoices that are sent, and only to them.')
  }
  const id = books.id('in')
  const invoice: Invoice = {
    id,
    object: 'invoice',
    collection_method: method,
    created: books.now(),
    currency: text(form, 'currency') ?? 'usd',
    customer,
    description: text(form, 'description') ?? null,
    due_date: days === undefined ? null : books.now() + days * day,
    livemode: false,
    metadata: textMembers(form, 'metadata'),
    amount_due: 0,
    amount_paid: 0,
    attempted: false,
    auto_advance: isTrue(form, 'auto_advance'),
    hosted_invoice_url: null,
    lines: { object: 'list', data: [], has_more: false, url: `/v1/invoices/${id}/lines` },
    status: 'draft',
    subtotal: 0,
    total: 0,
  }
  books.invoices.set(id, invoice)
  books.emit('invoice.created', invoice)
  return invoice
}

export function listInvoices(books: Books, query: Form): object {
  checkNames(query, [
    'collection_method',
    'created',
    'customer',
    'ending_before',
    'expand',
    'limit',
    'starting_after',
    'status',
  ])
  const customer = text(query, 'customer')
  const status = text(query, 'status')
  const since = whole(members(query, 'created'), 'gte') ?? 0
  const matching = [...books.invoices.values()].filter(
    (invoice) =>
      (customer === undefined || invoice.customer === customer) &&
      (status === undefined || invoice.status === status) &&
      invoice.created >= since,
  )
  return page(matching, query, '/v1/invoices')
}

/** `POST /v1/invoices/:id/add_lines`: all of the lines or none. */
export function addLines(books: Books, invoiceId: string, form: Form): Invoice {
  checkNames(form, ['expand', 'invoice_metadata', 'lines'])
  const invoice = draft(books, invoiceId)
  const lines = list(form, 'lines')
  if (lines.length === 0) throw wrong('lines', 'Missing required param: lines.', 'parameter_missing')
  if (invoice.lines.data.length + lines.length > linesMax) throw wrong('lines', 'Too many lines.')
  invoice.lines.data.push(...lines.map((line) => newLine(books, invoice, line)))
  invoice.subtotal = invoice.lines.data.reduce((sum, line) => sum + line.amount, 0)
  invoice.total = invoice.subtotal
  invoice.amount_due = Math.max(0, invoice.total)
  return invoice
}

export function finalizeInvoice(books: Books, invoiceId: string, form: Form): Invoice {
  checkNames(form, ['auto_advance', 'expand'])
  const invoice = draft(books, invoiceId)
  if (invoice.lines.data.length === 0) {
    throw new Refusal(400, 'Nothing to invoice.', { code: 'invoice_no_customer_line_items' })
  }
  invoice.auto_advance = isTrue(form, 'auto_advance')
  invoice.status = invoice.amount_due === 0 ? 'paid' : 'open'
  invoice.hosted_invoice_url = `${books.url()}/i/${invoice.id}`
  books.emit('invoice.finalized', invoice)
  if (invoice.status === 'paid') books.emit('invoice.paid', invoice)
  else if (invoice.auto_advance && invoice.collection_method === 'send_invoice')
    books.emit('invoice.sent', invoice)
  return invoice
}

export function deleteInvoice(books: Books, invoiceId: string): object {
  draft(books, invoiceId)
  books.invoices.delete(invoiceId)
  return { id: invoiceId, object: 'invoice', deleted: true }
}

/** A customer pays an open invoice, or a charge for it fails. */
export function payInvoice(books: Books, invoiceId: string, isPaid: boolean): Invoice {
  const invoice = find(books.invoices, 'invoice', invoiceId)
  if (invoice.status !== 'open') throw new Refusal(400, 'Only an open invoice can be paid.')
  invoice.attempted = true
  if (isPaid) {
    invoice.amount_paid = invoice.amount_due
    invoice.status = 'paid'
    invoice.auto_advance = false
  }
  books.emit(isPaid ? 'invoice.paid' : 'invoice.payment_failed', invoice)
  return invoice
}

export function voidInvoice(books: Books, invoiceId: string): Invoice {
  const invoice = find(books.invoices, 'invoice', invoiceId)
  if (invoice.status !== 'open') throw new Refusal(400, 'Only an open invoice can be voided.')
  invoice.status = 'void'
  invoice.auto_advance = false
  books.emit('invoice.voided', invoice)
  return invoice
}

function draft(books: Books, invoiceId: string): Invoice {
  const invoice = find(books.invoices, 'invoice', invoiceId)
  if (invoice.status !== 'draft') {
    throw new Refusal(400, 'This invoice is no longer a draft.', { code: 'invoice_not_editable' })
  }
  return invoice
}

function newLine(books: Books, invoice: Invoice, form: Form): InvoiceLine {
  checkNames(form, ['amount', 'description', 'discountable', 'metadata', 'period', 'quantity', 'tax_rates'])
  const amount = whole(form, 'amount')
  if (amount === undefined)
    throw wrong('lines[amount]', 'Missing required param: amount.', 'parameter_missing')
  const period = members(form, 'period')
  return {
    id: books.id('il'),
    object: 'line_item',
    amount,
    currency: invoice.currency,
    description: text(form, 'description') ?? null,
    invoice: invoice.id,
    metadata: textMembers(form, 'metadata'),
    period: { start: whole(period, 'start') ?? books.now(), end: whole(period, 'end') ?? books.now() },
  }
}
