import type { ByteStream } from './byte-stream.ts'

/** One request, without a framework and without a socket. */
export interface GatewayRequest {
  /** Upper case. */
  readonly method: string
  /** Below the mount, percent-encoded as it came, without the query: `/v1/chat/completions`. */
  readonly path: string
  /** What stood behind the `?`, as it came. */
  readonly query?: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: RequestBody
  /** Aborts when the caller has gone. */
  readonly signal: CallerSignal
  /** The host's own request object, untouched, for `authenticate` only. */
  readonly host?: unknown
}

/**
 * What the gateway needs of an AbortSignal, and every AbortSignal has. Adapters on hot paths hand over something lighter:
 * an AbortController with its listeners costs as much as reading a small body.
 */
export interface CallerSignal {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

export type RequestBody =
  /** The host's parser has read it: a value, no longer the caller's bytes. */
  | { readonly kind: 'parsed'; readonly value: unknown }
  /**
   * Nobody has read it.
   * `read` gives all of it, decompressed, and throws GatewayError `request_too_large` beyond `bytesMax`.
   */
  | { readonly kind: 'unread'; read(bytesMax: number): Promise<Uint8Array> }
  /** Somebody has read it and kept nothing. */
  | { readonly kind: 'drained' }

export interface GatewayResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: ResponseBody
}

/** Whole, or a stream that the host either pipes, iterates, or cancels. */
export type ResponseBody = Uint8Array | string | ByteStream

/** The first value of a header. */
export function header(request: GatewayRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : value?.[0]
}
