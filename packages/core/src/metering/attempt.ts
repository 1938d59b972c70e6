import type { Target } from '../catalog/target.ts'
import type { Quantities } from '../usage.ts'

/** One call to one provider inside a request. Filled while it runs; settled afterwards. */
export interface Attempt {
  /** `<request id>.<ordinal>`, also sent to the provider, so that its cost can be asked for later. */
  readonly attemptId: string
  readonly target: Target
  /** Whether the account pays the provider itself, with its own key. */
  readonly isOwnKey: boolean
  readonly startedMs: number
  /** `served`: the caller has all of it. `aborted`: it broke off after the provider had begun. `failed`: nothing came of it. */
  outcome: 'running' | 'served' | 'aborted' | 'failed'
  /** Why it failed, for the caller and the operator: no key, prompt or host in it. */
  failure?: AttemptFailure
  /** Whether the provider may have worked, and may charge, although it gave no usage. */
  mayHaveCost: boolean
  firstByteMs?: number
  endedMs?: number
  /** The provider's id of the request, from its headers. */
  providerRequestId?: string
  /** Usage as the provider reported it, in Farebox' classes. */
  reported?: Quantities | undefined
  /** The service tier the provider says it served. */
  serviceTier?: string
  /** Whether `reported` counts everything, not only what had been used so far. */
  isReportFinal: boolean
  /** Pieces of output seen in a stream, to estimate by when usage never came. */
  outputEvents: number
  /** Those of them that brought output after usage was last told: it does not count them. */
  untoldEvents?: number
  /** Bytes of a whole reply, to estimate by. */
  replyBytes: number
}

export interface AttemptFailure {
  readonly reason: 'status' | 'connect' | 'timeout' | 'reset' | 'malformed'
  readonly status?: number
  /** A sentence for the end user. */
  readonly message: string
  /** Seconds the provider asked to wait. */
  readonly retryAfterSeconds?: number
}
