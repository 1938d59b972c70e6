import type { Clock } from '@farebox/core'
import { type Form, text } from './form.ts'
import type {
  Charge,
  Dispute,
  Invoice,
  Metadata,
  PaymentIntent,
  Refund,
  Session,
  StripeEvent,
  StripeList,
} from './objects.ts'
import { missing, wrong } from './refusal.ts'

const apiVersion = '2026-10-28.endive'

export interface Customer {
  readonly id: string
  readonly object: 'customer'
  readonly created: number
  readonly email: string | null
  readonly livemode: false
  readonly metadata: Metadata
}

/** Everything the simulated Stripe account knows, oldest first in every map. */
export interface Books {
  readonly customers: Map<string, Customer>
  readonly sessions: Map<string, Session>
  readonly intents: Map<string, PaymentIntent>
  readonly charges: Map<string, Charge>
  readonly refunds: Map<string, Refund>
  readonly disputes: Map<string, Dispute>
  readonly invoices: Map<string, Invoice>
  readonly events: StripeEvent[]
  /** Where the customer's pages are. */
  url(): string
  now(): number
  /** The next id: `cs_test_000001`. */
  id(prefix: string): string
  /** Notes that something happened, with the object as it is now. */
  emit(type: string, object: object): void
}

export function openBooks(clock: Clock, url: () => string, onEvent: (event: StripeEvent) => void): Books {
  let last = 0
  const books: Books = {
    customers: new Map(),
    sessions: new Map(),
    intents: new Map(),
    charges: new Map(),
    refunds: new Map(),
    disputes: new Map(),
    invoices: new Map(),
    events: [],
    url,
    now: () => Math.floor(clock.now() / 1000),
    id(prefix) {
      last += 1
      return `${prefix}_${String(last).padStart(6, '0')}`
    },
    emit(type, object) {
      const event: StripeEvent = {
        id: books.id('evt'),
        object: 'event',
        api_version: apiVersion,
        created: books.now(),
        data: { object: structuredClone(object) },
        livemode: false,
        pending_webhooks: 1,
        request: { id: null, idempotency_key: null },
        type,
      }
      books.events.push(event)
      onEvent(event)
    },
  }
  return books
}

/** @throws Refusal 404 when there is none. */
export function find<T>(map: ReadonlyMap<string, T>, kind: string, id: string): T {
  const found = map.get(id)
  if (found === undefined) throw missing(kind, id)
  return found
}

/** One page of a list, newest first, from the `limit`, `starting_after` and `ending_before` of the query. */
export function page<T extends { readonly id: string }>(
  all: Iterable<T>,
  query: Form,
  url: string,
): StripeList<T> {
  const limit = Number(text(query, 'limit') ?? 10)
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) {
    throw wrong('limit', 'Invalid integer: limit must be between 1 and 100', 'parameter_invalid_integer')
  }
  const newest = [...all].reverse()
  const after = text(query, 'starting_after')
  const before = text(query, 'ending_before')
  const place = (id: string, param: string): number => {
    const index = newest.findIndex((element) => element.id === id)
    if (index === -1) throw wrong(param, `No such object: '${id}'`, 'resource_missing')
    return index
  }
  if (before !== undefined) {
    const end = place(before, 'ending_before')
    const start = Math.max(0, end - limit)
    return { object: 'list', data: newest.slice(start, end), has_more: start > 0, url }
  }
  const start = after === undefined ? 0 : place(after, 'starting_after') + 1
  const data = newest.slice(start, start + limit)
  return { object: 'list', data, has_more: start + limit < newest.length, url }
}

/** A whole number of cents, seconds or days. */
export function whole(form: Form, name: string): number | undefined {
  const value = text(form, name)
  if (value === undefined) return undefined
  if (!/^-?\d{1,12}$/.test(value)) {
    throw wrong(name, `Invalid integer: ${value}`, 'parameter_invalid_integer')
  }
  return Number(value)
}

export function isTrue(form: Form, name: string): boolean {
  return text(form, name) === 'true'
}

/** Stripe refuses what it does not know, so a misspelt parameter is seen here too. */
export function checkNames(form: Form, known: readonly string[]): void {
  const stranger = Object.keys(form).find((name) => !known.includes(name))
  if (stranger !== undefined) {
    throw wrong(stranger, `Received unknown parameter: ${stranger}`, 'parameter_unknown')
  }
}
