import { Agent, type Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'
import { ByteStream } from '../http/byte-stream.ts'
import type { CallerSignal } from '../http/exchange.ts'
import type { UpstreamRequest } from '../providers/provider.ts'

/** What came back: the head at once, the body as it arrives. */
export interface TransportResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: ByteStream
}

export interface SendOptions {
  readonly signal?: CallerSignal | undefined
  /** Milliseconds until the head has come, and between two pieces of the body. */
  readonly headersTimeoutMs: number
  readonly bodyTimeoutMs: number
  /** Milliseconds until the exchange is over, whatever it does. */
  readonly totalTimeoutMs: number
}

/** The only way out to providers. */
export interface Transport {
  /** Gives the response once its head is there. Rejects with TransportError. Aborts when `signal` does, at any time. */
  send(request: UpstreamRequest, options: SendOptions): Promise<TransportResponse>
  /** Breaks off what is under way, and waits until everybody has heard of it. */
  close(): Promise<void>
}

export type TransportFailure = 'connect' | 'timeout' | 'reset' | 'aborted'

/** An exchange with a provider that came to nothing, or broke off. */
export class TransportError extends Error {
  override readonly name: string = 'TransportError'
  readonly failure: TransportFailure
  /** Whether the provider may have got the request, and may have begun to work. */
  readonly wasSent: boolean
  constructor(failure: TransportFailure, cause: unknown, wasSent = true) {
    super(`The exchange with the provider failed: ${failure}.`, { cause })
    this.failure = failure
    this.wasSent = wasSent
  }
}

/** By name, because a transport may be built on another copy of this package. */
export function isTransportError(error: unknown): error is TransportError {
  return error instanceof Error && error.name === 'TransportError'
}

export interface TransportOptions {
  /** Connections to one provider at a time. */
  readonly connectionsMax: number
  readonly connectTimeoutMs: number
  readonly clock: Clock
}

/**
 * A transport over undici. It uses `dispatch` with a handler, not `fetch` or `request`: that is a half to an eighth of the
 * processor time for a proxied request.
 */
export function createTransport({ connectionsMax, connectTimeoutMs, clock }: TransportOptions): Transport {
  const agent = new Agent({
    connections: connectionsMax,
    connect: { timeout: connectTimeoutMs },
    pipelining: 1,
    keepAliveTimeout: 30_000,
  })
  return {
    send: (request, options) =>
      new Promise((resolve, reject) => {
        if (options.signal?.aborted) {
          reject(new TransportError('aborted', undefined, false))
          return
        }
        const { origin, path } = addressOf(request.url)
        agent.dispatch(
          {
            origin,
            path,
            method: request.method,
            headers: request.headers,
            body: request.body ?? null,
            headersTimeout: options.headersTimeoutMs,
            bodyTimeout: options.bodyTimeoutMs,
          },
          new Exchange(resolve, reject, options, clock),
        )
      }),
    close: () => agent.destroy(),
  }
}

interface Address {
  readonly origin: string
  readonly path: string
}

/** Providers use the same URL objects again and again, and reading a URL's parts puts them together each time. */
const addresses = new WeakMap<URL, Address>()

function addressOf(url: URL): Address {
  const known = addresses.get(url)
  if (known !== undefined) return known
  const address = { origin: url.origin, path: url.pathname + url.search }
  addresses.set(url, address)
  return address
}

/** One request on the wire. Gathers what one read of the socket brought into one write. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #resolve: (response: TransportResponse) => void
  readonly #reject: (error: TransportError) => void
  readonly #signal: CallerSignal | undefined
  #controller: Dispatcher.DispatchController | undefined
  #body: ByteStream | undefined
  #gathered: Uint8Array[] = []
  #isFlushing = false
  #isLate = false
  #isGivenUp = false
  readonly #onAbort = () => this.#abort()
  readonly #cancelTimer: () => void

  constructor(
    resolve: (response: TransportResponse) => void,
    reject: (error: TransportError) => void,
    { signal, totalTimeoutMs }: SendOptions,
    clock: Clock,
  ) {
    this.#resolve = resolve
    this.#reject = reject
    this.#signal = signal
    this.#cancelTimer = clock.after(totalTimeoutMs, () => {
      this.#isLate = true
      this.#abort()
    })
    signal?.addEventListener('abort', this.#onAbort)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isGivenUp) this.#abort()
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    this.#body = new ByteStream({
      onResume: () => this.#controller?.resume(),
      onCancel: () => this.#abort(),
    })
    this.#resolve({ status, headers, body: this.#body })
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#gathered.push(chunk)
    if (this.#isFlushing) return
    this.#isFlushing = true
    // The parser hands over every chunk of one read before this runs.
    process.nextTick(() => this.#flush())
  }

  onResponseEnd(): void {
    this.#flush()
    this.#forget()
    this.#body?.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, cause: Error): void {
    this.#flush()
    this.#forget()
    const error = this.#toError(cause)
    if (this.#body === undefined) this.#reject(error)
    else this.#body.fail(error)
  }

  #flush(): void {
    this.#isFlushing = false
    const [first] = this.#gathered
    if (first === undefined) return
    const chunk = this.#gathered.length === 1 ? first : Buffer.concat(this.#gathered)
    this.#gathered = []
    if (this.#body?.write(chunk) === false) this.#controller?.pause()
  }

  #abort(): void {
    this.#isGivenUp = true
    if (this.#controller !== undefined) {
      this.#controller.abort(new Error('The exchange was given up.'))
      return
    }
    // It still waits for a connection, which may take as long as the requests before it: nobody else would tell.
    this.#forget()
    this.#reject(this.#toError(new Error('The exchange was given up.')))
  }

  #toError(cause: Error): TransportError {
    const failure = this.#isLate ? 'timeout' : this.#signal?.aborted ? 'aborted' : failureOf(cause)
    return new TransportError(failure, cause, this.#controller !== undefined)
  }

  #forget(): void {
    this.#cancelTimer()
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}

const timeoutCodes: readonly unknown[] = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']
const connectCodes: readonly unknown[] = [
  'UND_ERR_CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]

function failureOf(cause: Error): TransportFailure {
  const { code } = cause as { code?: unknown }
  if (timeoutCodes.includes(code)) return 'timeout'
  return connectCodes.includes(code) ? 'connect' : 'reset'
}
