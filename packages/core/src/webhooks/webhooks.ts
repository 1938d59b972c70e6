import { type Clock, pause, systemClock } from '../clock.ts'
import { createTransport, type TransportResponse } from '../dispatch/transport.ts'
import type { GatewayEvent, OnEvent } from '../events.ts'
import { type Ids, randomIds } from '../ids.ts'
import { webhookPayload } from './payload.ts'
import { type AttemptOutcome, createWebhookQueue, type Delivery } from './queue.ts'
import { readWebhookSecret, signWebhook } from './signature.ts'

export interface WebhookOptions {
  /** Where events are posted to, `https:` or `http:`. From your own configuration: never let a customer choose it. */
  readonly url: string
  /**
   * `whsec_` and the base64 of 24 to 64 random bytes. Several while one replaces another: each event is signed with each of
   * them, and a receiver accepts any.
   */
  readonly secret: string | readonly string[]
  /** The kinds of events to send. @default alerts, closed invoices, late and drifting costs, and missing prices */
  readonly events?: readonly GatewayEvent['kind'][]
  /** Events on their way at most, those waiting to be tried again among them. More are dropped. @default 1000 */
  readonly queueMax?: number
  /** Requests at a time. @default 4 */
  readonly inFlightMax?: number
  /** Attempts for each event, over some four hours. @default 8 */
  readonly attemptsMax?: number
  /** How long the receiver may take to answer. @default 15000 */
  readonly timeoutMs?: number
  /** How long `close()` waits for what is on its way. @default 5000 */
  readonly closeMs?: number
  /** Told of `webhook.dropped`: an event that could not be delivered. @default nothing */
  readonly onEvent?: OnEvent
  /** @default systemClock */
  readonly clock?: Clock
  /** @default randomIds */
  readonly ids?: Ids
}

/** An observer that posts events to a receiver. */
export interface Webhooks extends OnEvent {
  /** Tries once more what waits, for `closeMs` at most, and lets go of its connections. What is left is dropped. */
  close(): Promise<void>
}

/** What operators and customers act on; what happens with every request is not among it. */
const eventsSent: readonly GatewayEvent['kind'][] = [
  'alert.threshold',
  'alert.hard-stop',
  'invoice.closed',
  'cost.late',
  'cost.drift',
  'price.missing',
]

/**
 * Posts events to a receiver, signed as Standard Webhooks 1.0.0 describes, so that any of its libraries can verify them.
 * Give the result to `createGateway({ onEvent })`, which closes it too, or call it from your own observer and close it yourself.
 *
 * An event is delivered when the receiver answers 2xx. Otherwise it is sent again, with pauses that grow from five seconds to
 * an hour, and under the same `webhook-id`: a receiver whose answer was lost gets it twice. Redirects are not followed. What is
 * on its way is kept in memory only.
 *
 * @throws RangeError when url, secret or a bound is not valid.
 */
export function webhooks(options: WebhookOptions): Webhooks {
  const { clock = systemClock, ids = randomIds, timeoutMs = 15_000, closeMs = 5_000 } = options
  const { queueMax = 1000, inFlightMax = 4, attemptsMax = 8, onEvent } = options
  for (const [name, value] of Object.entries({ queueMax, inFlightMax, attemptsMax, timeoutMs, closeMs })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`webhooks: ${name} must be a whole number of at least 1, not ${value}.`)
    }
  }
  const url = readUrl(options.url)
  const secrets = (typeof options.secret === 'string' ? [options.secret] : options.secret).map(
    readWebhookSecret,
  )
  if (secrets.length === 0) throw new RangeError('webhooks: give at least one secret.')
  const kinds = new Set(options.events ?? eventsSent)
  const transport = createTransport({ connectionsMax: inFlightMax, connectTimeoutMs: timeoutMs, clock })
  const timeouts = { headersTimeoutMs: timeoutMs, bodyTimeoutMs: timeoutMs, totalTimeoutMs: timeoutMs }

  async function attempt({ id, body }: Delivery): Promise<AttemptOutcome> {
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'farebox-webhooks',
      ...signWebhook(secrets, { id, nowMs: clock.now(), body }),
    }
    try {
      const response = await transport.send({ method: 'POST', url, headers, body }, timeouts)
      // Read to its end, so that the connection can be used again.
      response.body.pipe({ write: () => true, end: () => undefined, fail: () => undefined })
      return outcomeOf(response, clock.now())
    } catch {
      return { kind: 'failed', reason: 'unreachable' }
    }
  }

  const queue = createWebhookQueue({
    clock,
    queueMax,
    inFlightMax,
    attemptsMax,
    attempt,
    onDropped: ({ id, kind, attempts }, reason, status) =>
      tell(onEvent, {
        kind: 'webhook.dropped',
        webhookId: id,
        event: kind,
        attempts,
        reason,
        ...(status === undefined ? {} : { status }),
      }),
  })
  let closing: Promise<void> | undefined

  async function close(): Promise<void> {
    await Promise.race([queue.drain(), pause(clock, closeMs)])
    queue.abandon()
    await transport.close()
  }

  function observe(event: GatewayEvent): void {
    // An event about a delivery that failed would only fail the same way.
    if (closing !== undefined || !kinds.has(event.kind) || event.kind === 'webhook.dropped') return
    const body = webhookPayload(event, clock.now())
    queue.add({ id: `msg_${ids()}`, kind: event.kind, body, attempts: 0 })
  }

  return Object.assign(observe, {
    close() {
      closing ??= close()
      return closing
    },
  })
}

function outcomeOf({ status, headers }: TransportResponse, nowMs: number): AttemptOutcome {
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  if (status === 410) return { kind: 'gone' }
  const restMs = retryAfterMs(headers['retry-after'], nowMs)
  return { kind: 'failed', reason: 'refused', status, ...(restMs === undefined ? {} : { restMs }) }
}

/** `Retry-After` in either of its forms: seconds, or a date. */
function retryAfterMs(header: string | string[] | undefined, nowMs: number): number | undefined {
  const text = Array.isArray(header) ? header[0] : header
  if (text === undefined) return undefined
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return waitMs > 0 ? waitMs : undefined
}

/** The message does not repeat the address: it may hold what only the two sides should know. */
function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['https:', 'http:'].includes(url.protocol)) {
    throw new RangeError('webhooks: url must be an absolute address that begins with https: or http:.')
  }
  if (url.username !== '' || url.password !== '') {
    throw new RangeError('webhooks: url must hold no name and password; a signature says who sends.')
  }
  return url
}

/** An observer that throws must not stop the other deliveries. */
function tell(onEvent: OnEvent | undefined, event: GatewayEvent): void {
  try {
    onEvent?.(event)
  } catch (error) {
    process.emitWarning(`A Farebox event observer threw on "${event.kind}": ${String(error)}`)
  }
}
