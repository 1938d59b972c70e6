import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServerProcess, startServer } from './servers/child.ts'
import { scriptOf } from './servers/example-servers.ts'

const examples = ['quickstart']

describe.each(examples)('examples/%s', (example) => {
  let server: ServerProcess

  beforeAll(async () => {
    server = await startServer(scriptOf(example), {})
  })
  afterAll(() => server?.stop('SIGKILL'))

  it('says plainly that its answers are simulated, and prints keys and commands to paste', async () => {
    await expect.poll(() => server.output()).toMatch(/Ctrl-C/)
    expect(server.output()).toMatch(/SIMULATED/)
    expect(server.output()).toMatch(/hf_demo_free/)
    expect(server.output().match(/ {2}curl /g)).toHaveLength(3)
  })

  it.each(['hf_demo_free', 'hf_demo_pro', 'hf_demo_team_ada', 'hf_demo_team_bob', 'hf_demo_byok'])(
    'the demo key %s works',
    async (apiKey) => {
      const response = await fetch(`${server.baseUrl}/credits`, {
        headers: { authorization: `Bearer ${apiKey}` },
      })
      expect(response.status).toBe(200)
    },
  )

  it('serves hf_demo_byok from keys of its own, and charges nothing for it', async () => {
    const headers = { authorization: 'Bearer hf_demo_byok' }
    const response = await fetch(`${server.baseUrl}/chat/completions`, {
      method: 'POST',
      headers,
      body: JSON.stringify({
        model: 'openai/gpt-oss-120b',
        messages: [{ role: 'user', content: 'say 20 tokens' }],
      }),
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('x-farebox-cost')).toBe('0.00')
    const receipt = await fetch(`${server.baseUrl}/receipts/${response.headers.get('x-farebox-receipt')}`, {
      headers,
    })
    expect(await receipt.json()).toMatchObject({
      charged: '0.00',
      attempts: [
        { payer: 'own-key', cost: null, memo_cost: expect.stringMatching(/^0\.0+[1-9]/) as unknown },
      ],
    })
    const credits = await fetch(`${server.baseUrl}/credits`, { headers })
    expect(await credits.json()).toMatchObject({ included: '0.10', charged_total: '0.00', held: '0.00' })
  })

  it('refuses a free account beyond its credit with the fixed 402, and holds nothing', async () => {
    const ask = (maxTokens: number) =>
      fetch(`${server.baseUrl}/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer hf_demo_free' },
        body: JSON.stringify({
          model: 'openai/gpt-oss-120b',
          max_tokens: maxTokens,
          messages: [{ role: 'user', content: 'x'.repeat(150_000).concat(' say 20 tokens') }],
        }),
      })
    // Credit for the question and part of the answer: the bound is lowered, and the caller is told.
    const lowered = await ask(130_000)
    expect(lowered.status).toBe(200)
    expect(Number(lowered.headers.get('x-farebox-max-tokens'))).toBeLessThan(130_000)
    for (let count = 0; count < 20; count += 1) {
      const response = await ask(100)
      if (response.status === 200) continue
      expect(response.status).toBe(402)
      const { error } = (await response.json()) as { error: Record<string, unknown> }
      expect(error).toMatchObject({ type: 'insufficient_quota', code: 'insufficient_credits', param: null })
      expect(error['message']).toContain('exceeded your monthly included credits')
      expect(error['missing_usd']).toMatch(/^\d+\.\d+$/)
      expect(error['resets_at']).toMatch(/^\d{4}-\d{2}-01T00:00:00\.000Z$/)
      expect(response.headers.get('x-should-retry')).toBe('false')
      expect(response.headers.get('x-error-message')).toBe(error['message'])
      const credits = await fetch(`${server.baseUrl}/credits`, {
        headers: { authorization: 'Bearer hf_demo_free' },
      })
      expect(await credits.json()).toMatchObject({ held: '0.00' })
      return
    }
    expect.fail('the free account was never refused')
  })

  it('finishes running requests when it is told to stop', async () => {
    const stream = await fetch(`${server.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer hf_demo_pro' },
      body: JSON.stringify({
        model: 'openai/gpt-oss-120b',
        stream: true,
        messages: [{ role: 'user', content: 'say 60 tokens' }],
      }),
    })
    const stopped = server.stop('SIGINT')
    const text = await stream.text()
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true)
    await stopped
    expect(server.output()).toContain('farebox stopped')
  })
})
