import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gateway } from '../gateway-interface.ts'
import type { ByteStream } from '../http/byte-stream.ts'
import { Caller } from '../http/caller.ts'
import type { GatewayRequest, GatewayResponse } from '../http/exchange.ts'
import { onConnectionClose } from './connection-close.ts'
import { requestBody } from './read-request-body.ts'

export interface ServeOptions {
  /** The path below the mount, with or without a query. */
  readonly url: string
  /** What the host's body parser made of the body, if one ran. */
  readonly parsedBody?: unknown
  /** Handed to `authenticate`. */
  readonly host?: unknown
}

/** What became of a request: an answer to write, a path that is the host's, or nobody who would read an answer. */
export type Begun = GatewayResponse | 'not-ours' | 'nobody-waits'

/**
 * Hands one Node request to the gateway and watches its caller until the answer is written: a caller who leaves stops the
 * work, and the stream of an answer that nobody reads.
 */
export async function begin(
  gateway: Gateway,
  message: IncomingMessage,
  reply: ServerResponse,
  { url, parsedBody, host }: ServeOptions,
): Promise<Begun> {
  // An answer without a socket waits for the one before it on the same connection.
  const isQueued = reply.socket === null
  // The caller left while the host was at work: nobody would read, and somebody would pay.
  if (reply.destroyed || (isQueued && message.socket.destroyed)) return 'nobody-waits'
  const query = url.indexOf('?')
  const caller = new Caller()
  const pending: { stream?: ByteStream; isAnswered?: true } = {}
  // The response's close, not the request's: the request closes as soon as its body is read.
  const onClose = () => {
    forgetConnection?.()
    if (pending.isAnswered && reply.writableFinished) return
    // The stream first: it then knows that its reader left, and does not take the abort for a fault of the provider.
    pending.stream?.cancel()
    caller.leave()
  }
  reply.on('close', onClose)
  const forgetConnection = isQueued ? onConnectionClose(message.socket, onClose) : undefined
  const request: { -readonly [Name in keyof GatewayRequest]: GatewayRequest[Name] } = {
    method: message.method ?? 'GET',
    path: query === -1 ? url : url.slice(0, query),
    headers: message.headers,
    body: requestBody(message, parsedBody),
    signal: caller,
    host,
  }
  if (query !== -1) request.query = url.slice(query + 1)
  const response = await gateway.handle(request)
  if (response === undefined) {
    reply.off('close', onClose)
    forgetConnection?.()
    return 'not-ours'
  }
  const { body } = response
  const isWhole = typeof body === 'string' || body instanceof Uint8Array
  if (reply.headersSent || reply.destroyed || caller.aborted) {
    // The host has answered meanwhile, say with a time-out of its own, or the caller has gone.
    if (!isWhole) body.cancel()
    return 'nobody-waits'
  }
  pending.isAnswered = true
  if (!isWhole) {
    pending.stream = body
    // Pieces of a stream are small, and a connection that gathers them holds each back until the last has been confirmed.
    if (message.httpVersionMajor === 1) message.socket.setNoDelay?.(true)
  }
  return response
}
