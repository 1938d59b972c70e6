import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { JsonBody } from '../http/request-body.ts'
import type { BodyDialect, Reply } from './dialect.ts'
import { type InferenceCall, parseModel, wholeCall } from './inference-call.ts'
import { memberReader } from './members.ts'
import { readReply } from './read-reply.ts'

const readMembers = memberReader({ encoding_format: z.enum(['float', 'base64']).nullish() })

/** The most inputs of one request (openai-openapi, 2026-08-21). */
const inputsMax = 2048

/** Special tokens a tokenizer puts around each input. */
const inputTokens = 8

/** `POST /v1/embeddings`. The answer is base64 exactly when the caller asked for base64, whatever the provider offers. */
export const openaiEmbeddings: BodyDialect = { parse, reply }

function parse(body: JsonBody): InferenceCall {
  const named = parseModel(body.value['model'])
  readMembers(body)
  const inputs = countInputs(body.value['input'])
  return wholeCall('embeddings', body, named, {
    inputs,
    inputTokensMax: body.byteLength + inputs * inputTokens,
  })
}

function countInputs(input: unknown): number {
  if (typeof input === 'string' && input !== '') return 1
  if (Array.isArray(input) && input.length > 0) {
    if (input.every((item) => typeof item === 'number')) return 1
    const areInputs = input.every((item) => (typeof item === 'string' && item !== '') || isTokens(item))
    if (areInputs && input.length <= inputsMax) return input.length
    if (areInputs) {
      throw new GatewayError('invalid_request', `"input" holds more than ${inputsMax} inputs.`, {
        param: 'input',
      })
    }
  }
  throw new GatewayError(
    'invalid_request',
    '"input" must be a text or a non-empty array of texts or token arrays.',
    {
      param: 'input',
    },
  )
}

function isTokens(item: unknown): boolean {
  return Array.isArray(item) && item.length > 0 && item.every((token) => typeof token === 'number')
}

const replyShape = z.looseObject({
  data: z.array(z.looseObject({ embedding: z.union([z.string(), z.array(z.number())]) })),
})

function reply(call: InferenceCall, whole: Reply): Reply {
  const { bytes } = whole
  const wantsBase64 = call.body.value['encoding_format'] === 'base64'
  // Only the first vector tells the encoding; most providers answer in kind and the bytes go on untouched.
  const isBase64 = /"embedding"\s*:\s*"/.test(bytes.toString('latin1', 0, 4096))
  if (wantsBase64 === isBase64) return whole
  const told = readReply(replyShape, whole)
  if (told === undefined) return whole
  const data = told.data.map((item) => ({ ...item, embedding: convert(item.embedding, wantsBase64) }))
  return { ...whole, bytes: Buffer.from(JSON.stringify({ ...told, data })) }
}

/** Little-endian IEEE 754 float32, as OpenAI encodes vectors. */
function convert(embedding: string | readonly number[], wantsBase64: boolean): string | readonly number[] {
  if (wantsBase64) {
    if (typeof embedding === 'string') return embedding
    const bytes = Buffer.alloc(embedding.length * 4)
    for (const [index, value] of embedding.entries()) bytes.writeFloatLE(value, index * 4)
    return bytes.toString('base64')
  }
  if (typeof embedding !== 'string') return embedding
  const bytes = Buffer.from(embedding, 'base64')
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => bytes.readFloatLE(index * 4))
}
