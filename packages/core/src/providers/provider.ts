import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import type { Operation } from '../http/routes.ts'
import type { Nano } from '../money.ts'
import type { Quantities } from '../usage.ts'

/** A request to a provider. */
export interface UpstreamRequest {
  readonly method: 'GET' | 'POST'
  /** Absolute. Its origin is the provider's configured one, or one the provider's configuration allows. */
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** A provider's whole answer. `body` is its JSON, or `undefined` when it is none. */
export interface UpstreamAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: unknown
}

/**
 * What an answer with an error means.
 *
 * `fallback`: this provider's fault or shortage, another may serve. `fatal`: the request itself is at fault, and would be
 * anywhere.
 */
export interface Verdict {
  readonly action: 'fallback' | 'fatal'
  /** The provider's own words, for the caller when fatal. */
  readonly message: string | undefined
  readonly isContextTooLong?: boolean
  /** The provider's error code, when it has one. */
  readonly code?: string | undefined
  readonly param?: string | undefined
}

/** What a call becomes at a provider. */
export interface EncodeContext {
  readonly target: Target
  /** Goes upstream as the request's id. */
  readonly attemptId: string
  /** The bound on output tokens to send; `undefined` when the model's own maximum is already held. */
  readonly outputTokens: number | undefined
}

/** A provider that can tell afterwards what an attempt cost, by its id (Hugging Face's billing protocol, 2026-06-23). */
export interface CostLookup {
  encode(attemptIds: readonly string[]): UpstreamRequest
  /** Costs by attempt id. Ids without a cost yet are left out. */
  decode(body: unknown): ReadonlyMap<string, Nano>
  /**
   * The provider prices every request, and only afterwards: what its reply reports is an estimate. Requests are settled
   * provisionally, and at what it tells when it tells it. @default usage in a reply is priced at once
   */
  readonly settles?: 'afterwards'
}

/** Knows one upstream's wire format. Every method is pure; the transport does the I/O. */
export interface Provider {
  readonly id: string
  readonly operations: ReadonlySet<Operation>

  encode(call: InferenceCall, context: EncodeContext): UpstreamRequest

  /** Why this provider cannot serve a call although it has the model, or `undefined` when it can. */
  refuses?(call: InferenceCall): string | undefined

  /** Usage in Farebox' classes from a reply or an event, of which it may get no more than `usage` and `service_tier`. */
  usage(reply: unknown, call: InferenceCall): Quantities | undefined

  /** The service tier a reply or an event says it was served in, in lower case. */
  serviceTier?(reply: unknown): string | undefined

  /** What a status that is not 2xx, or an error inside a 200, means. */
  classify(status: number, body: unknown): Verdict

  /** For providers that answer in steps: the next request after this answer, or `undefined` when it is final. */
  follow?(answer: UpstreamAnswer, call: InferenceCall): FollowUp | undefined

  /** For providers with an answer of their own shape: the reply, or the whole event stream, in OpenAI's. */
  decode?(answer: UpstreamAnswer, call: InferenceCall, target: Target): Buffer

  /** For jobs that run on when nobody waits: the request that stops one. */
  cancel?(answer: UpstreamAnswer): UpstreamRequest | undefined

  readonly costs?: CostLookup

  /** Takes the key that the gateway pays with out of an error of this provider: some quote the one they were sent. */
  hide?(text: string): string

  /** The same provider at the same address, paid with another key. Without it no account can bring its own. */
  withKey?(apiKey: string): Provider
}

export interface FollowUp {
  readonly request: UpstreamRequest
  /** How long to wait before it. */
  readonly delayMs: number
}
