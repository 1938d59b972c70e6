import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gateway } from '../gateway.ts'
import type { ByteStream } from '../http/byte-stream.ts'
import type { GatewayResponse } from '../http/exchange.ts'
import { requestBody } from './read-request-body.ts'

export interface ServeOptions {
  /** The path below the mount, with or without a query. */
  readonly url: string
  /** What the host's body parser made of the body, if one ran. */
  readonly parsedBody?: unknown
  /** Handed to `authenticate`. */
  readonly host?: unknown
}

/**
 * Answers one Node request. Gives false when the path is not the gateway's: nothing was read or written, the host goes on.
 *
 * Rejects before anything was written, for faults of the gateway itself; the host's error handler decides then.
 */
export async function serve(
  gateway: Gateway,
  message: IncomingMessage,
  reply: ServerResponse,
  { url, parsedBody, host }: ServeOptions,
): Promise<boolean> {
  const query = url.indexOf('?')
  const controller = new AbortController()
  const pending: { stream?: ByteStream } = {}
  // The response's close, not the request's: the request closes as soon as its body is read.
  reply.once('close', () => {
    if (reply.writableFinished) return
    controller.abort()
    pending.stream?.cancel()
  })
  const response = await gateway.handle({
    method: message.method ?? 'GET',
    path: query === -1 ? url : url.slice(0, query),
    headers: message.headers,
    body: requestBody(message, parsedBody),
    signal: controller.signal,
    host,
  })
  if (response === undefined) return false
  if (typeof response.body !== 'string' && !(response.body instanceof Uint8Array))
    pending.stream = response.body
  write(message, reply, response)
  return true
}

function write(
  message: IncomingMessage,
  reply: ServerResponse,
  { status, headers, body }: GatewayResponse,
): void {
  const isHead = message.method === 'HEAD'
  if (typeof body === 'string' || body instanceof Uint8Array) {
    // A body that was refused is still on its way: the connection cannot be used again.
    if (!message.complete) reply.setHeader('connection', 'close')
    reply.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) })
    reply.end(isHead ? undefined : body)
    return
  }
  if (isHead || reply.destroyed) {
    body.cancel()
    reply.writeHead(status, headers).end()
    return
  }
  reply.socket?.setNoDelay(true)
  reply.writeHead(status, headers)
  body.pipe({
    write(chunk) {
      const hasRoom = reply.write(chunk)
      flush(reply)
      // `drain` never comes once the caller has gone; the close listener ends the stream then.
      if (!hasRoom) reply.once('drain', () => body.resume())
      return hasRoom
    },
    end: () => reply.end(),
    fail: () => reply.destroy(),
  })
}

/** Compression middleware gathers writes unless it is told to let go. */
function flush(reply: ServerResponse & { readonly flush?: () => void }): void {
  reply.flush?.()
}
