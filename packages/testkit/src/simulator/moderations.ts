import { beginInference, type Context, openEntry } from './context.ts'
import { type Exchange, sendJson } from './exchange.ts'
import { deliver } from './faults.ts'
import { findPrice, isRequestPrice } from './price-list.ts'
import type { TogetherApi } from './together-media.ts'

const provider = 'together'

interface ModerationsBody {
  readonly model?: unknown
  readonly input?: unknown
}

const categories = ['harassment', 'hate', 'self-harm', 'sexual', 'violence']

/**
 * Flags texts that say "violence". Together AI has no such route; it stands here for providers that have one in OpenAI's shape.
 */
export async function moderate(context: Context, exchange: Exchange, api: TogetherApi): Promise<void> {
  const { refuse } = api
  const inference = await beginInference<ModerationsBody>(context, exchange, {
    provider,
    refuse,
    model: (body) => body.model,
  })
  if (inference === undefined) return
  const { body, fault } = inference
  const { model, input } = body
  if (typeof model !== 'string') return sendJson(exchange, refuse(400, 'model: Field required'))
  if (input === undefined) return sendJson(exchange, refuse(400, 'input: Field required'))
  const price = findPrice(context.prices, { provider, model, operation: 'moderations' })
  if (price === undefined) return sendJson(exchange, api.refuseModel(model))
  if (!isRequestPrice(price)) return sendJson(exchange, refuse(400, `${model} does not moderate.`))

  const id = api.nextId(context)
  const entry = openEntry(context, exchange, {
    provider,
    providerRequestId: id,
    model,
    operation: 'moderations',
    price,
  })
  entry.settle({
    usage: { requests: 1 },
    quantities: [{ unit: 'request', amount: 1n, per: 1n }],
    outcome: 'complete',
  })
  const texts = Array.isArray(input) && input.every((item) => typeof item === 'string') ? input : [input]
  const results = texts.map((text) => {
    const isViolent = JSON.stringify(text).includes('violence')
    return {
      flagged: isViolent,
      categories: Object.fromEntries(categories.map((name) => [name, isViolent && name === 'violence'])),
      category_scores: Object.fromEntries(
        categories.map((name) => [name, isViolent && name === 'violence' ? 0.9 : 0.01]),
      ),
    }
  })
  await deliver(exchange, fault, {
    status: 200,
    headers: api.headers(id),
    body: JSON.stringify({ id: `modr-${id}`, model, results }),
  })
}
