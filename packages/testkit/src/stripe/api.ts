import type { Clock } from '@farebox/core'
import type { Books } from './books.ts'
import { type Form, parseForm } from './form.ts'
import { createOnce, type StripeAnswer } from './idempotency.ts'
import { Refusal, refusalBody } from './refusal.ts'
import { findStripeRoute } from './routes.ts'

/** One call of the API, as it arrived. */
export interface StripeCall {
  /** The number of this call, from 1. */
  readonly number: number
  /** Such as `POST /v1/invoices/:id/finalize`, or the bare path for one that is not in the table. */
  readonly route: string
  readonly path: string
  readonly idempotencyKey: string | undefined
}

/**
 * What goes wrong with a call: `error` fails before anything is done, `error-after` when all is done, both with a 500 that
 * is saved under the idempotency key; `reset` closes the connection before anything is done, `lost` within the answer, when
 * all is done; `limited` is a 429, and `busy` a 409 as if the same key were under way; both save nothing.
 */
export type StripeFault = 'error' | 'error-after' | 'reset' | 'lost' | 'limited' | 'busy'

/** A request without its socket. */
export interface ApiRequest {
  readonly method: string
  readonly target: URL
  readonly authorization: string | undefined
  readonly idempotencyKey: string | undefined
  readonly body: string
}

export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** The connection breaks within this answer. */
  readonly isLost: boolean
}

/** Stripe's API without sockets. */
export interface StripeApi {
  readonly calls: readonly StripeCall[]
  fault(plan: ((call: StripeCall) => StripeFault | undefined) | undefined): void
  /** The answer, or undefined when the connection is reset. */
  answer(request: ApiRequest): ApiResponse | undefined
}

export function createStripeApi(books: Books, clock: Clock, apiKey: string | undefined): StripeApi {
  const once = createOnce(clock)
  const calls: StripeCall[] = []
  let plan: (call: StripeCall) => StripeFault | undefined = () => undefined

  function respond(request: ApiRequest, fault: StripeFault | undefined): StripeAnswer {
    if (fault === 'limited') throw new Refusal(429, 'Too many requests.', { code: 'rate_limit' })
    if (fault === 'busy') throw new Refusal(409, 'This key is in use.', { code: 'idempotency_key_in_use' })
    authorize(request.authorization, apiKey)
    const { method, target, idempotencyKey: key } = request
    const form = parseForm(method === 'POST' ? request.body : target.search.slice(1))
    const execute = () => answerOf(() => run(request, form, fault))
    if (method !== 'POST' || key === undefined) return execute()
    return once(key, `${target.pathname}\n${fingerprint(form)}`, execute)
  }

  function run({ method, target }: ApiRequest, form: Form, fault: StripeFault | undefined): StripeAnswer {
    const routed = findStripeRoute(method, target.pathname)
    if (fault === 'error') throw new Refusal(500, 'An unknown error occurred.')
    const body = structuredClone(routed.execute(books, form))
    if (fault === 'error-after') throw new Refusal(500, 'An unknown error occurred.')
    return { status: 200, body }
  }

  return {
    calls,
    fault(next) {
      plan = next ?? (() => undefined)
    },
    answer(request) {
      const { method, target, idempotencyKey } = request
      const path = target.pathname
      const call = { number: calls.length + 1, route: routeName(method, path), path, idempotencyKey }
      calls.push(call)
      const fault = plan(call)
      if (fault === 'reset') return undefined
      const { status, headers, body } = answerOf(() => respond(request, fault))
      return {
        status,
        headers: { 'content-type': 'application/json', 'request-id': `req_${call.number}`, ...headers },
        text: JSON.stringify(body),
        isLost: fault === 'lost',
      }
    },
  }
}

/** What a call is answered with: its result, or the refusal it threw. */
function answerOf(call: () => StripeAnswer): StripeAnswer {
  try {
    return call()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { status: error.status, body: refusalBody(error) }
  }
}

function authorize(header: string | undefined, apiKey: string | undefined): void {
  const key = /^Bearer (\S+)$/.exec(header ?? '')?.[1]
  if (key === undefined || (apiKey !== undefined && key !== apiKey)) {
    throw new Refusal(401, 'Invalid API Key provided.')
  }
}

function routeName(method: string, path: string): string {
  try {
    return findStripeRoute(method, path).route
  } catch {
    return `${method} ${path}`
  }
}

/** The same for the same parameters, in whichever order they were sent. */
function fingerprint(form: Form): string {
  return JSON.stringify(form, (_name, value: unknown) =>
    typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
}
