import { createHash } from 'node:crypto'
import { countPromptTokens, writeChoice } from './answer.ts'
import { beginInference, type Context, openEntry, type ProviderSimulation, seedKey } from './context.ts'
import { asObject, type Exchange, keyOf, pause, type Reply, sendJson } from './exchange.ts'
import { deliver, type Fault, playBeforeAnswer } from './faults.ts'
import { createPrediction, type Prediction, urls } from './prediction.ts'
import { errorEvents, streamPrediction } from './prediction-stream.ts'
import { findPrice, isImagePrice, type ModelPrice } from './price-list.ts'
import { invalid, problem, rateHeaders, refuse } from './replicate-problems.ts'

const provider = 'replicate'
const predictionsMax = 10_000

interface CreateBody {
  readonly input?: unknown
  readonly version?: unknown
  readonly model?: unknown
}

interface Input {
  readonly prompt?: unknown
  readonly system_prompt?: unknown
  readonly max_tokens?: unknown
  readonly num_outputs?: unknown
  readonly seed?: unknown
}

/** Replicate: predictions that are created, waited for or polled, canceled, and streamed. */
export function replicate(context: Context): ProviderSimulation {
  const predictions = new Map<string, Prediction>()

  async function create(exchange: Exchange, path: string): Promise<void> {
    const named = /^\/v1\/models\/([^/]+\/[^/]+)\/predictions$/.exec(path)?.[1]
    const inference = await beginInference<CreateBody>(context, exchange, {
      provider,
      refuse,
      model: (body) => named ?? parseVersion(context, body.version)?.model,
    })
    if (inference === undefined) return
    const { body, fault } = inference
    const order = readOrder(context, body, named)
    if ('status' in order) return sendJson(exchange, order)

    const prediction = createPrediction(context, describe(context, exchange, { ...order, fault }))
    keep(prediction)
    const reply = {
      status: 201,
      headers: { ...rateHeaders, location: urls(context, prediction.request.id).get },
    }
    await deliver(exchange, fault, { ...reply, body: JSON.stringify(await firstView(exchange, prediction)) })
  }

  function keep(prediction: Prediction): void {
    predictions.set(prediction.request.id, prediction)
    const [oldest] = predictions.keys()
    if (predictions.size > predictionsMax && oldest !== undefined) predictions.delete(oldest)
  }

  async function look(exchange: Exchange, id: string, act: (prediction: Prediction) => void): Promise<void> {
    const fault = context.plan.next(provider)
    if (await playBeforeAnswer(exchange, fault, { refuse })) return
    const prediction = predictions.get(id)
    if (prediction === undefined || prediction.request.key !== keyOf(exchange.request))
      return sendJson(exchange, refuse(404))
    act(prediction)
    await deliver(exchange, fault, ok(prediction.view()))
  }

  async function stream(exchange: Exchange, id: string): Promise<void> {
    const prediction = predictions.get(id)
    if (prediction === undefined) return sendJson(exchange, refuse(404))
    const fault = context.plan.next(provider) ?? streamFault(prediction.request.fault)
    const firstEvent = errorEvents.map((event) => `${event}\n\n`).join('')
    if (await playBeforeAnswer(exchange, fault, { refuse, firstEvent })) return
    await streamPrediction(exchange, prediction, { fault, pace: context.pace })
  }

  return {
    refuse,
    async answer(exchange, path) {
      const route = `${exchange.request.method} ${path}`
      const [, id = '', action = ''] =
        /^\/(?:v1\/predictions|stream)\/([^/]+)(?:\/(cancel))?$/.exec(path) ?? []
      if (/^POST \/v1\/(models\/[^/]+\/[^/]+\/)?predictions$/.test(route)) return create(exchange, path)
      if (route === `GET /v1/predictions/${id}`) return look(exchange, id, (prediction) => prediction.poll())
      if (route === `POST /v1/predictions/${id}/cancel` && action !== '') {
        return look(exchange, id, (prediction) => prediction.cancel())
      }
      if (route === `GET /stream/${id}`) return stream(exchange, id)
      if (route === 'GET /v1/predictions') {
        const newest = [...predictions.values()].slice(-100).toReversed()
        return sendJson(
          exchange,
          ok({ next: null, previous: null, results: newest.map((one) => one.view()) }),
        )
      }
      if (route === 'GET /v1/hardware') return sendJson(exchange, ok(hardware))
      const listed = models(context)
      if (route === 'GET /v1/models')
        return sendJson(exchange, ok({ next: null, previous: null, results: listed }))
      const model = listed.find(({ owner, name }) => route === `GET /v1/models/${owner}/${name}`)
      return sendJson(exchange, model === undefined ? refuse(404) : ok(model))
    },
  }
}

interface Order {
  readonly model: string
  readonly version: string
  readonly input: Input
  readonly price: ModelPrice
}

function readOrder(context: Context, body: CreateBody, named: string | undefined): Order | Reply {
  if (named === undefined && body.model !== undefined) {
    return invalid('additional_property_not_allowed', 'model', 'Additional property model is not allowed')
  }
  if (named === undefined && body.version === undefined)
    return invalid('required', 'version', 'version is required')
  const { model, version } =
    named === undefined ? (parseVersion(context, body.version) ?? {}) : { model: named }
  const price = findPrice(context.prices, { provider, model: model ?? '', operation: 'chat' })
  if (model === undefined || price === undefined) {
    if (named !== undefined) return refuse(404)
    return problem(422, 'Invalid version or not permitted', 'The specified version does not exist.')
  }
  const input = asObject(body.input) as Input | undefined
  if (input === undefined) return invalid('required', 'input', 'input is required')
  if (typeof input.prompt !== 'string') return invalid('required', 'input.prompt', 'prompt is required')
  const [count, most] = isImagePrice(price)
    ? (['num_outputs', 4] as const)
    : (['max_tokens', 1_000_000] as const)
  const given = input[count]
  if (
    given !== undefined &&
    !(typeof given === 'number' && Number.isInteger(given) && given >= 1 && given <= most)
  ) {
    return invalid('number_one_of', `input.${count}`, `Must be a whole number from 1 to ${most}`)
  }
  return { model, version: version ?? 'hidden', input, price }
}

function describe(
  context: Context,
  exchange: Exchange,
  { model, version, input, price, fault }: Order & { readonly fault: Fault | undefined },
): Parameters<typeof createPrediction>[1] {
  const id = predictionId(context)
  const kind = isImagePrice(price) ? 'image' : 'language'
  const prompt = String(input.prompt)
  const system = typeof input.system_prompt === 'string' ? input.system_prompt : ''
  const question = {
    key: seedKey(context, [provider, model, prompt, system, input.seed]),
    lastUserText: prompt,
    tokensMax: typeof input.max_tokens === 'number' ? input.max_tokens : undefined,
    isNonAscii: fault?.kind === 'split',
  }
  const images = Array.from(
    { length: Number(input.num_outputs ?? 1) },
    (_, index) => `${context.url()}/replicate/files/${id}/${index}.png`,
  )
  const operation = kind === 'image' ? 'images' : 'chat'
  return {
    id,
    model,
    version,
    input,
    kind,
    question,
    outputs: kind === 'image' ? images : writeChoice(question, 0).pieces,
    promptTokens: countPromptTokens([prompt, system]),
    fault,
    key: keyOf(exchange.request),
    entry: openEntry(context, exchange, { provider, providerRequestId: id, model, operation, price }),
  }
}

/** What the create call shows: at once, or after waiting as long as its `Prefer` header says. */
async function firstView(exchange: Exchange, prediction: Prediction): Promise<object> {
  const { prefer } = exchange.request.headers
  const waitMs = preferredWaitMs(prefer)
  if (waitMs === undefined) {
    const view = prediction.view()
    if (prediction.isInstant) prediction.complete()
    return view
  }
  prediction.begin()
  if (prediction.isInstant) prediction.complete()
  const { fault } = prediction.request
  const isMovedByPolls = fault?.kind === 'slow-job' || fault?.kind === 'never-ending'
  // Nobody polls while the caller waits here, so such a job cannot end within the wait.
  if (!isMovedByPolls) {
    const given = new AbortController()
    await Promise.race([prediction.ended, pause(waitMs, AbortSignal.any([exchange.gone, given.signal]))])
    given.abort()
  }
  return prediction.view()
}

function preferredWaitMs(prefer: string | string[] | undefined): number | undefined {
  const match = /(?:^|[\s,;])wait(?:\s*=\s*(\d+))?/.exec(String(prefer ?? ''))
  if (match === null) return undefined
  return Math.min(60, Math.max(1, Number(match[1] ?? 60))) * 1000
}

/** Accepts `owner/name`, `owner/name:<version>` and the 64 digits of a version alone. */
function parseVersion(context: Context, version: unknown): { model: string; version: string } | undefined {
  if (typeof version !== 'string') return undefined
  const [model = '', digits] = version.split(':')
  if (model.includes('/')) return { model, version: digits ?? 'hidden' }
  const known = Object.keys(context.prices.replicate ?? {}).find((name) => versionOf(name) === model)
  return known === undefined ? undefined : { model: known, version: model }
}

function versionOf(model: string): string {
  return createHash('sha256').update(model).digest('hex')
}

/** What a job ordered as `sim/<kind>` does to its stream: the kinds that left the create call normal. */
function streamFault(fault: Fault | undefined): Fault | undefined {
  const kinds: readonly (string | undefined)[] = ['slow', 'crlf', 'comments', 'split', 'never-ending']
  return kinds.includes(fault?.kind) ? fault : undefined
}

function models(context: Context): readonly { readonly owner: string; readonly name: string }[] {
  return Object.keys(context.prices.replicate ?? {}).map((model) => {
    const [owner = '', name = ''] = model.split('/')
    return {
      url: `https://replicate.com/${model}`,
      owner,
      name,
      description: 'A simulated model',
      visibility: 'public',
      run_count: 1,
      is_official: !model.startsWith('stability-ai/'),
      latest_version: { id: versionOf(model), created_at: '2026-01-01T00:00:00.000Z' },
    }
  })
}

/** What `stability-ai/sdxl` runs on. */
const hardware: readonly object[] = [{ sku: 'gpu-l40s', name: 'Nvidia L40S GPU' }]

function ok(value: unknown): Reply {
  return { status: 200, headers: rateHeaders, body: JSON.stringify(value) }
}

/** 26 lower-case letters and digits. */
function predictionId(context: Context): string {
  const bytes = Buffer.from(context.nextId(), 'hex').subarray(0, 26)
  return Array.from(bytes, (byte) => 'abcdefghjkmnpqrstvwxyz0123456789'.charAt(byte % 32)).join('')
}
