import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerCosts } from './billing.ts'
import { cerebras } from './cerebras.ts'
import type { Context, ProviderSimulation } from './context.ts'
import { type Exchange, hashKey, keyOf, readBody, type SeenRequest, send, sendJson } from './exchange.ts'
import { createFaultPlan, type Fault } from './faults.ts'
import { sendPng } from './files.ts'
import { startLocalServer } from './local-server.ts'
import { type PriceList, type ProviderName, providerNames, withDefaultPrices } from './price-list.ts'
import { replicate } from './replicate.ts'
import type { Pace } from './stream.ts'
import { together } from './together.ts'
import { openTruth, type Served, type Truth } from './truth.ts'

export interface SimulatorOptions {
  /** @default 0, any free port; the host is always 127.0.0.1 */
  readonly port?: number
  /** @default 0 */
  readonly seed?: number
  /** A JSON Lines file of everything served. What it already holds is counted at the start. */
  readonly truthFile?: string
  /** Prices added to the default list; an entry replaces the default entry of the same model. */
  readonly prices?: PriceList
  /** @default as fast as possible */
  readonly pace?: Pace
  /** The only keys each provider accepts. A provider without any accepts every key, but not a missing one. */
  readonly apiKeys?: { readonly [provider in ProviderName]?: string | readonly string[] }
}

/** Cerebras, Together AI and Replicate on one loopback port, with their own count of what they served. */
export interface Simulator {
  readonly url: string
  /** Where a client of the provider points its base URL, with `/v1` at the end. */
  baseUrl(provider: ProviderName): string
  /** Where `POST {"requestIds":[...]}` gives the cost of requests in nano-USD. */
  costUrl(provider: ProviderName): string
  /** Plays a fault on every inference request of a provider until it is cleared with undefined. */
  fault(provider: ProviderName, fault: Fault | undefined): void
  /**
   * Plays one entry per inference request, in order; undefined is a normal answer. Afterwards the fault set for every
   * request applies again. At Replicate every create, poll, cancel and stream call takes an entry.
   */
  script(provider: ProviderName, faults: readonly (Fault | undefined)[]): void
  /** Everything counted, in order, with what the truth file held at the start. */
  readonly served: readonly Served[]
  /** What was counted for requests with this key: each key is an account of its own at its provider. */
  servedTo(apiKey: string): readonly Served[]
  /** The newest 10,000 requests received, in order of arrival. */
  readonly requests: readonly SeenRequest[]
  openSockets(): number
  /** How many requests are being answered right now. Jobs in the background do not count. */
  activeRequests(): number
  /** Resolves once nothing is being answered. */
  idle(): Promise<void>
  /** Destroys all sockets, counts what was cut by that, and frees the port. */
  close(): Promise<void>
}

const requestsMax = 10_000

/**
 * Starts a server that answers as Cerebras, Together AI and Replicate do, with seeded text instead of a model.
 *
 * Content depends on the seed and the request, ids on the seed and the order of requests.
 *
 * @throws RangeError when a price is not decimal text; the error of `listen` when the port is taken.
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const truth = openTruth(options.truthFile)
  const plan = createFaultPlan()
  const closing = new AbortController()
  // One listener for each job that has not ended, and there may be thousands of them.
  setMaxListeners(0, closing.signal)
  const requests: SeenRequest[] = []
  const idleWaiters = new Set<() => void>()
  let url = ''
  let active = 0

  const context: Context = {
    seed: options.seed ?? 0,
    pace: options.pace ?? {},
    prices: withDefaultPrices(options.prices ?? {}),
    truth,
    plan,
    closing: closing.signal,
    url: () => url,
    nowMs: () => Date.now(),
    nextId: createIds(options.seed ?? 0, truth),
  }
  const providers: Readonly<Record<ProviderName, ProviderSimulation>> = {
    cerebras: cerebras(context),
    together: together(context),
    replicate: replicate(context),
  }

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers, method = 'GET', url: target = '/' } = message
    const provider = providerNames.find((name) => target.startsWith(`/${name}/`))
    const gone = whenGone(response)
    const bytes = await readBody(message)
    if (bytes === undefined) return void response.destroy()
    const request = { provider, method, path: target, headers, body: bytes.toString('utf8') }
    requests.push(request)
    if (requests.length > requestsMax) requests.shift()
    await route({ request, bytes, response, gone })
  }

  async function route(exchange: Exchange): Promise<void> {
    const { provider, method } = exchange.request
    if (provider === undefined) return send(exchange, { status: 404, body: 'Not found' })
    const simulation = providers[provider]
    const path = decodePath(exchange.request.path).slice(provider.length + 1)
    if (path === '/billing/costs' && method === 'POST') return answerCosts(exchange, { provider, truth })
    if (path.startsWith('/files/') && method === 'GET') return sendPng(exchange)
    // Replicate's stream addresses are secrets themselves and need no key.
    if (path.startsWith('/stream/')) return simulation.answer(exchange, path)
    const key = keyOf(exchange.request)
    if (key === undefined || !accepts(options.apiKeys?.[provider], key))
      return sendJson(exchange, simulation.refuse(401))
    await simulation.answer(exchange, path)
  }

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    active += 1
    const closed = new Promise<void>((resolve) => response.once('close', resolve))
    try {
      await answer(message, response)
    } catch (error) {
      // A mistake of the simulator itself; the test that meets it should see it, not a dead process.
      fail(response, error)
    }
    await closed
    active -= 1
    if (active > 0) return
    for (const resolve of idleWaiters) resolve()
    idleWaiters.clear()
  }

  const server = await startLocalServer((message, response) => void serve(message, response), options.port)
  url = server.url

  async function idle(): Promise<void> {
    if (active > 0) await new Promise<void>((resolve) => idleWaiters.add(resolve))
  }

  return {
    url,
    baseUrl: (provider) => `${url}/${provider}/v1`,
    costUrl: (provider) => `${url}/${provider}/billing/costs`,
    fault: plan.always,
    script: plan.script,
    served: truth.served,
    servedTo: (apiKey) => truth.served.filter(({ keyHash }) => keyHash === hashKey(apiKey)),
    requests,
    openSockets: server.openSockets,
    activeRequests: () => active,
    idle,
    async close() {
      closing.abort()
      await server.close()
      await idle()
    },
  }
}

function accepts(wanted: string | readonly string[] | undefined, key: string): boolean {
  if (wanted === undefined) return true
  return typeof wanted === 'string' ? key === wanted : wanted.includes(key)
}

/** Aborts when the response's connection closes before the response is finished. */
function whenGone(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) controller.abort()
  })
  return controller.signal
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy()
  response.writeHead(500, { 'content-type': 'text/plain' })
  response.end(`The simulator failed: ${error instanceof Error ? error.stack : String(error)}`)
}

/** Ids that depend on the seed and on their number, and never on one that the truth file already holds. */
function createIds(seed: number, truth: Truth): () => string {
  const start = truth.served.length
  let count = 0
  return () => {
    count += 1
    return createHash('sha256').update(`${seed}:${start}:${count}`).digest('hex')
  }
}

function decodePath(target: string): string {
  const [path = ''] = target.split('?')
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
