import {
  ByteStream,
  type CatalogRow,
  createGateway,
  createPriceBook,
  fakeClock,
  type GatewayEvent,
  type GatewayOptions,
  type GatewayResponse,
  perMillion,
  perUnit,
  type Receipt,
  type Transport,
  usd,
} from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { describe, expect, it } from 'vitest'

const now = Date.UTC(2026, 7, 31, 23, 59)
const september = Date.UTC(2026, 8, 1)

function row(members: Partial<CatalogRow> = {}): CatalogRow {
  return {
    providerId: 'acme',
    providerModel: 'm-1',
    model: 'acme/m',
    operation: 'chat',
    price: { input_token: perMillion('2'), output_token: perMillion('10') },
    limits: { contextTokens: 400_000, outputTokens: 1_000 },
    source: 'https://example.com/pricing',
    readOn: '2026-01-31',
    ...members,
  }
}

interface Upstream {
  readonly status?: number
  readonly usage?: object
  readonly tier?: string
}

/** A gateway whose providers answer what they are told to, and everything that came of it. */
async function start(catalog: GatewayOptions['catalog'], answers: Readonly<Record<string, Upstream>>) {
  const clock = fakeClock(now)
  const events: GatewayEvent[] = []
  const sent: { readonly host: string; readonly body: Record<string, unknown> }[] = []
  const hooks: { onSend?: () => void } = {}
  const transport: Transport = {
    async send({ url, body: asked }) {
      hooks.onSend?.()
      const request = JSON.parse(Buffer.from(asked ?? '').toString()) as Record<string, unknown>
      sent.push({ host: url.hostname, body: request })
      const answer = answers[url.hostname] ?? {}
      const {
        status = 200,
        tier,
        usage = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 },
      } = answer
      const body = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
      const told = tier === undefined ? {} : { service_tier: tier }
      const choice = { index: 0, finish_reason: 'stop' }
      const isImage = url.pathname.endsWith('/images/generations')
      if (isImage)
        body.write(Buffer.from(JSON.stringify({ created: 1, data: [{ url: 'https://acme.test/a' }] })))
      else if (status !== 200) body.write(Buffer.from('{"error":{"message":"No."}}'))
      else if (request['stream'] === true) {
        const delta = { ...told, choices: [{ ...choice, delta: { role: 'assistant', content: 'Hi' } }] }
        body.write(Buffer.from(`data: ${JSON.stringify(delta)}\n\n`))
        body.write(
          Buffer.from(`data: ${JSON.stringify({ ...told, choices: [], usage })}\n\ndata: [DONE]\n\n`),
        )
      } else {
        const message = { role: 'assistant', content: 'Hi' }
        body.write(Buffer.from(JSON.stringify({ ...told, choices: [{ ...choice, message }], usage })))
      }
      body.end()
      return {
        status,
        headers: { 'content-type': request['stream'] === true ? 'text/event-stream' : 'application/json' },
        body,
      }
    },
    close: () => Promise.resolve(),
  }
  const gateway = createGateway({
    providers: [
      openaiCompatible({ id: 'acme', baseUrl: 'http://acme.test/v1', operations: ['chat', 'images'] }),
      openaiCompatible({ id: 'other', baseUrl: 'http://other.test/v1' }),
    ],
    authenticate: () => ({ accountId: 'alice' }),
    ...(catalog === undefined ? {} : { catalog }),
    policy: (candidates) => candidates,
    transport,
    clock,
    onEvent: (event) => events.push(event),
  })
  await gateway.credits.grant({ accountId: 'alice', grantId: 'g1', amount: usd('100') })

  async function ask(members: object = {}, path = '/v1/chat/completions'): Promise<GatewayResponse> {
    const messages = [{ role: 'user', content: 'Hi' }]
    const response = await gateway.handle({
      method: 'POST',
      path,
      headers: {},
      body: { kind: 'parsed', value: { model: 'acme/m', messages, ...members } },
      signal: new AbortController().signal,
    })
    if (response === undefined) throw new Error('The path is not the gateway’s.')
    const { body } = response
    if (typeof body === 'object' && Symbol.asyncIterator in body) for await (const _ of body);
    return response
  }
  const receipts = () =>
    events.flatMap((event): Receipt[] => (event.kind === 'request.settled' ? [event.receipt] : []))
  const missing = () => events.filter(({ kind }) => kind === 'price.missing')
  return { gateway, clock, ask, receipts, missing, sent, hooks }
}

describe('the price in force', () => {
  const book = createPriceBook([
    { effectiveAtMs: 0, rows: [row()] },
    {
      effectiveAtMs: september,
      rows: [row({ price: { input_token: perMillion('3'), output_token: perMillion('15') } })],
    },
  ])
  const [before, after] = book.versions.map(({ version }) => version)

  it('is that of the moment of the request, and stays known for what was asked before', async () => {
    const { gateway, clock, ask, receipts } = await start(book, {})
    await ask()
    clock.advance(60_000)
    await ask()

    expect(receipts().map(({ cost, attempts }) => [cost, attempts[0]?.priceVersion])).toEqual([
      [usd('0.003'), before],
      [usd('0.0045'), after],
    ])
    const [first] = receipts()
    const request = { accountId: 'alice', requestId: first?.requestId ?? '' }
    expect(await gateway.prices.rerate({ ...request, version: after ?? '' })).toMatchObject({
      was: usd('0.003'),
      cost: usd('0.0045'),
    })
    expect(await gateway.prices.simulate({ accountId: 'alice', atMs: 0 })).toMatchObject({
      requests: 2,
      was: usd('0.0075'),
      cost: usd('0.006'),
      difference: -1_500_000n,
    })
    const report = await gateway.audit('alice')
    expect(report.findings).toEqual([])
    expect(report.prices).toMatchObject({ verified: 2, unverifiable: 0 })
  })

  it('is not that of the end of a request that began before the change', async () => {
    const { ask, clock, receipts, hooks } = await start(book, {})
    hooks.onSend = () => clock.advance(60_000)
    await ask({ stream: true })
    expect(receipts()[0]?.attempts[0]?.priceVersion).toBe(before)
  })
})

describe('failure 4: what has no price', () => {
  it('is not sold: a model without a row is refused before anybody hears of it', async () => {
    const { ask, sent } = await start([row()], {})
    expect((await ask({ model: 'acme/unpriced' })).status).toBe(404)
    expect(sent).toEqual([])
  })

  it('is not built into a gateway', async () => {
    const half = row({ price: { input_token: perMillion('2') } })
    await expect(start([half], {})).rejects.toThrow(/m-1 on acme needs prices for chat/)
  })

  it.each([false, true])(
    'is not free when it was used, and the operator hears of it (streamed: %s)',
    async (stream) => {
      const usage = {
        prompt_tokens: 1000,
        completion_tokens: 100,
        server_tool_use_details: { web_search_requests: 2 },
      }
      const { gateway, ask, receipts, missing } = await start([row()], { 'acme.test': { usage } })
      await ask({ stream })

      expect(receipts()[0]).toMatchObject({
        charged: usd('0.003'),
        attempts: [{ costSource: 'estimate', usage: { quantities: { web_search_request: 2n } } }],
      })
      expect(missing()).toMatchObject([
        { accountId: 'alice', providerId: 'acme', providerModel: 'm-1', what: 'web_search_request' },
      ])
      expect((await gateway.audit('alice')).findings).toEqual([])
    },
  )
})

describe('failure 26: a bad price', () => {
  it.each([
    ['negative', { nano: -1n, per: 1n }],
    ['dearer than anything', { nano: 35n * 10n ** 7n, per: 1n }],
  ])('that is %s ends the start of a gateway, naming the row', async (_case, rate) => {
    await expect(start([row({ price: { ...row().price, output_token: rate } })], {})).rejects.toThrow(
      /m-1 on acme .*"output_token"/,
    )
  })
})

describe('failure 14: tiers', () => {
  const tiered = row({
    tiers: {
      longContext: [
        {
          overInputTokens: 200_000,
          price: { input_token: perMillion('4'), output_token: perMillion('15') },
        },
      ],
      service: {
        flex: { price: { input_token: perMillion('1'), output_token: perMillion('5') } },
        priority: { price: { input_token: perMillion('4'), output_token: perMillion('20') } },
      },
    },
  })

  it.each([
    [undefined, undefined, usd('0.003')],
    ['default', undefined, usd('0.003')],
    ['flex', 'flex', usd('0.0015')],
    ['priority', 'priority', usd('0.006')],
  ])('is priced by the tier that was served, asked for or not: %s', async (tier, told, cost) => {
    for (const stream of [false, true]) {
      const { ask, receipts, sent } = await start([tiered], {
        'acme.test': tier === undefined ? {} : { tier },
      })
      await ask({ stream })
      expect(receipts()[0]).toMatchObject({ cost, charged: cost })
      expect(receipts()[0]?.attempts[0]?.serviceTier).toBe(told)
      expect(sent[0]?.body).not.toHaveProperty('service_tier')
    }
  })

  it('is priced by what was served and not by what was asked for', async () => {
    const { ask, receipts, sent } = await start([tiered], { 'acme.test': { tier: 'default' } })
    await ask({ service_tier: 'priority' })
    expect(sent[0]?.body['service_tier']).toBe('priority')
    expect(receipts()[0]).toMatchObject({ cost: usd('0.003') })
  })

  it('is priced by what was asked for when the provider does not tell', async () => {
    const { ask, receipts } = await start([tiered], {})
    await ask({ service_tier: 'flex' })
    expect(receipts()[0]).toMatchObject({ cost: usd('0.0015'), attempts: [{ serviceTier: 'flex' }] })
  })

  it('goes only where the tier that is asked for has a price', async () => {
    const rows = [row(), { ...tiered, providerId: 'other', providerModel: 'o-1' }]
    const { ask, sent } = await start(rows, { 'other.test': { tier: 'flex' } })
    await ask({ service_tier: 'flex' })
    expect(sent.map(({ host }) => host)).toEqual(['other.test'])
    const refused = await ask({ model: 'acme/m:acme', service_tier: 'flex' })
    expect(refused.status).toBe(400)
    expect(JSON.parse(String(refused.body))).toMatchObject({ error: { param: 'service_tier' } })
  })

  it('is charged at the list price, and told to the operator, when nobody knows what it costs', async () => {
    const { ask, receipts, missing } = await start([tiered], { 'acme.test': { tier: 'ultrafast' } })
    await ask()
    expect(receipts()[0]).toMatchObject({ charged: usd('0.003'), attempts: [{ costSource: 'estimate' }] })
    expect(missing()).toMatchObject([{ what: 'ultrafast' }])
  })

  it.each([
    [199_999, usd('0.400998')],
    [200_000, usd('0.401')],
    [200_001, usd('0.801504')],
  ])('charges %i tokens of input, half of them cached, at one price', async (tokens, cost) => {
    const usage = {
      prompt_tokens: tokens,
      completion_tokens: 100,
      prompt_tokens_details: { cached_tokens: 100_000 },
    }
    const { ask, receipts } = await start([tiered], { 'acme.test': { usage } })
    await ask({ messages: [{ role: 'user', content: 'x'.repeat(250_000) }] })
    expect(receipts()[0]).toMatchObject({ cost, charged: cost, absorbed: 0n })
  })

  it('holds what the dearest tier would cost', async () => {
    const { gateway, ask } = await start([tiered], {})
    const balances: bigint[] = []
    const send = ask({ max_tokens: 1000 })
    for (let turn = 0; turn < 20; turn += 1) {
      balances.push((await gateway.accounts.balance('alice')).held)
    }
    await send
    const held = balances.reduce((most, each) => (each > most ? each : most), 0n)
    expect(held >= usd('0.02')).toBe(true)
  })
})

describe('failure 15: several attempts', () => {
  it('have each its own provider, model and price version, and the total is their sum', async () => {
    const own = row()
    const { ask, receipts, gateway } = await start(
      createPriceBook([
        {
          effectiveAtMs: 0,
          rows: [
            own,
            row({
              providerId: 'other',
              providerModel: 'o-1',
              price: { input_token: perMillion('1'), output_token: perMillion('1') },
            }),
          ],
        },
      ]),
      { 'acme.test': { status: 503 } },
    )
    await ask()

    const [receipt] = receipts()
    expect(receipt?.attempts).toMatchObject([
      { providerId: 'acme', providerModel: 'm-1', outcome: 'failed', cost: null },
      { providerId: 'other', providerModel: 'o-1', outcome: 'served', cost: usd('0.0011') },
    ])
    for (const attempt of receipt?.attempts ?? []) expect(attempt.priceVersion).toMatch(/^[0-9a-f]{16}$/)
    expect(receipt?.cost).toBe(usd('0.0011'))
    expect(receipt?.attempts.reduce((sum, { cost }) => sum + (cost ?? 0n), 0n)).toBe(receipt?.cost)
    expect((await gateway.audit('alice')).findings).toEqual([])
  })
})

describe('failure 13: images by size and quality', () => {
  const image = row({
    model: 'acme/i',
    providerModel: 'i-1',
    operation: 'images',
    price: {
      'output_image:1024x1024:standard': perUnit('0.04'),
      'output_image:1024x1792:hd': perUnit('0.12'),
    },
  })

  it('are charged at the price of what was asked for, and not sold without one', async () => {
    const { ask, receipts, sent } = await start([image], {})
    const path = '/v1/images/generations'
    const refused = await ask({ model: 'acme/i', prompt: 'a cat', size: '512x512' }, path)
    expect(refused.status).toBe(400)
    expect(JSON.parse(String(refused.body))).toMatchObject({
      error: { code: 'model_not_supported', param: 'size' },
    })
    expect(sent).toEqual([])

    await ask({ model: 'acme/i', prompt: 'a cat', size: '1792x1024', quality: 'hd' }, path)
    await ask({ model: 'acme/i', prompt: 'a cat' }, path)
    expect(receipts().map(({ charged }) => charged)).toEqual([usd('0.12'), usd('0.04')])
  })
})
