import { z } from 'zod'
import type { JsonBody } from '../http/request-body.ts'
import type { BodyDialect } from './dialect.ts'
import { type InferenceCall, parseModel, wholeCall } from './inference-call.ts'
import { flag, memberReader, wrongMember } from './members.ts'

const pixels = z.int().min(10).max(9999).nullish()

const readMembers = memberReader({
  prompt: z.string().min(1),
  n: z.int().min(1).max(10).nullish(),
  size: z
    .string()
    .regex(/^(auto|[1-9]\d{1,3}x[1-9]\d{1,3})$/, 'must be "auto" or "WIDTHxHEIGHT"')
    .nullish(),
  response_format: z.enum(['url', 'b64_json']).nullish(),
  steps: z.int().min(1).max(100).nullish(),
  // Providers of open models have these in place of a size.
  width: pixels,
  height: pixels,
  stream: flag,
})

const defaultSize = '1024x1024'
const defaultSteps = 4

/** `POST /v1/images/generations`. `steps`, `width` and `height` are extensions that providers of open models understand. */
export const openaiImages: BodyDialect = { parse }

function parse(body: JsonBody): InferenceCall {
  const named = parseModel(body.value['model'])
  const options = readMembers(body)
  const { size, width, height } = options
  if (options.stream === true) throw wrongMember('stream', 'Images cannot be streamed.')
  const isSized = size != null && size !== 'auto'
  if (isSized && (width ?? height) != null) {
    throw wrongMember(
      width == null ? 'height' : 'width',
      'Send "size", or "width" and "height", and not both.',
    )
  }
  const [across = 1024, down = 1024] = (isSized ? size : defaultSize).split('x').map(Number)
  return wholeCall('images', body, named, {
    choices: options.n ?? 1,
    image: { width: width ?? across, height: height ?? down, steps: options.steps ?? defaultSteps },
  })
}
