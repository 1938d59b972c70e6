import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../errors.ts'
import { readJsonBody } from '../http/request-body.ts'
import type { InferenceCall } from './inference-call.ts'
import { openaiImages } from './openai-images.ts'

async function parse(members: object): Promise<InferenceCall> {
  const value = { model: 'black-forest-labs/FLUX.1-schnell', prompt: 'a cat', ...members }
  return openaiImages.parse(await readJsonBody({ kind: 'parsed', value }, 1_000_000))
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

describe('what an images call says', () => {
  it('is one square image of a megapixel unless told otherwise', async () => {
    expect(await parse({})).toMatchObject({
      operation: 'images',
      choices: 1,
      image: { width: 1024, height: 1024, steps: 4 },
      isStreaming: false,
    })
    expect(await parse({ size: 'auto', n: null, steps: null, response_format: null })).toMatchObject({
      choices: 1,
      image: { width: 1024, height: 1024, steps: 4 },
    })
  })

  it('has the width and height of whoever says them instead of a size', async () => {
    expect((await parse({ width: 2048, height: 512 })).image).toMatchObject({ width: 2048, height: 512 })
    expect((await parse({ size: 'auto', height: 512 })).image).toMatchObject({ width: 1024, height: 512 })
  })

  it('is read from n, size and steps, and members nobody knows are the provider’s to judge', async () => {
    const call = await parse({ n: 10, size: '512x1792', steps: 28, guidance_scale: 3.5, seed: 7 })
    expect(call).toMatchObject({ choices: 10, image: { width: 512, height: 1792, steps: 28 } })
  })
})

describe('an images call is refused', () => {
  it.each<[string, object, string]>([
    ['without a prompt', { prompt: undefined }, 'prompt'],
    ['with an empty prompt', { prompt: '' }, 'prompt'],
    ['with a prompt that is no text', { prompt: ['a cat'] }, 'prompt'],
    ['without a model', { model: undefined }, 'model'],
    ['with n 0', { n: 0 }, 'n'],
    ['with n 11', { n: 11 }, 'n'],
    ['with n 1.5', { n: 1.5 }, 'n'],
    ['with a size that is no size', { size: 'large' }, 'size'],
    ['with a negative size', { size: '-512x512' }, 'size'],
    ['with a size of five digits', { size: '10000x512' }, 'size'],
    ['with an image of no width, which would be free', { size: '00x512' }, 'size'],
    ['with an image of no height, which would be free', { size: '512x0000' }, 'size'],
    ['with 0 steps', { steps: 0 }, 'steps'],
    ['with 101 steps', { steps: 101 }, 'steps'],
    ['with a response format nobody knows', { response_format: 'base64' }, 'response_format'],
    ['as a stream', { stream: true }, 'stream'],
    ['as a stream by a word that some providers take for true', { stream: 'true' }, 'stream'],
    ['with two sizes, of which a provider may make the larger', { size: '64x64', width: 2048 }, 'width'],
    ['with two heights', { size: '64x64', height: 2048 }, 'height'],
    ['with a width of five digits', { width: 10_000 }, 'width'],
    ['with a height that is no number', { height: '512' }, 'height'],
    ['with a size in capitals, which some providers read', { Size: '2048x2048' }, 'Size'],
    ['with more images in capitals', { n: 1, N: 10 }, 'N'],
  ])('%s', async (_case, members, param) => {
    expect(await refusal(parse(members))).toEqual(['invalid_request', 400, param])
  })
})
