import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { JsonBody } from '../http/request-body.ts'
import type { BodyDialect } from './dialect.ts'
import { type InferenceCall, parseModel, wholeCall } from './inference-call.ts'
import { flag, memberReader } from './members.ts'

/** Longer than any provider takes (OpenAI: 4,096, 2026-08-21). */
const charactersMax = 100_000

const readMembers = memberReader({
  input: z.string().min(1),
  // A name, or an object with the id of a voice of one's own.
  voice: z.union([z.string().min(1), z.looseObject({})]),
  stream: flag,
  stream_format: z.enum(['audio', 'sse']).nullish(),
})

/** `POST /v1/audio/speech`: the reply is a file of audio. Billed by the character, which the provider does not report. */
export const openaiSpeech: BodyDialect = { parse }

function parse(body: JsonBody): InferenceCall {
  const named = parseModel(body.value['model'])
  const { input = '', stream, stream_format: format } = readMembers(body)
  if (format === 'sse' || stream === true) {
    const param = format === 'sse' ? 'stream_format' : 'stream'
    throw new GatewayError('invalid_request', 'Speech comes as one file, not as events.', { param })
  }
  const characters = countCharacters(input)
  if (characters > charactersMax) {
    throw new GatewayError('invalid_request', `"input" has more than ${charactersMax} characters.`, {
      param: 'input',
    })
  }
  return wholeCall('speech', body, named, { characters })
}

/** Characters as people count them on a keyboard: an emoji of one code point is one. */
function countCharacters(text: string): number {
  let count = 0
  for (const _character of text) count += 1
  return count
}
