import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../errors.ts'
import { readJsonBody } from '../http/request-body.ts'
import type { InferenceCall } from './inference-call.ts'
import { openaiEmbeddings } from './openai-embeddings.ts'

const model = 'intfloat/multilingual-e5-large-instruct'

async function parse(members: object): Promise<InferenceCall> {
  return openaiEmbeddings.parse(
    await readJsonBody({ kind: 'parsed', value: { model, ...members } }, 10_000_000),
  )
}

async function refusal(parsing: Promise<unknown>): Promise<unknown> {
  try {
    await parsing
  } catch (error) {
    if (isGatewayError(error)) return [error.code, error.status, error.param]
    throw error
  }
  return 'accepted'
}

async function reply(format: string | undefined, body: unknown): Promise<string> {
  const call = await parse({ input: 'a', encoding_format: format })
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const whole = { bytes, contentType: 'application/json' }
  const facts = { requestId: 'r-1', cost: undefined }
  return (openaiEmbeddings.reply?.(call, whole, facts) ?? whole).bytes.toString()
}

describe('the inputs of an embeddings call', () => {
  it.each<[string, unknown, number]>([
    ['a text', 'Hi', 1],
    ['one text in an array', ['Hi'], 1],
    ['two texts', ['Hi', 'there'], 2],
    ['an array of tokens, which is one input', [1, 2, 3], 1],
    ['two arrays of tokens', [[1, 2], [3]], 2],
    ['2048 texts', Array.from({ length: 2048 }, () => 'a'), 2048],
  ])('are counted in %s', async (_case, input, inputs) => {
    const call = await parse({ input })
    expect(call).toMatchObject({ operation: 'embeddings', inputs, isStreaming: false, choices: 1 })
    expect(call.outputTokensMax).toBeUndefined()
  })

  it('are bounded by the bytes of the body and a few special tokens for each', async () => {
    const input = [[7, 8, 9], [1]]
    const call = await parse({ input })
    expect(call.inputTokensMax).toBeGreaterThanOrEqual(call.body.byteLength + input.length)
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['an empty text', ''],
    ['an empty array', []],
    ['an array with an empty text', ['Hi', '']],
    ['an array with an empty array', [[1], []]],
    ['texts and tokens mixed', ['Hi', 1]],
    ['an object', { text: 'Hi' }],
    ['a number', 1],
    ['2049 texts', Array.from({ length: 2049 }, () => 'a')],
  ])('are refused when they are %s', async (_case, input) => {
    expect(await refusal(parse({ input }))).toEqual(['invalid_request', 400, 'input'])
  })

  it('are refused in an encoding nobody knows, and without a model', async () => {
    expect(await refusal(parse({ input: 'a', encoding_format: 'int8' }))).toEqual([
      'invalid_request',
      400,
      'encoding_format',
    ])
    expect(await refusal(parse({ input: 'a', model: undefined }))).toEqual(['invalid_request', 400, 'model'])
  })
})

describe('the encoding of the answer', () => {
  const list = (embedding: unknown) => ({
    object: 'list',
    data: [{ object: 'embedding', index: 0, embedding }],
    model,
    usage: { prompt_tokens: 1, total_tokens: 1 },
  })

  it('is little-endian float32 in base64 when base64 was asked for', async () => {
    // 1.0 is 00 00 80 3f and -2.0 is 00 00 00 c0, lowest byte first.
    expect(JSON.parse(await reply('base64', list([1, -2])))).toEqual(list('AACAPwAAAMA='))
  })

  it('is numbers when numbers were asked for, and when nothing was', async () => {
    expect(JSON.parse(await reply('float', list('AACAPwAAAMA=')))).toEqual(list([1, -2]))
    expect(JSON.parse(await reply(undefined, list('AACAPwAAAMA=')))).toEqual(list([1, -2]))
  })

  it.each(['float', undefined])('leaves numbers alone, byte for byte, when asked for %s', async (format) => {
    const text = JSON.stringify(list([0.1234567890123, 1])).replace('[0', '[ 0')
    expect(await reply(format, text)).toBe(text)
  })

  it('leaves base64 alone, byte for byte, when asked for base64', async () => {
    const text = JSON.stringify(list('AACAPwAAAMA='))
    expect(await reply('base64', text)).toBe(text)
  })

  it('survives the way there and back for every float32', async () => {
    // JSON writes -0 as 0, so that no vector has one on its way in.
    const number = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
    const vectors = fc.array(fc.array(number, { minLength: 1 }), { minLength: 1, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(vectors, async (embeddings) => {
        const body = { data: embeddings.map((embedding, index) => ({ index, embedding })) }
        const encoded = await reply('base64', body)
        expect(JSON.parse(encoded).data[0].embedding).toBe(
          Buffer.from(Float32Array.from(embeddings[0] ?? []).buffer).toString('base64'),
        )
        expect(JSON.parse(await reply('float', encoded))).toEqual(body)
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    ['no vectors', '{"data":[]}'],
    ['another shape', '{"data":{"embedding":"AAAA"}}'],
    ['a number that JSON does not know', '{"data":[{"embedding":[NaN]}]}'],
  ])('is left as the provider wrote it when it has %s', async (_case, text) => {
    expect(await reply('base64', text)).toBe(text)
    expect(await reply('float', text)).toBe(text)
  })
})
