import { GatewayError } from '../errors.ts'
import { type GatewayRequest, header } from '../http/exchange.ts'
import { type JsonBody, readBytes, readJsonBody } from '../http/request-body.ts'
import type { Operation } from '../http/routes.ts'
import type { Dialect, ErrorBody, ParseContext } from './dialect.ts'
import { featureExtraction } from './hugging-face/feature-extraction.ts'
import { sentenceSimilarity } from './hugging-face/sentence-similarity.ts'
import { speechRecognition } from './hugging-face/speech-recognition.ts'
import type { Task } from './hugging-face/task.ts'
import { textGeneration } from './hugging-face/text-generation.ts'
import { textToImage } from './hugging-face/text-to-image.ts'
import { textToSpeech } from './hugging-face/text-to-speech.ts'
import type { InferenceCall } from './inference-call.ts'
import { openaiError } from './openai-error.ts'

/** What a model is for decides what its path does. */
const byOperation: { readonly [operation in Operation]?: Task } = {
  chat: textGeneration,
  completions: textGeneration,
  embeddings: featureExtraction,
  images: textToImage,
  speech: textToSpeech,
  transcriptions: speechRecognition,
}

/** What a path may ask for besides. */
const byName: Readonly<Record<string, Task>> = Object.fromEntries(
  [...Object.values(byOperation), sentenceSimilarity].map((task) => [task.name, task]),
)

/**
 * Hugging Face's API of one path for each model, `POST /models/{org}/{name}` with `{ inputs, parameters }` or with a file as the
 * body (hub-docs and huggingface.js, 2026-08). What there is of it runs on models of the catalog; tasks that no operation
 * serves are refused by name.
 */
export const huggingFaceTask: Dialect = {
  read,
  parse(body, context) {
    const model = context.route.model ?? ''
    const task = taskFor(model, context)
    return { ...task.dialect.parse(task.translate(body, model)), translatedFrom: body, task: task.name }
  },
  reply: (call, reply) => taskOf(call).reply(call, reply),
  stream: (call, stream) => taskOf(call).stream?.(call, stream) ?? stream,
  error,
}

function taskOf({ task = '' }: InferenceCall): Task {
  return byName[task] ?? textGeneration
}

function taskFor(model: string, { route, operationsOf }: ParseContext): Task {
  if (route.task !== undefined) {
    const task = Object.hasOwn(byName, route.task) ? byName[route.task] : undefined
    if (task !== undefined) return task
    throw new GatewayError('model_not_supported', `Models here do not do ${route.task}.`, { param: 'model' })
  }
  const [name = model] = model.split(':')
  const operations = operationsOf(name)
  // What does not exist is for the catalog to say, in the words of any task.
  if (operations.length === 0) return textGeneration
  for (const operation of operations) {
    const task = byOperation[operation]
    if (task !== undefined) return task
  }
  throw new GatewayError(
    'model_not_supported',
    `The model '${name}' does ${operations.join(', ')}, which has no task.`,
    {
      param: 'model',
    },
  )
}

/** JSON, or whatever else as a file: clients that send sound need not say what it is. */
async function read(request: GatewayRequest, bytesMax: number): Promise<JsonBody> {
  const { body } = request
  if (body.kind !== 'unread') return readJsonBody(body, bytesMax)
  const bytes = await readBytes(body, bytesMax)
  const contentType = header(request, 'content-type') ?? ''
  const isJson = /json/i.test(contentType) || (contentType === '' && bytes[0] === 0x7b)
  if (isJson || bytes.length === 0) return readJsonBody({ kind: 'parsed', value: bytes }, bytesMax)
  return { value: {}, source: undefined, byteLength: 2, file: { name: 'file', contentType, bytes } }
}

/** Errors of this API are a text. */
function error(error: GatewayError, requestId: string): ErrorBody {
  return { ...openaiError(error, requestId), body: JSON.stringify({ error: error.message }) }
}
