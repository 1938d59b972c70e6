import type { Admission } from './admission/admit.ts'
import type { Dialect, ErrorBody } from './dialects/dialect.ts'
import type { ByteStream } from './http/byte-stream.ts'
import type { GatewayResponse } from './http/exchange.ts'
import type { Receipt } from './ledger/receipt.ts'
import type { Attempt } from './metering/attempt.ts'
import { formatUsd } from './money.ts'
import { warningText } from './warning.ts'

/** An answer whose usage is known, or will be when it ends. */
export type Metered =
  | {
      readonly kind: 'reply'
      readonly attempt: Attempt
      readonly reply: Buffer
      /** Of what is not JSON. */
      readonly contentType?: string | undefined
      readonly receipt: Receipt | undefined
    }
  | { readonly kind: 'stream'; readonly attempt: Attempt; readonly stream: ByteStream }

/** The answer to an inference call, with the provider, the receipt and, where it is known, the cost in its headers. */
export function inferenceResponse(admission: Admission, metered: Metered, dialect: Dialect): GatewayResponse {
  const { requestId, call } = admission
  const loweredTo = boundTold(admission, metered.attempt)
  const headers: Record<string, string> = {
    'x-request-id': requestId,
    'x-inference-provider': metered.attempt.target.providerId,
    'x-farebox-receipt': requestId,
  }
  if (dialect.requestIdHeader !== undefined) headers[dialect.requestIdHeader] = requestId
  if (loweredTo !== undefined) headers['x-farebox-max-tokens'] = String(loweredTo)
  const warning = warningText(admission.warning, metered.kind === 'reply' ? metered.receipt : undefined)
  if (warning !== undefined) headers['x-hf-warning'] = warning
  if (admission.counted !== undefined) Object.assign(headers, admission.counted.headers)
  if (metered.kind === 'stream') {
    headers['content-type'] = 'text/event-stream; charset=utf-8'
    // Proxies on the way must neither hold events back nor compress them together.
    headers['cache-control'] = 'no-cache, no-transform'
    headers['x-accel-buffering'] = 'no'
    const { stream } = metered
    return {
      status: 200,
      headers,
      body: dialect.stream?.(call, stream, { requestId, cost: undefined }) ?? stream,
    }
  }
  const { receipt } = metered
  if (receipt !== undefined && receipt.state === undefined)
    headers['x-farebox-cost'] = formatUsd(receipt.cost)
  const reply = {
    bytes: metered.reply,
    contentType: metered.contentType ?? 'application/json; charset=utf-8',
  }
  const { bytes, contentType } =
    dialect.reply?.(call, reply, { requestId, cost: headers['x-farebox-cost'] }) ?? reply
  headers['content-type'] = contentType
  return { status: 200, headers, body: bytes }
}

/** The bound on output the caller is told of: of the hold, or where there is none, of the model alone. */
function boundTold(
  { call, loweredTo, outputTokens }: Admission,
  { target, isOwnKey }: Attempt,
): number | undefined {
  if (!isOwnKey) return loweredTo
  const bound = outputTokens(target)
  return bound !== undefined && bound < (call.outputTokensMax ?? 0) ? bound : undefined
}

export function jsonResponse(requestId: string, body: string): GatewayResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8', 'x-request-id': requestId },
    body,
  }
}

export function errorResponse({ status, headers, body }: ErrorBody): GatewayResponse {
  return { status, headers, body }
}
