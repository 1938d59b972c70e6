import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { JsonBody } from '../http/request-body.ts'
import type { BodyDialect } from './dialect.ts'
import { type InferenceCall, parseModel, wholeCall } from './inference-call.ts'
import { memberReader } from './members.ts'

const readMembers = memberReader({
  prompt: z.string().min(1),
  n: z.int().min(1).max(10).nullish(),
  size: z
    .string()
    .regex(/^(auto|[1-9]\d{1,3}x[1-9]\d{1,3})$/, 'must be "auto" or "WIDTHxHEIGHT"')
    .nullish(),
  response_format: z.enum(['url', 'b64_json']).nullish(),
  steps: z.int().min(1).max(100).nullish(),
})

const defaultSize = '1024x1024'
const defaultSteps = 4

/** `POST /v1/images/generations`. `steps` is an extension that providers of open models understand. */
export const openaiImages: BodyDialect = { parse }

function parse(body: JsonBody): InferenceCall {
  const named = parseModel(body.value['model'])
  const options = readMembers(body)
  if (body.value['stream'] === true) {
    throw new GatewayError('invalid_request', 'Images cannot be streamed.', { param: 'stream' })
  }
  const [width = 1024, height = 1024] = (
    options.size == null || options.size === 'auto' ? defaultSize : options.size
  )
    .split('x')
    .map(Number)
  return wholeCall('images', body, named, {
    choices: options.n ?? 1,
    image: { width, height, steps: options.steps ?? defaultSteps },
  })
}
