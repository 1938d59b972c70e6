import { hash } from 'node:crypto'
import type { Payer } from './auth/payer.ts'
import type { InferenceCall } from './dialects/inference-call.ts'
import { type GatewayRequest, header } from './http/exchange.ts'
import type { Exchange, Stages } from './pipeline.ts'
import { patientCaller, type Replay } from './replay/replay.ts'
import type { Retries } from './replay/retries.ts'

/** Requests that their callers may send again: under a key of their own, or by an SDK that counts its tries. */
export function createOnce(replay: Replay, retries: Retries): Stages['once'] {
  return (exchange, payer, call, run) => {
    const { requestId, request, route } = exchange
    if (request.headers['idempotency-key'] !== undefined) {
      const { accountId, memberId } = payer
      const key = header(request, 'idempotency-key') ?? ''
      const asked = { accountId, memberId, key, fingerprint: fingerprintOf(request, call), requestId }
      return replay.once(asked, request.signal, (onUnsettled) =>
        run({ requestId, request: withSignal(request, patientCaller), route, onUnsettled }),
      )
    }
    const count = tryCount(request)
    if (count === undefined) return run(exchange)
    const tried = {
      count,
      bytes: bytesOf(call.body) + (call.translatedFrom === undefined ? 0 : bytesOf(call.translatedFrom)),
      fingerprint: () => triedFingerprint(exchange, payer, call),
    }
    return retries.run(tried, request.signal, (signal) =>
      run({ requestId, request: withSignal(request, signal), route }),
    )
  }
}

/** Which try of a request this is, by its SDK's word. What is no count is passed over: the header is a help, not a rule. */
function tryCount(request: GatewayRequest): number | undefined {
  const text = request.headers['x-stainless-retry-count']
  return typeof text === 'string' && /^\d{1,2}$/.test(text) ? Number(text) : undefined
}

/** The same request, whose answer somebody else waits for. Not spread: requests of SDKs are most of all. */
function withSignal(request: GatewayRequest, signal: GatewayRequest['signal']): GatewayRequest {
  const { method, path, headers, body, host } = request
  const { query } = request
  return query === undefined
    ? { method, path, headers, body, signal, host }
    : { method, path, query, headers, body, signal, host }
}

/** What makes a call this one and no other: where it is asked for, and the body as it came. */
function fingerprintOf({ path }: GatewayRequest, call: InferenceCall): string {
  const { source, value, file } = call.translatedFrom ?? call.body
  const bytes = source?.bytes ?? Buffer.from(JSON.stringify(value))
  return hash('sha256', Buffer.concat([Buffer.from(`${path}\n`), bytes, file?.bytes ?? Buffer.alloc(0)]))
}

function bytesOf({ byteLength, file }: InferenceCall['body']): number {
  return byteLength + (file?.bytes.byteLength ?? 0)
}

/** Headers that say who asks or how to answer. All others are the way's, and may differ from try to try. */
const askedBy = ['authorization', 'x-api-key', 'accept', 'anthropic-version', 'anthropic-beta'] as const

/**
 * The same for a try: also who pays, and the caller's key as it came. Two people whom the host knows as one account are told
 * apart by what they send.
 */
function triedFingerprint({ request }: Exchange, payer: Payer, call: InferenceCall): string {
  const { query, headers } = request
  const { accountId, memberId, keyId } = payer
  const who = [accountId, memberId, keyId, query, ...askedBy.map((name) => headers[name])]
  return hash('sha256', JSON.stringify([fingerprintOf(request, call), ...who.map((part) => part ?? null)]))
}
