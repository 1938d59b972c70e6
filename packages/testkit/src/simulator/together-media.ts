import { countPromptTokens, createDraw } from './answer.ts'
import { beginInference, type Context, openEntry } from './context.ts'
import { type Exchange, type Headers, type Reply, sendJson } from './exchange.ts'
import { deliver, type Refuse, shownUsage } from './faults.ts'
import { tinyPng } from './files.ts'
import { findPrice, isImagePrice, tokenQuantities } from './price-list.ts'
import { generate, paceOf } from './stream.ts'

/** What the embedding and image routes share with the rest of Together. */
export interface TogetherApi {
  readonly refuse: Refuse
  refuseModel(model: string): Reply
  headers(id: string): Headers
  nextId(context: Context): string
  seedKey(context: Context, parts: readonly unknown[]): string
}

const provider = 'together'

interface EmbeddingsBody {
  readonly model?: unknown
  readonly input?: unknown
}

const dimensions = 1024

/** Vectors as floats, whatever encoding is asked for. */
export async function createEmbeddings(
  context: Context,
  exchange: Exchange,
  api: TogetherApi,
): Promise<void> {
  const { refuse } = api
  const inference = await beginInference<EmbeddingsBody>(context, exchange, {
    provider,
    refuse,
    model: (body) => body.model,
  })
  if (inference === undefined) return
  const { body, fault } = inference
  const inputs = typeof body.input === 'string' ? [body.input] : body.input
  if (typeof body.model !== 'string') return sendJson(exchange, refuse(400, 'model: Field required'))
  if (!isTextList(inputs))
    return sendJson(exchange, refuse(400, 'input: Input should be a string or strings'))
  const { model } = body
  const price = findPrice(context.prices, { provider, model, operation: 'embeddings' })
  if (price === undefined) return sendJson(exchange, api.refuseModel(model))
  if (price.input === undefined || (price.output !== undefined && !model.startsWith('sim/'))) {
    return sendJson(exchange, refuse(400, `${model} is not an embedding model.`))
  }

  const id = api.nextId(context)
  const entry = openEntry(context, exchange, {
    provider,
    providerRequestId: id,
    model,
    operation: 'embeddings',
    price,
  })
  const tokens = inputs.reduce((sum, input) => sum + countPromptTokens([input]), 0)
  const usage = { prompt_tokens: tokens, total_tokens: tokens }
  const isDone =
    (await generate(exchange, { tokens: 1, pace: paceOf(fault, context.pace), now: context.nowMs })) === 1
  const quantities = tokenQuantities({ input: tokens, output: 0 })
  entry.settle({ usage, quantities, outcome: isDone ? 'complete' : 'aborted' })
  if (!isDone) return

  const data = inputs.map((input, index) => ({
    object: 'embedding',
    index,
    embedding: vector(api.seedKey(context, [model, input])),
  }))
  const answer = { object: 'list', data, model, usage: shownUsage(usage, fault) }
  await deliver(exchange, fault, { status: 200, headers: api.headers(id), body: JSON.stringify(answer) })
}

interface ImagesBody {
  readonly model?: unknown
  readonly prompt?: unknown
  readonly width?: unknown
  readonly height?: unknown
  readonly steps?: unknown
  readonly n?: unknown
  readonly response_format?: unknown
}

const defaultSteps = 4

/** Tiny images, priced by the pixels and steps that were asked for. */
export async function createImages(context: Context, exchange: Exchange, api: TogetherApi): Promise<void> {
  const { refuse } = api
  const inference = await beginInference<ImagesBody>(context, exchange, {
    provider,
    refuse,
    model: (body) => body.model,
  })
  if (inference === undefined) return
  const { body, fault } = inference
  const problem = imagesProblem(body)
  if (problem !== undefined) return sendJson(exchange, refuse(400, problem))
  const model = String(body.model)
  const price = findPrice(context.prices, { provider, model, operation: 'images' })
  if (price === undefined) return sendJson(exchange, api.refuseModel(model))
  if (!isImagePrice(price)) return sendJson(exchange, refuse(400, `${model} is not an image model.`))

  const size = {
    width: Number(body.width ?? 1024),
    height: Number(body.height ?? 1024),
    steps: Number(body.steps ?? defaultSteps),
  }
  const images = Number(body.n ?? 1)
  const id = api.nextId(context)
  const entry = openEntry(context, exchange, {
    provider,
    providerRequestId: id,
    model,
    operation: 'images',
    price,
  })
  const isDone =
    (await generate(exchange, { tokens: 1, pace: paceOf(fault, context.pace), now: context.nowMs })) === 1
  // Nothing is billable before the images exist.
  if (!isDone) return entry.discard()
  entry.settle({
    usage: { images, ...size },
    quantities: [
      {
        unit: 'megapixel',
        amount: BigInt(size.width) * BigInt(size.height) * BigInt(size.steps) * BigInt(images),
        per: 1_000_000n * BigInt(defaultSteps),
      },
      { unit: 'output_image', amount: BigInt(images), per: 1n },
    ],
    outcome: 'complete',
  })

  const data = Array.from({ length: images }, (_, index) =>
    body.response_format === 'base64'
      ? { index, type: 'b64_json', b64_json: tinyPng.toString('base64') }
      : { index, type: 'url', url: `${context.url()}/together/files/${id}/${index}.png` },
  )
  const answer = { id, model, object: 'list', data }
  await deliver(exchange, fault, { status: 200, headers: api.headers(id), body: JSON.stringify(answer) })
}

function imagesProblem(body: ImagesBody): string | undefined {
  if (typeof body.model !== 'string') return 'model: Field required'
  if (typeof body.prompt !== 'string') return 'prompt: Field required'
  for (const [name, most] of [
    ['width', 4096],
    ['height', 4096],
    ['steps', 50],
    ['n', 8],
  ] as const) {
    const value = body[name]
    if (value === undefined || value === null) continue
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most) {
      return `${name}: Input should be a whole number from 1 to ${most}`
    }
  }
  const format = body.response_format ?? 'url'
  if (format !== 'base64' && format !== 'url') return "response_format: Input should be 'base64' or 'url'"
  return undefined
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
}

function vector(key: string): readonly number[] {
  const draw = createDraw(key)
  return Array.from({ length: dimensions }, () => (draw(200_001) - 100_000) / 1_000_000)
}
