import { z } from 'zod'
import { jsonBodyOf } from '../../http/request-body.ts'
import { openaiImages } from '../openai-images.ts'
import { readReply } from '../read-reply.ts'
import { parametersOf, renamed, textInput } from './inputs.ts'
import type { Task } from './task.ts'

const names = {
  num_inference_steps: 'steps',
  negative_prompt: 'negative_prompt',
  guidance_scale: 'guidance_scale',
  seed: 'seed',
}

const image = z.looseObject({ data: z.tuple([z.looseObject({ b64_json: z.string() })]).rest(z.unknown()) })

/** A text becomes an image, and the reply is its bytes. */
export const textToImage: Task = {
  name: 'text-to-image',
  dialect: openaiImages,
  translate(body, model) {
    const { width, height, ...parameters } = parametersOf(body)
    const size =
      width === undefined && height === undefined ? {} : { size: `${width ?? 1024}x${height ?? 1024}` }
    const prompt = textInput(body)
    return jsonBodyOf({
      model,
      prompt,
      n: 1,
      response_format: 'b64_json',
      ...size,
      ...renamed(parameters, names),
    })
  },
  reply(_call, reply) {
    const told = readReply(image, reply)
    if (told === undefined) return reply
    const bytes = Buffer.from(told.data[0].b64_json, 'base64')
    return { bytes, contentType: imageType(bytes) }
  },
}

/** What an image is by its first bytes. */
function imageType(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return 'image/jpeg'
  if (bytes.toString('latin1', 8, 12) === 'WEBP') return 'image/webp'
  return 'image/png'
}
