import type { ByteStream } from '../../http/byte-stream.ts'
import type { JsonBody } from '../../http/request-body.ts'
import type { BodyDialect, Reply } from '../dialect.ts'
import type { InferenceCall } from '../inference-call.ts'

/** What a model can be asked to do by its own path, put into OpenAI's words and back. */
export interface Task {
  /** How Hugging Face calls it. */
  readonly name: string
  /** Which of OpenAI's dialects reads it. */
  readonly dialect: BodyDialect
  /**
   * The body in OpenAI's words.
   *
   * @throws GatewayError `invalid_request` for inputs of another kind.
   */
  translate(body: JsonBody, model: string): JsonBody
  reply(call: InferenceCall, reply: Reply): Reply
  stream?(call: InferenceCall, stream: ByteStream): ByteStream
}
