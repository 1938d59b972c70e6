import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServerProcess, startServer } from '../servers/child.ts'

describe('examples/credit-topup', () => {
  let server: ServerProcess
  beforeAll(async () => {
    server = await startServer(
      fileURLToPath(new URL('../../examples/credit-topup/server.js', import.meta.url)),
      {
        STRIPE_SECRET_KEY: '',
      },
    )
  })
  afterAll(() => server?.stop('SIGKILL'))

  async function credits(): Promise<unknown> {
    const response = await fetch(`${server.baseUrl}/ai/v1/credits`, {
      headers: { authorization: 'Bearer hf_demo' },
    })
    return response.json()
  }

  async function order(form: Record<string, string>): Promise<Response> {
    const body = new URLSearchParams(form)
    return fetch(`${server.baseUrl}/credit`, { method: 'POST', body, redirect: 'manual' })
  }

  it('says plainly that no money moves, and prints commands to paste', async () => {
    await expect.poll(() => server.output()).toMatch(/Ctrl-C/)
    expect(server.output()).toMatch(/SIMULATED: Stripe/)
    expect(server.output()).toMatch(/No card is charged and no money moves/)
    expect(server.output().match(/ {2}curl /g)).toHaveLength(2)
  })

  it('sells credit that pays for requests', async () => {
    expect(await credits()).toMatchObject({ purchased: '0.00' })
    const page = (await order({ pack: 'small' })).headers.get('location') ?? ''
    expect(await (await fetch(page)).text()).toContain('SIMULATED payment of 10.00 USD')
    const paid = await fetch(page, { method: 'POST' })
    expect(paid.url).toContain(`${server.baseUrl}/?session=cs_test_`)
    expect(await paid.text()).toContain('Bought: $10.00')
    await expect.poll(() => server.output()).toContain('credit.purchased alice')
    expect(await credits()).toMatchObject({ purchased: '10.00' })

    const answer = await fetch(`${server.baseUrl}/ai/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer hf_demo' },
      body: JSON.stringify({
        model: 'openai/gpt-oss-120b',
        max_tokens: 100,
        messages: [{ role: 'user', content: 'say 20 tokens' }],
      }),
    })
    expect(answer.status).toBe(200)
  })

  it('opens one page for two clicks on one form, and none for an amount it does not sell', async () => {
    const form = { amount: '12.34', form: 'form-1' }
    const pages = await Promise.all([order(form), order(form)])
    expect(new Set(pages.map((page) => page.headers.get('location'))).size).toBe(1)
    for (const amount of ['4.99', '500.01', '1e2', 'all']) expect((await order({ amount })).status).toBe(400)
    expect((await order({ pack: 'huge' })).status).toBe(400)
  })

  it('stops when it is told to', async () => {
    await server.stop('SIGINT')
    expect(server.output()).toContain('farebox stopped')
  })
})
