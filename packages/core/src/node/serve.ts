import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gateway } from '../gateway.ts'
import type { ByteStream } from '../http/byte-stream.ts'
import type { GatewayResponse } from '../http/exchange.ts'
import { Caller } from './caller.ts'
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
  // The caller left while the host was at work: nobody would read, and somebody would pay.
  if (reply.destroyed) return true
  const query = url.indexOf('?')
  const caller = new Caller()
  const pending: { stream?: ByteStream; isWritten?: true } = {}
  // The response's close, not the request's: the request closes as soon as its body is read.
  const onClose = () => {
    if (pending.isWritten && reply.writableFinished) return
    // The stream first: it then knows that its reader left, and does not take the abort for a fault of the provider.
    pending.stream?.cancel()
    caller.leave()
  }
  reply.on('close', onClose)
  const response = await gateway.handle({
    method: message.method ?? 'GET',
    path: query === -1 ? url : url.slice(0, query),
    headers: message.headers,
    body: requestBody(message, parsedBody),
    signal: caller,
    host,
  })
  if (response === undefined) {
    reply.off('close', onClose)
    return false
  }
  const { body } = response
  const isWhole = typeof body === 'string' || body instanceof Uint8Array
  if (reply.headersSent || reply.destroyed) {
    // The host has answered meanwhile, say with a time-out of its own, or the caller has gone.
    if (!isWhole) body.cancel()
    return true
  }
  pending.isWritten = true
  if (isWhole) {
    writeWhole(message, reply, response, body)
  } else {
    pending.stream = body
    writeStream(message, reply, response, body)
  }
  return true
}

/** Bytes up to which copying a body costs less than sending it in a piece of its own. */
const joinedBytesMax = 16 * 1024

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function writeWhole(
  message: IncomingMessage,
  reply: ServerResponse,
  { status, headers }: GatewayResponse,
  body: string | Uint8Array,
): void {
  reply.statusCode = status
  for (const name in headers) reply.setHeader(name, headers[name] ?? '')
  reply.setHeader('content-length', String(Buffer.byteLength(body)))
  const shown = message.method === 'HEAD' ? '' : body
  if (message.complete) {
    // Node sends a text together with the head, in one piece, but bytes in a piece of their own.
    if (shown instanceof Uint8Array && shown.byteLength <= joinedBytesMax) {
      reply.end(asBuffer(shown).toString('latin1'), 'latin1')
    } else {
      reply.end(shown)
    }
    return
  }
  // A body that was refused is still on its way. The connection cannot be used again, and closing it at once would reset
  // it under a caller who is still sending, before the answer is read. HTTP/2 knows no such header.
  if (message.httpVersionMajor === 1) reply.setHeader('connection', 'close')
  reply.write(shown)
  afterBody(message, () => reply.end())
}

/** How long a refused body may pass unread, and how long it may pause, in milliseconds. */
const refusedBodyMs = 30_000
const refusedPauseMs = 5_000

/** Throws the rest of a body away, and calls back when it is over, or has taken too long. */
function afterBody(message: IncomingMessage, onEnd: () => void): void {
  const finish = () => {
    clearTimeout(longest)
    clearTimeout(pause)
    message.off('end', finish).off('close', finish).off('data', onData)
    onEnd()
  }
  const longest = setTimeout(finish, refusedBodyMs).unref()
  const pause = setTimeout(finish, refusedPauseMs).unref()
  const onData = () => pause.refresh()
  if (message.destroyed) finish()
  else message.on('end', finish).on('close', finish).on('data', onData).resume()
}

function writeStream(
  message: IncomingMessage,
  reply: ServerResponse,
  { status, headers }: GatewayResponse,
  body: ByteStream,
): void {
  reply.writeHead(status, headers)
  if (message.method === 'HEAD') {
    body.cancel()
    reply.end()
    return
  }
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
