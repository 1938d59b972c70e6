import type { GatewayError } from '../errors.ts'
import type { ByteStream } from '../http/byte-stream.ts'
import type { GatewayRequest } from '../http/exchange.ts'
import type { JsonBody } from '../http/request-body.ts'
import type { InferenceRoute, Operation } from '../http/routes.ts'
import type { InferenceCall } from './inference-call.ts'

/**
 * What a client speaks. Pure: a body becomes a call, and answers, errors and endings go back in kind.
 *
 * Answers come in OpenAI's shape of the call's operation. A dialect that is of another shape translates the call's body on the
 * way in and the answer on the way out.
 */
export interface Dialect {
  /** Reads the body of a request. @default a JSON object */
  read?(request: GatewayRequest, bytesMax: number): Promise<JsonBody>

  /**
   * Reads what is asked for, and nothing of the content beyond what routing, money and a translation need.
   *
   * @throws GatewayError `invalid_request` or `invalid_model_suffix`, naming the member at fault.
   */
  parse(body: JsonBody, context: ParseContext): InferenceCall

  /** A whole reply as the caller expects it. @default as it is */
  reply?(call: InferenceCall, reply: Reply, facts: AnswerFacts): Reply

  /** A stream as the caller expects it, of one whose every piece holds whole events. @default as it is */
  stream?(call: InferenceCall, stream: ByteStream, facts: AnswerFacts): ByteStream

  /** An error before the answer has begun. @default as OpenAI writes it */
  error?(error: GatewayError, requestId: string): ErrorBody

  /** A further header that has the request's id, where clients look for it. */
  readonly requestIdHeader?: string
}

/** A dialect whose bodies say everything. */
export interface BodyDialect extends Dialect {
  parse(body: JsonBody): InferenceCall
}

/** What is known of a request besides its body. */
export interface ParseContext {
  readonly request: GatewayRequest
  readonly route: InferenceRoute
  /** What a model is sold for; nothing when there is no such model. */
  readonly operationsOf: (model: string) => readonly Operation[]
}

/** What is known of an answer besides what the provider wrote. */
export interface AnswerFacts {
  readonly requestId: string
  /** Decimal US dollars, once it is sure: a stream tells its cost itself, at its end. */
  readonly cost: string | undefined
}

/** A whole reply. */
export interface Reply {
  readonly bytes: Buffer
  readonly contentType: string
}

/** An error as a body. */
export interface ErrorBody {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}
