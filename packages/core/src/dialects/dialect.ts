import type { JsonBody } from '../http/request-body.ts'
import type { Operation } from '../http/routes.ts'
import type { InferenceCall } from './inference-call.ts'

/** What a client speaks. Pure: a body becomes a call, and errors and endings go back in kind. */
export interface Dialect {
  readonly operation: Operation

  /**
   * Reads what is asked for, and nothing of the content beyond what routing and money need.
   *
   * @throws GatewayError `invalid_request` or `invalid_model_suffix`, naming the member at fault.
   */
  parse(body: JsonBody): InferenceCall

  /** A whole reply as the caller expects it. Most dialects hand it on as it is. */
  reply?(call: InferenceCall, reply: Buffer): Buffer
}

/** An error as a body. */
export interface ErrorBody {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}
