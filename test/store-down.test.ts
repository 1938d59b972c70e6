import {
  createGateway,
  type GatewayEvent,
  type GatewayRequest,
  memoryStorage,
  type Storage,
  Unavailable,
} from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { type Simulator, startSimulator } from '@farebox/testkit/simulator'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let simulator: Simulator
beforeEach(async () => {
  simulator = await startSimulator({ pace: { firstTokenMs: 50 } })
})
afterEach(() => simulator.close())

/** A store that can be taken down and brought back. */
function unreliable() {
  const { ledger } = memoryStorage()
  const state = { isDown: false }
  const storage: Storage = {
    ledger: {
      ...ledger,
      async transact(...call) {
        if (state.isDown) throw new Unavailable('The store is down.')
        return ledger.transact(...call)
      },
    },
  }
  return { state, storage }
}

function start(storage: Storage) {
  const events: GatewayEvent[] = []
  const gateway = createGateway({
    providers: [cerebras({ apiKey: 'k', baseUrl: simulator.baseUrl('cerebras') })],
    storage,
    authenticate: () => ({ accountId: 'alice' }),
    onEvent: (event) => events.push(event),
  })
  return { gateway, events }
}

function ask(stream: boolean): GatewayRequest {
  const messages = [{ role: 'user', content: 'say 5 tokens' }]
  return {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: {},
    body: { kind: 'parsed', value: { model: 'openai/gpt-oss-120b', messages, stream, max_tokens: 50 } },
    signal: new AbortController().signal,
  }
}

async function bytesOf(body: unknown): Promise<string> {
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body).toString()
  const chunks: Uint8Array[] = []
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('a store that is down', () => {
  it('failure 4: when a request arrives, refuses it with 503 and asks no provider', async () => {
    const { state, storage } = unreliable()
    const { gateway } = start(storage)
    state.isDown = true

    const response = await gateway.handle(ask(false))

    expect(response?.status).toBe(503)
    expect(response?.headers['retry-after']).toBe('1')
    expect(JSON.parse(String(response?.body))).toMatchObject({ error: { code: 'store_unavailable' } })
    expect(simulator.requests).toHaveLength(0)
  })

  it.each([false, true])(
    'failure 5: when an answer is to be settled, lets the answer through and settles once it is back (stream: %s)',
    async (stream) => {
      const { state, storage } = unreliable()
      const { gateway, events } = start(storage)

      const answering = gateway.handle(ask(stream))
      await expect.poll(() => simulator.requests.length).toBe(1)
      state.isDown = true
      const response = await answering
      expect(response?.status).toBe(200)
      expect(await bytesOf(response?.body)).toContain('Simulated')
      expect(response?.headers['x-farebox-cost']).toBeUndefined()
      await expect.poll(() => events.some((event) => event.kind === 'settle.failed')).toBe(true)

      state.isDown = false
      await expect.poll(() => events.some((event) => event.kind === 'request.settled')).toBe(true)
      const { charged, held } = await gateway.accounts.balance('alice')
      expect(charged).toBe(simulator.served[0]?.costNanoUsd)
      expect(held).toBe(0n)
      expect(events.filter((event) => event.kind === 'request.settled')).toHaveLength(1)
    },
  )
})
