import type { Simulator } from '@farebox/testkit/simulator'

/** A running server to use clients against. */
export interface ClientSubject {
  /** Such as `http://127.0.0.1:8787/ai/v1`. */
  readonly baseUrl: string
  /** Of an account that can pay. */
  readonly apiKey: string
  /** Of an account that can not: its credit is used up. */
  readonly emptyKey: string
  /** The providers behind the server: what goes wrong there, and their own count of what they served. */
  readonly simulator: Simulator
}

export interface ClientCase {
  readonly name: string
  run(subject: ClientSubject): Promise<void>
}

/** A chat question, as every client must be able to ask it. */
export interface Question {
  readonly baseUrl: string
  readonly apiKey: string
  readonly model: string
  readonly isStreaming: boolean
  /** How often the client may repeat the request by itself. */
  readonly retriesMax: number
  readonly headers?: Readonly<Record<string, string>>
}

/** Refusals that every client must make an error of, so that its user can tell them apart. */
export type Refusal =
  | 'wrong key'
  | 'no credit'
  | 'unknown model'
  | 'too many requests'
  | 'unavailable'
  | 'providers failed'
  | 'broken stream'
  | 'error in a stream'

/** An unmodified client: how it asks, what it raises, and what else it must be able to do. */
export interface Client {
  /** The name of the package or program. */
  readonly name: string
  /** Gives the text of the answer. Throws what the client throws, as it throws it. */
  ask(question: Question): Promise<string>
  /** Throws when the error is not the one that this client has for the refusal. */
  readonly raises: Readonly<Record<Refusal, (error: unknown) => void>>
  /**
   * What it asks again by itself for: as a client should, after a wait that it is told or that grows, or only for a 503, at once
   * and without an end. @default 'politely'
   */
  readonly repeats?: 'politely' | 'only-503-at-once'
  /** Whether it asks again by itself when the connection breaks before an answer, also without an `Idempotency-Key`. */
  readonly repeatsWhatWasLost: boolean
  readonly cases: readonly ClientCase[]
}

export const chatModel = 'openai/gpt-oss-120b'
export const embeddingModel = 'intfloat/multilingual-e5-large-instruct'
export const imageModel = 'black-forest-labs/FLUX.1-schnell'

/** The providers that serve `chatModel`, each with a wire of its own. */
export const chatProviders = ['cerebras', 'together'] as const

/** Texts of errors that a user must get to see, whichever client shows them. */
export const messages: Readonly<Record<Refusal, RegExp>> = {
  'wrong key': /^Invalid credentials in Authorization header\./,
  'no credit': /^You have exceeded your monthly included credits/,
  'unknown model': /^The requested model 'no\/such-model' does not exist\./,
  'too many requests': /^Rate limit reached for .*: 1 request.*Try again in 1 second\./,
  unavailable: /^The credit ledger is out of reach\./,
  'providers failed': /^No provider could serve this request: .*answered 503/,
  'broken stream':
    /^The connection to the provider broke off\.|^The provider ended the answer before it was complete\./,
  // The provider's own words, as it sent them.
  'error in a stream': /^Encountered a server error/,
}
