import { connect } from 'node:net'
import { eventually } from './eventually.ts'
import type { Question } from './http-client.ts'

/** A connection whose every byte is the caller's, for what HTTP libraries do not do. */
export interface RawConnection {
  /** Everything read so far. */
  readonly text: string
  /** Whether the connection is closed. */
  readonly isGone: boolean
  send(text: string): void
  /** Says that nothing more will be sent, and goes on reading. */
  endSending(): void
  /** Resolves when this has been read. */
  reads(part: string): Promise<void>
  /** Resolves when the connection is closed. */
  over(): Promise<void>
  /** Closes the connection at once. */
  leave(): void
}

/** Opens a connection to the server of an address. One that does not read leaves everything in the server's hands. */
export function openRawConnection(
  url: string,
  { isReading = true }: { readonly isReading?: boolean } = {},
): RawConnection {
  const { hostname, port } = new URL(url)
  // Half of a connection can be closed while the other is open.
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  let text = ''
  let isGone = false
  if (isReading) {
    socket.on('data', (part) => {
      text += part.toString('latin1')
    })
  }
  socket.once('end', () => socket.end())
  // What breaks it also closes it.
  socket.on('error', () => undefined)
  socket.once('close', () => {
    isGone = true
  })
  return {
    get text() {
      return text
    },
    get isGone() {
      return isGone
    },
    send: (piece) => void socket.write(piece),
    endSending: () => void socket.end(),
    reads: (part) => eventually(`the caller reads ${part}`, () => text.includes(part)),
    over: () => eventually('the connection is closed', () => isGone),
    leave: () => void socket.destroy(),
  }
}

/** A question as its bytes on the wire, with a length. */
export function rawRequest(
  url: string,
  { method, path, headers = {}, body }: Question,
  { version = '1.1' }: { readonly version?: '1.0' | '1.1' } = {},
): string {
  const { host, pathname } = new URL(url)
  const payload = body === undefined || typeof body === 'string' ? (body ?? '') : JSON.stringify(body)
  const lines = [
    `${method ?? (body === undefined ? 'GET' : 'POST')} ${pathname}${path} HTTP/${version}`,
    `host: ${host}`,
    ...Object.entries({ 'content-length': String(Buffer.byteLength(payload)), ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    ),
  ]
  return `${lines.join('\r\n')}\r\n\r\n${payload}`
}
