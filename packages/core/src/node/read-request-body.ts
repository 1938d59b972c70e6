import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../errors.ts'
import { badEncoding, decoderOf } from '../http/content-encoding.ts'
import type { RequestBody } from '../http/exchange.ts'
import { tooLarge } from '../http/request-body.ts'

/** Pieces are joined in groups, because a body in one-byte chunks would otherwise take a hundred times its size. */
const piecesMax = 1024

/**
 * Finds out who has the body. `readableEnded` is the only reliable sign: parsers define `body` also when they skip a
 * request, and an empty object is a body like any other.
 */
export function requestBody(message: IncomingMessage, parsed: unknown): RequestBody {
  if (!message.readableEnded) return { kind: 'unread', read: (bytesMax) => readUnread(message, bytesMax) }
  return parsed === undefined ? { kind: 'drained' } : { kind: 'parsed', value: parsed }
}

/** Waiting for a body whose end has passed, or whose sender has gone, would never end: both are found out first. */
function readUnread(message: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  // All in one promise, whose function may throw: each further one costs every request.
  return new Promise((resolve, reject) => {
    if (message.readableDidRead || message.readableEnded) throw alreadyRead()
    if (message.destroyed) throw brokeOff()
    if (Number(message.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax)
    collect(message, bytesMax, resolve, reject)
  })
}

function collect(
  message: IncomingMessage,
  bytesMax: number,
  resolve: (bytes: Uint8Array) => void,
  reject: (error: GatewayError) => void,
): void {
  const decoder = decoderOf(message.headers['content-encoding'])
  const stream = decoder === undefined ? message : message.pipe(decoder)
  const groups: Uint8Array[] = []
  let pieces: Uint8Array[] = []
  let length = 0
  const onData = (piece: Uint8Array) => {
    length += piece.byteLength
    if (length > bytesMax) {
      refuse(tooLarge(bytesMax))
      return
    }
    pieces.push(piece)
    if (pieces.length < piecesMax) return
    groups.push(Buffer.concat(pieces))
    pieces = []
  }
  const refuse = (error: GatewayError) => {
    stream.off('data', onData)
    message.unpipe()
    decoder?.destroy()
    reject(error)
  }
  stream.on('data', onData)
  // Not `once`: these fire once anyway, and its wrapper costs as much as the rest.
  stream.on('end', () => {
    const [first] = pieces
    resolve(length === first?.byteLength ? first : Buffer.concat([...groups, ...pieces]))
  })
  decoder?.on('error', (cause) => refuse(badEncoding(cause)))
  if (decoder === undefined) message.on('error', (cause) => refuse(brokeOff(cause)))
  message.on('close', () => {
    // A message also closes after its end, while its decoder may still be at work.
    if (!message.readableEnded) refuse(brokeOff())
  })
}

function alreadyRead(): GatewayError {
  return new GatewayError(
    'body_already_read',
    'Somebody else was reading the request body when the gateway began. Mount the gateway before other body parsers.',
  )
}

function brokeOff(cause?: unknown): GatewayError {
  return new GatewayError('client_closed', 'The request body broke off.', { cause })
}
