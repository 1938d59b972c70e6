import {
  type CatalogRow,
  type Clock,
  createGateway,
  type Gateway,
  type GatewayEvent,
  type GatewayOptions,
  nano,
  perMillion,
  type Storage,
} from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import type { Simulator } from '@farebox/testkit/simulator'
import { barePlans } from '../bare-plans.ts'

/** In USD per million tokens. */
export const outputPrice = '199'

/** Ten output tokens, in nano-USD: what a request holds, and what a whole answer costs. */
export const requestCost = 1_990_000n

/** What the simulator has to sell for the gateway to be right about it. */
export const simulatorPrices = { cerebras: { 'sim/ok': { input: '0', output: outputPrice } } } as const

/** A model that costs what it writes, at Cerebras as it is simulated. */
export const outputOnly: CatalogRow = {
  providerId: 'cerebras',
  providerModel: 'sim/ok',
  model: 'test/output-only',
  operation: 'chat',
  price: { input_token: perMillion('0'), output_token: perMillion(outputPrice) },
  limits: { contextTokens: 100_000, outputTokens: 1_000 },
  source: 'https://example.com/test',
  readOn: '2026-11-22',
}

export interface GatewayOn {
  readonly gateway: Gateway
  readonly events: readonly GatewayEvent[]
  /** Asks for an answer of ten tokens and reads it to its end. */
  ask(accountId: string, options?: AskOptions): Promise<Answered>
  grant(accountId: string, requests: number): Promise<void>
}

export interface AskOptions {
  /** @default false */
  readonly stream?: boolean
  /** @default the only one that is sold */
  readonly model?: string
  /** Aborts when the caller leaves. @default never */
  readonly signal?: AbortSignal
}

export interface Answered {
  readonly status: number
  readonly text: string
}

/** A gateway on this storage, over Cerebras as it is simulated, that sells one model. Whoever asks names an account as key. */
export function gatewayOn(
  storage: Storage,
  simulator: Simulator,
  options: Partial<GatewayOptions> & { readonly clock?: Clock } = {},
): GatewayOn {
  const events: GatewayEvent[] = []
  const gateway = createGateway({
    ...options,
    plans: barePlans,
    providers: [cerebras({ apiKey: 'k', baseUrl: simulator.baseUrl('cerebras') })],
    storage,
    authenticate: ({ headers }) => ({ accountId: String(headers['x-account']) }),
    onEvent: (event) => events.push(event),
    catalog: [outputOnly],
  })
  return {
    gateway,
    events,
    async ask(accountId, { stream = false, model = 'test/output-only', signal } = {}) {
      const messages = [{ role: 'user', content: 'say 10 tokens' }]
      const response = await gateway.handle({
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { 'x-account': accountId },
        body: { kind: 'parsed', value: { model, messages, max_tokens: 10, stream } },
        signal: signal ?? new AbortController().signal,
      })
      return { status: response?.status ?? 0, text: await textOf(response?.body) }
    },
    async grant(accountId, requests) {
      const amount = nano(BigInt(requests) * requestCost)
      await gateway.credits.grant({ accountId, grantId: 'g', amount, kind: 'purchased' })
    },
  }
}

/** What could be read of it: streams break off in these tests. */
async function textOf(body: unknown): Promise<string> {
  if (body === undefined) return ''
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body).toString()
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk)
  } catch {
    // What came before counts.
  }
  return Buffer.concat(chunks).toString()
}
