import type { ByteStream } from '../http/byte-stream.ts'
import type { JsonObject } from '../http/json-object.ts'
import type { Attempt } from '../metering/attempt.ts'

/** The answer of the target that committed. From its first byte on there is no other target. */
export type Upstream =
  | {
      readonly kind: 'reply'
      readonly attempt: Attempt
      readonly reply: Buffer
      readonly object: JsonObject | undefined
      /** Of what is not JSON. */
      readonly contentType?: string | undefined
    }
  | { readonly kind: 'stream'; readonly attempt: Attempt; readonly stream: ByteStream }
