import { type Books, checkNames, find } from './books.ts'
import { createCustomer, createSession, listSessions } from './checkout.ts'
import type { Form } from './form.ts'
import { addLines, createInvoice, deleteInvoice, finalizeInvoice, listInvoices } from './invoicing.ts'
import { listDisputes, listRefunds } from './money-back.ts'
import { Refusal } from './refusal.ts'

type Handler = (books: Books, form: Form, id: string) => object

/** The part of Stripe's API that is spoken, by method and path. `:id` stands for one segment. */
const handlers: Readonly<Record<string, Handler>> = {
  'POST /v1/customers': createCustomer,
  'POST /v1/checkout/sessions': createSession,
  'GET /v1/checkout/sessions': listSessions,
  'GET /v1/checkout/sessions/:id': retrieve('sessions', 'checkout.session'),
  'GET /v1/payment_intents/:id': retrieve('intents', 'payment_intent'),
  'GET /v1/charges/:id': retrieve('charges', 'charge'),
  'GET /v1/refunds': listRefunds,
  'GET /v1/refunds/:id': retrieve('refunds', 'refund'),
  'GET /v1/disputes': listDisputes,
  'GET /v1/disputes/:id': retrieve('disputes', 'dispute'),
  'POST /v1/invoices': createInvoice,
  'GET /v1/invoices': listInvoices,
  'GET /v1/invoices/:id': retrieve('invoices', 'invoice'),
  'DELETE /v1/invoices/:id': (books, _form, id) => deleteInvoice(books, id),
  'POST /v1/invoices/:id/add_lines': (books, form, id) => addLines(books, id, form),
  'POST /v1/invoices/:id/finalize': (books, form, id) => finalizeInvoice(books, id, form),
}

const routes = Object.entries(handlers).map(([route, handler]) => {
  const [method, pattern = ''] = route.split(' ')
  return { route, handler, method, pattern: new RegExp(`^${pattern.replace(':id', '([^/]+)')}$`) }
})

export interface RoutedCall {
  /** Such as `GET /v1/invoices/:id`. */
  readonly route: string
  execute(books: Books, form: Form): object
}

/** @throws Refusal 404 when the path is not in the table. */
export function findStripeRoute(method: string, path: string): RoutedCall {
  for (const { route, handler, pattern, method: routeMethod } of routes) {
    const match = routeMethod === method ? pattern.exec(path) : null
    if (match === null) continue
    return { route, execute: (books, form) => handler(books, form, match[1] ?? '') }
  }
  throw new Refusal(404, `Unrecognized request URL (${method}: ${path}).`)
}

function retrieve(
  name: 'sessions' | 'intents' | 'charges' | 'refunds' | 'disputes' | 'invoices',
  kind: string,
): Handler {
  return (books, query, id) => {
    checkNames(query, ['expand'])
    return find<object>(books[name], kind, id)
  }
}
