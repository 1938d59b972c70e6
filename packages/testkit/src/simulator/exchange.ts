import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { ProviderName } from './price-list.ts'

/** A request as it arrived. `path` is the request target with its query, `body` the text of the body. */
export interface SeenRequest {
  readonly provider: ProviderName | undefined
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** One request being answered. `gone` aborts when the client's socket closes before the answer is written. */
export interface Exchange {
  readonly request: SeenRequest
  /** The body as it came, which need not be text. */
  readonly bytes: Buffer
  readonly response: ServerResponse
  readonly gone: AbortSignal
}

export type Headers = Readonly<Record<string, string>>

export interface Reply {
  readonly status: number
  readonly headers?: Headers
  readonly body: string | Buffer
}

const bodyBytesMax = 64 * 1024 * 1024

/** The body; undefined when the client left before its end or sent more than 64 MiB. */
export async function readBody(message: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of message as AsyncIterable<Buffer>) {
      bytes += part.length
      if (bytes > bodyBytesMax) return undefined
      parts.push(part)
    }
  } catch {
    // The only failure of an incoming body is that its sender went away; nobody is left to be told.
    return undefined
  }
  return Buffer.concat(parts)
}

/** The key a request came with, as Bearer or, at Replicate, as Token. */
export function keyOf({ headers }: SeenRequest): string | undefined {
  return /^(?:Bearer|Token)\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1]
}

/** Tells keys apart without keeping them. */
export function hashKey(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 16)
}

export function sendJson(exchange: Exchange, reply: Reply): void {
  send(exchange, { ...reply, headers: { 'content-type': 'application/json', ...reply.headers } })
}

export function send({ response }: Exchange, { status, headers = {}, body }: Reply): void {
  response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) })
  response.end(body)
}

/** Writes a part of the answer and waits while the client does not read, unless it leaves. */
export async function write({ response, gone }: Exchange, bytes: string | Buffer): Promise<void> {
  if (gone.aborted || response.write(bytes)) return
  await once(response, 'drain', { signal: gone }).catch(() => undefined)
}

/** Writes parts so that each of them arrives as a chunk of its own. */
export async function writeApart(exchange: Exchange, parts: readonly (string | Buffer)[]): Promise<void> {
  for (const part of parts) {
    await write(exchange, part)
    // Node joins what is written within one turn of the event loop.
    if (parts.length > 1) await nextTurn()
  }
}

/** Waits until everything written so far has left this process, or the client is gone. */
export async function flush({ response }: Exchange): Promise<void> {
  const { socket } = response
  if (socket === null) return
  await new Promise<void>((resolve) => socket.write('', () => resolve()))
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return
  await delay(ms, undefined, { signal }).catch(() => undefined)
}

export async function untilGone({ gone }: Exchange): Promise<void> {
  if (!gone.aborted) await once(gone, 'abort')
}

/** The JSON object in a text, or undefined when it is anything else. */
export function parseObject(text: string): object | undefined {
  try {
    return asObject(JSON.parse(text))
  } catch {
    return undefined
  }
}

export function asObject(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
}
