import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gateway } from '../gateway-interface.ts'
import type { ByteStream } from '../http/byte-stream.ts'
import type { GatewayResponse } from '../http/exchange.ts'
import { begin, type ServeOptions } from './begin.ts'
import { afterBody } from './refused-body.ts'

/**
 * Answers one Node request. Gives false when the path is not the gateway's: nothing was read or written, the host goes on.
 *
 * Rejects before anything was written, for faults of the gateway itself; the host's error handler decides then.
 */
export async function serve(
  gateway: Gateway,
  message: IncomingMessage,
  reply: ServerResponse,
  options: ServeOptions,
): Promise<boolean> {
  const begun = await begin(gateway, message, reply, options)
  if (typeof begun === 'string') return begun === 'nobody-waits'
  const { body } = begun
  if (typeof body === 'string' || body instanceof Uint8Array) writeWhole(message, reply, begun, body)
  else writeStream(message, reply, begun, body)
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
