import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Gateway } from '../gateway-interface.ts'
import type { ByteStream } from '../http/byte-stream.ts'
import { begin, type ServeOptions } from './begin.ts'
import { afterBody } from './refused-body.ts'

/** An answer for a framework that writes it itself, in its own way. */
export interface NodeAnswer {
  readonly status: number
  /** Names in lower case; with `content-length` where the body is whole. */
  readonly headers: Readonly<Record<string, string>>
  /** Whole, or a stream that ends by itself. Destroying it, also before its first read, ends the request. */
  readonly body: string | Buffer | Readable
}

/**
 * Answers one Node request without writing anything: for frameworks whose own reply has to be used, because their headers,
 * hooks and logs hang on it. Gives `undefined` when the path is not the gateway's, and the host goes on.
 *
 * Rejects for faults of the gateway itself; the host's error handler decides then.
 */
export async function answer(
  gateway: Gateway,
  message: IncomingMessage,
  reply: ServerResponse,
  options: ServeOptions,
): Promise<NodeAnswer | undefined> {
  const begun = await begin(gateway, message, reply, options)
  if (begun === 'not-ours') return undefined
  // Whatever is said here reaches nobody.
  if (begun === 'nobody-waits') return { status: 499, headers: {}, body: '' }
  const { status, body } = begun
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    return { status, headers: begun.headers, body: readable(body) }
  }
  const bytes = typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const headers: Record<string, string> = { 'content-length': String(Buffer.byteLength(bytes)) }
  for (const name in begun.headers) headers[name] = begun.headers[name] ?? ''
  if (message.complete) return { status, headers, body: bytes }
  headers['connection'] = 'close'
  return { status, headers, body: late(message, bytes) }
}

/** A stream of Node over a stream of ours: pushed while there is room, resumed when it is read, cancelled when destroyed. */
function readable(source: ByteStream): Readable {
  let isPiped = false
  const stream = new Readable({
    read() {
      if (isPiped) {
        source.resume()
        return
      }
      isPiped = true
      source.pipe({
        write: (chunk) => stream.push(chunk),
        end: () => stream.push(null),
        fail: (error) => stream.destroy(error),
      })
    },
    destroy(error, done) {
      source.cancel()
      done(error)
    },
  })
  return stream
}

/** Says everything at once, and ends when the rest of a refused body has passed. */
function late(message: IncomingMessage, bytes: string | Buffer): Readable {
  const stream = new Readable({ read: () => undefined })
  stream.push(bytes)
  afterBody(message, () => stream.push(null))
  return stream
}
