import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { GatewayError } from '../errors.ts'
import type { RequestBody } from '../http/exchange.ts'
import { tooLarge } from '../http/request-body.ts'

const decoders: Readonly<Record<string, () => NodeJS.ReadWriteStream & Readable>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
}

/**
 * Finds out who has the body. `readableEnded` is the only reliable sign: parsers define `body` also when they skip a
 * request, and an empty object is a body like any other.
 */
export function requestBody(message: IncomingMessage, parsed: unknown): RequestBody {
  if (!message.readableEnded) return { kind: 'unread', read: (bytesMax) => readUnread(message, bytesMax) }
  return parsed === undefined ? { kind: 'drained' } : { kind: 'parsed', value: parsed }
}

async function readUnread(message: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  if (Number(message.headers['content-length'] ?? 0) > bytesMax) {
    drain(message)
    throw tooLarge(bytesMax)
  }
  const encoding = message.headers['content-encoding']?.toLowerCase()
  if (encoding === undefined || encoding === 'identity') return collect(message, message, bytesMax)
  const decoder = decoders[encoding]
  if (decoder === undefined) {
    drain(message)
    throw new GatewayError(
      'unsupported_encoding',
      'Send the body with content-encoding gzip, deflate, br or none.',
    )
  }
  return collect(message.pipe(decoder()), message, bytesMax)
}

function collect(stream: Readable, message: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let length = 0
    const onData = (chunk: Uint8Array) => {
      length += chunk.byteLength
      if (length > bytesMax) {
        stream.off('data', onData)
        drain(message)
        reject(tooLarge(bytesMax))
      } else {
        chunks.push(chunk)
      }
    }
    stream.on('data', onData)
    stream.once('end', () => {
      const [first] = chunks
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks))
    })
    stream.once('error', (cause) => {
      drain(message)
      reject(
        stream === message
          ? new GatewayError('client_closed', 'The request body broke off.', { cause })
          : new GatewayError('invalid_json', 'The request body does not match its content-encoding.', {
              cause,
            }),
      )
    })
    message.once('close', () => reject(new GatewayError('client_closed', 'The request body broke off.')))
  })
}

/** Lets the rest of a refused body pass, so that the caller gets to read the answer. The answer closes the connection. */
function drain(message: IncomingMessage): void {
  message.unpipe()
  message.resume()
}
