import { createGateway, usd } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { plugin } from '@farebox/fastify'
import { startSimulator } from '@farebox/testkit/simulator'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

describe('closing Fastify', () => {
  let simulator: Awaited<ReturnType<typeof startSimulator>>
  beforeAll(async () => {
    simulator = await startSimulator({ pace: { firstTokenMs: 20, tokenMs: 5 } })
  })
  afterAll(() => simulator.close())

  it('ends with the last stream, although its connection is kept alive', { timeout: 60_000 }, async () => {
    const gateway = createGateway({
      providers: [cerebras({ apiKey: 'k', baseUrl: simulator.baseUrl('cerebras') })],
      authenticate: () => ({ accountId: 'alice' }),
    })
    await gateway.credits.grant({ grantId: 'g', accountId: 'alice', amount: usd('1.00') })
    const app = Fastify()
    await app.register(plugin, { prefix: '/ai', gateway })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const stream = await fetch(`${url}/ai/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({
        model: 'openai/gpt-oss-120b',
        stream: true,
        messages: [{ role: 'user', content: 'say 60 tokens' }],
      }),
    })
    const closing = app.close()
    expect((await stream.text()).trimEnd().endsWith('data: [DONE]')).toBe(true)
    // Far sooner than the 72 seconds for which Fastify keeps a connection; otherwise this times out.
    await closing
    // The gateway has closed with it, after the stream was settled.
    await expect(gateway.accounts.balance('alice')).rejects.toThrow('out of reach')
  })
})
