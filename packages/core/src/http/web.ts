import { pipeline, Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { GatewayError, isGatewayError } from '../errors.ts'
import type { ByteStream } from './byte-stream.ts'
import { badEncoding, decoderOf } from './content-encoding.ts'
import type { GatewayRequest, GatewayResponse, RequestBody, ResponseBody } from './exchange.ts'
import { tooLarge } from './request-body.ts'

export interface FetchOptions {
  /** Where the gateway is mounted: `/ai`. @default the root */
  readonly prefix?: string
  /** Handed to `authenticate`. @default the request */
  readonly host?: unknown
}

/** A web-standard request as the gateway takes it; `undefined` when its path is not below `prefix`. */
export function fromWeb(
  request: Request,
  { prefix = '', host = request }: FetchOptions = {},
): GatewayRequest | undefined {
  const { pathname, search } = new URL(request.url)
  const path = pathname.startsWith(prefix) ? pathname.slice(prefix.length) : undefined
  if (path === undefined || (path !== '' && !path.startsWith('/'))) return undefined
  const headers: Record<string, string> = {}
  for (const [name, value] of request.headers) headers[name] = value
  const query = search === '' ? {} : { query: search.slice(1) }
  return {
    method: request.method,
    path,
    ...query,
    headers,
    body: bodyOf(request),
    signal: request.signal,
    host,
  }
}

/** The gateway's answer as a web-standard response. A stream that is cancelled stops the provider. */
export function toWeb({ status, headers, body }: GatewayResponse, method: string): Response {
  if (method === 'HEAD') {
    if (isStream(body)) body.cancel()
    return new Response(null, { status, headers: { ...headers, ...lengthOf(body) } })
  }
  if (isStream(body)) return new Response(readable(body), { status, headers })
  return new Response(body as string | Uint8Array<ArrayBuffer>, {
    status,
    headers: { ...headers, ...lengthOf(body) },
  })
}

function lengthOf(body: ResponseBody): Record<string, string> {
  return isStream(body) ? {} : { 'content-length': String(Buffer.byteLength(body)) }
}

function isStream(body: ResponseBody): body is ByteStream {
  return typeof body !== 'string' && !(body instanceof Uint8Array)
}

function bodyOf(request: Request): RequestBody {
  // Somebody has read it, and a web request keeps nothing of what was read.
  if (request.bodyUsed) return { kind: 'drained' }
  return { kind: 'unread', read: (bytesMax) => readAll(request, bytesMax) }
}

async function readAll(request: Request, bytesMax: number): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) throw tooLarge(bytesMax)
  const decoder = decoderOf(request.headers.get('content-encoding'))
  if (request.body === null) return new Uint8Array()
  const pieces: Uint8Array[] = []
  let length = 0
  const source = Readable.fromWeb(request.body as NodeReadableStream<Uint8Array>)
  const stream: Readable = decoder === undefined ? source : pipeline(source, decoder, () => undefined)
  try {
    for await (const piece of stream) {
      length += (piece as Uint8Array).byteLength
      if (length > bytesMax) throw tooLarge(bytesMax)
      pieces.push(piece as Uint8Array)
    }
  } catch (cause) {
    if (isGatewayError(cause)) throw cause
    if (decoder !== undefined && !request.signal.aborted) throw badEncoding(cause)
    throw new GatewayError('client_closed', 'The request body broke off.', { cause })
  }
  return Buffer.concat(pieces)
}

/** A web stream over a stream of ours: pulled when there is room, cancelled when its reader is. */
function readable(source: ByteStream): ReadableStream<Uint8Array> {
  let isPiped = false
  return new ReadableStream({
    type: 'bytes',
    pull(controller) {
      if (isPiped) {
        source.resume()
        return
      }
      isPiped = true
      source.pipe({
        write(chunk) {
          // A copy: the receiver of a byte stream takes the memory over, and this chunk may share its own.
          controller.enqueue(new Uint8Array(chunk))
          return (controller.desiredSize ?? 0) > 0
        },
        end: () => controller.close(),
        fail: (error) => controller.error(error),
      })
    },
    cancel: () => source.cancel(),
  })
}
