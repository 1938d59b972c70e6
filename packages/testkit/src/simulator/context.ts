import { createHash } from 'node:crypto'
import { type Exchange, hashKey, keyOf, parseObject, sendJson } from './exchange.ts'
import { type Fault, type FaultPlan, faultOfModel, playBeforeAnswer, type Refuse } from './faults.ts'
import type { PriceList, ProviderName } from './price-list.ts'
import type { Pace } from './stream.ts'
import type { OpenEntry, ServedRequest, Truth } from './truth.ts'

/** What the providers of one simulator share. */
export interface Context {
  readonly seed: number
  readonly pace: Pace
  readonly prices: PriceList
  readonly truth: Truth
  readonly plan: FaultPlan
  /** Aborts when the simulator closes. */
  readonly closing: AbortSignal
  /** Where the simulator listens, without a slash at the end. */
  url(): string
  nowMs(): number
  /** 64 hexadecimal digits that were never given before. */
  nextId(): string
}

/** A provider: how it refuses, and how it answers a path below its own prefix. */
export interface ProviderSimulation {
  readonly refuse: Refuse
  answer(exchange: Exchange, path: string): Promise<void>
}

export interface Inference<Body> {
  readonly body: Body
  readonly fault: Fault | undefined
}

/**
 * Reads the body of an inference request and plays what goes wrong before anything is generated.
 *
 * Undefined when the request is already answered.
 */
export async function beginInference<Body extends object>(
  context: Context,
  exchange: Exchange,
  {
    provider,
    refuse,
    model,
    firstEvent,
    read = async ({ request }) => parseObject(request.body) as Body | undefined,
  }: {
    provider: ProviderName
    refuse: Refuse
    model?: (body: Body) => unknown
    firstEvent?: (body: Body) => string | undefined
    /** For bodies that are not JSON. */
    read?: (exchange: Exchange) => Promise<Body | undefined>
  },
): Promise<Inference<Body> | undefined> {
  const body = await read(exchange)
  const fault = context.plan.next(provider) ?? (body === undefined ? undefined : faultOfModel(model?.(body)))
  const errorEvent = body === undefined ? undefined : firstEvent?.(body)
  if (await playBeforeAnswer(exchange, fault, { refuse, firstEvent: errorEvent })) return undefined
  if (body === undefined) {
    sendJson(exchange, refuse(400, 'The request body is not a valid JSON object.'))
    return undefined
  }
  return { body, fault }
}

/** Opens the count of a request under the id its caller gave it. */
export function openEntry(
  context: Context,
  exchange: Exchange,
  request: Omit<ServedRequest, 'requestId' | 'keyHash'>,
): OpenEntry {
  const given = exchange.request.headers['x-request-id']
  const requestId = typeof given === 'string' && given !== '' ? given : request.providerRequestId
  const key = keyOf(exchange.request)
  return context.truth.open({ ...request, requestId, keyHash: key === undefined ? '' : hashKey(key) })
}

/** A short key for everything the content of an answer may depend on. */
export function seedKey(context: Context, parts: readonly unknown[]): string {
  return createHash('sha256')
    .update(JSON.stringify([context.seed, ...parts]))
    .digest('hex')
}
