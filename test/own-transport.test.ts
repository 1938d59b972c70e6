import {
  ByteStream,
  createGateway,
  type GatewayRequest,
  perMillion,
  type Transport,
  type TransportResponse,
  type UpstreamRequest,
} from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { describe, expect, it } from 'vitest'

const reply = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
})

function start(send: (request: UpstreamRequest) => Promise<TransportResponse>) {
  const calls: string[] = []
  const transport: Transport = {
    send(request) {
      calls.push(request.url.href)
      return send(request)
    },
    async close() {
      calls.push('close')
    },
  }
  const gateway = createGateway({
    // Nothing listens there: only the transport that was given can answer.
    providers: [
      openaiCompatible({ id: 'example', baseUrl: 'http://127.0.0.1:9/v1', operations: ['chat', 'speech'] }),
    ],
    authenticate: () => ({ accountId: 'alice' }),
    transport,
    catalog: [
      {
        providerId: 'example',
        providerModel: 'm',
        model: 'acme/m',
        operation: 'chat',
        price: { input_token: perMillion('1'), output_token: perMillion('2') },
        limits: { contextTokens: 1000 },
        source: 'https://example.com/pricing',
        readOn: '2026-11-22',
      },
      {
        providerId: 'example',
        providerModel: 'v',
        model: 'acme/v',
        operation: 'speech',
        price: { character: perMillion('1') },
        source: 'https://example.com/pricing',
        readOn: '2026-11-22',
      },
    ],
  })
  return { gateway, calls }
}

const ask: GatewayRequest = {
  method: 'POST',
  path: '/v1/chat/completions',
  headers: {},
  body: {
    kind: 'parsed',
    value: { model: 'acme/m', max_tokens: 20, messages: [{ role: 'user', content: 'Hi' }] },
  },
  signal: new AbortController().signal,
}

describe('a transport of the host', () => {
  it('carries every request to a provider, and is closed with the gateway', async () => {
    const { gateway, calls } = start(async () => {
      const body = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
      body.write(Buffer.from(reply))
      body.end()
      return { status: 200, headers: { 'content-type': 'application/json' }, body }
    })
    const response = await gateway.handle(ask)
    await gateway.close()

    expect(response?.status).toBe(200)
    expect(response?.headers['x-farebox-cost']).toBe('0.00002')
    expect(calls).toEqual(['http://127.0.0.1:9/v1/chat/completions', 'close'])
  })

  it('brings a report of more than any model reads, which empties nobody’s account and is estimated', async () => {
    const { gateway } = start(async () => {
      const body = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
      body.write(Buffer.from(reply.replace('"prompt_tokens":10', '"prompt_tokens":9007199254740991')))
      body.end()
      return { status: 200, headers: { 'content-type': 'application/json' }, body }
    })
    const response = await gateway.handle(ask)
    const requestId = response?.headers['x-farebox-receipt'] ?? ''

    expect(await gateway.receipts.get({ accountId: 'alice', requestId })).toMatchObject({
      absorbed: 0n,
      attempts: [{ costSource: 'estimate', usage: { certainty: 'estimate' } }],
    })
    expect((await gateway.accounts.balance('alice')).charged).toBeLessThan(200_000n)
  })

  it('brings a file whose type nobody told, which is not taken for JSON', async () => {
    const { gateway } = start(async () => {
      const body = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
      body.write(Buffer.from('ID3'))
      body.end()
      return { status: 200, headers: {}, body }
    })
    const value = { model: 'acme/v', input: 'Hi', voice: 'v' }
    const response = await gateway.handle({
      ...ask,
      path: '/v1/audio/speech',
      body: { kind: 'parsed', value },
    })

    expect(response?.headers['content-type']).toBe('application/octet-stream')
    expect(Buffer.from(response?.body as Uint8Array).toString()).toBe('ID3')
  })

  it('tells failures by the name of its error, because it may be built on another copy of the package', async () => {
    const { gateway } = start(async () => {
      throw Object.assign(new Error('refused'), {
        name: 'TransportError',
        failure: 'connect',
        wasSent: false,
      })
    })
    const response = await gateway.handle(ask)

    expect(response?.status).toBe(502)
    expect(JSON.parse(String(response?.body))).toMatchObject({
      error: { message: expect.stringContaining('example could not be reached') },
    })
  })
})
