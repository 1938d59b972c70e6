import {
  createGateway,
  fakeClock,
  type Gateway,
  memoryStorage,
  type Storage,
  systemClock,
  usd,
} from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { chatBody, chatModel } from '@farebox/testkit/adapter'
import { type Simulator, startSimulator } from '@farebox/testkit/simulator'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { describeStores } from './stores/store-kinds.ts'

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})
afterAll(() => simulator.close())

type Options = Partial<Parameters<typeof createGateway>[0]>

function open(storage: Storage, options: Options = {}): Gateway {
  const gateway = createGateway({
    providers: [cerebras({ apiKey: 'provider-key', baseUrl: simulator.baseUrl('cerebras') })],
    storage,
    ...options,
  })
  onTestFinished(() => gateway.close())
  return gateway
}

async function ask(
  gateway: Gateway,
  key: string,
  path = '/v1/chat/completions',
  body: object = chatBody(),
): Promise<Response> {
  const isAsked = path.includes('chat') || path.includes('messages')
  const init = isAsked ? { method: 'POST', body: JSON.stringify(body) } : {}
  const request = new Request(`http://host${path}`, { ...init, headers: { authorization: `Bearer ${key}` } })
  const response = await gateway.fetch(request)
  if (response === undefined) throw new Error('That path is not the gateway’s.')
  return response
}

async function codeOf(response: Response): Promise<[number, unknown]> {
  const { error } = (await response.json()) as { error?: { code?: unknown } }
  return [response.status, error?.code]
}

describeStores('API keys', (store) => {
  /** One store as two processes have it. */
  const create = async (): Promise<readonly [Storage, Storage]> => {
    const address = await store().create()
    const opened = [await store().open(address), await store().open(address)] as const
    for (const { close } of opened) onTestFinished(close)
    return [opened[0].storage, opened[1].storage]
  }

  it('are good in every process, and their usage is told apart', async () => {
    const [one, two] = await create()
    const [here, there] = [open(one), open(two)]
    const ci = await here.keys.create({ accountId: 'acme', name: 'ci' })
    const ada = await here.keys.create({ accountId: 'acme', memberId: 'ada' })

    for (const [gateway, { key }] of [
      [here, ci],
      [there, ci],
      [there, ada],
    ] as const) {
      const response = await ask(gateway, key)
      expect(response.status).toBe(200)
      await response.text()
    }
    const usage = (await (await ask(there, ci.key, '/v1/usage?group_by=key')).json()) as {
      data: readonly { key: string; requests: unknown }[]
    }
    expect(usage.data.map(({ key, requests }) => [key, Number(requests)]).toSorted()).toEqual(
      [
        [ci.keyId, 2],
        [ada.keyId, 1],
      ].toSorted(),
    )
    const entries = await here.accounts.journal({ accountId: 'acme' })
    const settled = entries.filter(({ kind }) => kind === 'settled')
    expect(settled.map(({ memberId, terms }) => [terms?.['keyId'], memberId])).toEqual([
      [ci.keyId, undefined],
      [ci.keyId, undefined],
      [ada.keyId, 'ada'],
    ])
  })

  it('that are revoked hold nothing and ask nobody, in every process a second later', async () => {
    const [one, two] = await create()
    const clock = fakeClock(Date.UTC(2026, 10, 26))
    const [here, there] = [open(one, { clock }), open(two, { clock })]
    const { key, keyId } = await here.keys.create({ accountId: 'acme' })
    await there.keys.authenticate(keyRequest(key))
    expect(await here.keys.list('acme')).toMatchObject([{ keyId, accountId: 'acme' }])
    expect(await here.keys.revoke({ accountId: 'acme', keyId })).toBe(true)
    const served = simulator.servedTo('provider-key').length

    expect(await codeOf(await ask(here, key))).toEqual([401, 'invalid_api_key'])
    clock.advance(1_000)
    expect(await codeOf(await ask(there, key))).toEqual([401, 'invalid_api_key'])
    expect(simulator.servedTo('provider-key')).toHaveLength(served)
    expect(await there.keys.list('acme')).toEqual([])
    expect(await here.accounts.journal({ accountId: 'acme' })).toEqual([])
  })

  it('failure 24: share their limits between processes', async () => {
    const [one, two] = await create()
    const clock = { ...systemClock, now: () => Date.UTC(2026, 10, 26, 12, 0, 30) }
    const gateways = [open(one, { clock }), open(two, { clock })] as const
    const { key } = await gateways[0].keys.create({ accountId: 'acme', limits: { requestsPerMinute: 5 } })
    const statuses = await Promise.all(
      Array.from({ length: 16 }, async (_, index) => {
        const response = await ask(gateways[(index % 2) as 0 | 1], key)
        await response.text()
        return response.status
      }),
    )

    expect(statuses.filter((status) => status === 200)).toHaveLength(5)
    expect(statuses.filter((status) => status === 429)).toHaveLength(11)
  })
})

describeStores('API keys with caps', (store) => {
  it.each(['period', 'lifetime'] as const)(
    'failure 1: spend no more than their cap per %s in all processes together, and their account goes on',
    async (per) => {
      const address = await store().create()
      const opened = [await store().open(address), await store().open(address)] as const
      for (const { close } of opened) onTestFinished(close)
      const gateways = opened.map(({ storage }) => open(storage)) as [Gateway, Gateway]
      const cap = { amount: usd('0.0002'), per }
      const { key, keyId } = await gateways[0].keys.create({ accountId: 'acme', cap })
      const free = await gateways[0].keys.create({ accountId: 'acme' })
      const body = chatBody({ max_tokens: 16 })
      const statuses: number[] = []
      let round: readonly number[]
      do {
        round = await Promise.all(
          Array.from({ length: 12 }, async (_, index) => {
            const response = await ask(gateways[(index % 2) as 0 | 1], key, undefined, body)
            await response.text()
            return response.status
          }),
        )
        statuses.push(...round)
      } while (round.includes(200))

      expect([...new Set(statuses)].toSorted()).toEqual([200, 402])
      const { charged } = await gateways[1].accounts.balance('acme')
      expect(charged).toBeGreaterThan(0n)
      expect(charged).toBeLessThanOrEqual(cap.amount)
      const listed = await gateways[1].keys.list('acme')
      expect(listed.find((each) => each.keyId === keyId)).toMatchObject({
        cap,
        spent: { used: charged, held: 0n, left: cap.amount - charged },
      })
      expect(listed.find((each) => each.keyId === free.keyId)).not.toHaveProperty('spent')
      const balance = await gateways[0].accounts.key({ accountId: 'acme', keyId, cap })
      expect(balance).toMatchObject({ keyId, used: charged, spendable: cap.amount - charged })
      expect((await ask(gateways[0], free.key, undefined, body)).status).toBe(200)

      await gateways[0].keys.cap({ accountId: 'acme', keyId, cap: { amount: usd('1.00'), per } })
      expect((await ask(gateways[0], key, undefined, body)).status).toBe(200)
    },
  )
})

it('a key at its cap is told so in each dialect, and sees it among the credits', async () => {
  const gateway = open(memoryStorage())
  const cap = { amount: usd('0.00'), per: 'lifetime' } as const
  const { key, keyId } = await gateway.keys.create({ accountId: 'acme', cap })
  const served = simulator.servedTo('provider-key').length

  const answer = await ask(gateway, key)
  expect(answer.status).toBe(402)
  expect(await answer.json()).toMatchObject({
    error: {
      code: 'insufficient_credits',
      limit: 'key-cap',
      key_cap_usd: '0.00',
      key_cap_per: 'lifetime',
      resets_at: null,
    },
  })
  const message = { model: chatModel, max_tokens: 5, messages: [{ role: 'user', content: 'say 5 tokens' }] }
  const other = await ask(gateway, key, '/v1/messages', message)
  expect(other.status).toBe(402)
  expect(await other.json()).toMatchObject({
    type: 'error',
    error: { type: 'billing_error', message: expect.stringContaining('the cap of $0.00 of this API key') },
  })
  expect(simulator.servedTo('provider-key')).toHaveLength(served)
  const credits = (await (await ask(gateway, key, '/v1/credits')).json()) as Record<string, unknown>
  expect(credits).toMatchObject({
    spendable: '0.00',
    key: {
      id: keyId,
      cap: '0.00',
      per: 'lifetime',
      used: '0.00',
      held: '0.00',
      left: '0.00',
      resets_at: null,
    },
  })
  expect(credits).not.toHaveProperty('member')
  const free = await gateway.keys.create({ accountId: 'acme' })
  expect(await (await ask(gateway, free.key, '/v1/credits')).json()).not.toHaveProperty('key')
})

it('a key has its cap in each account that pays for it, by the host’s word', async () => {
  const gateway = open(memoryStorage(), {
    authenticate: ({ headers }) => ({
      accountId: String(headers['x-account']),
      memberId: 'ada',
      keyId: 'k1',
      keyCap: { amount: usd('0.05'), per: 'period' },
    }),
  })
  const credits = async (account: string, body?: object) => {
    const request = (path: string, init: object) =>
      gateway.fetch(new Request(`http://host${path}`, { ...init, headers: { 'x-account': account } }))
    if (body !== undefined) {
      await (await request('/v1/chat/completions', { method: 'POST', body: JSON.stringify(body) }))?.text()
    }
    return (await (await request('/v1/credits', {}))?.json()) as {
      readonly spendable: string
      readonly member: { readonly used: string }
      readonly key: { readonly used: string; readonly left: string }
    }
  }
  const { spendable, member, key } = await credits('acme', chatBody())

  expect(key.used).not.toBe('0.00')
  expect([member.used, spendable]).toEqual([key.used, key.left])
  expect(await credits('beta')).toMatchObject({ spendable: '0.05', key: { used: '0.00', left: '0.05' } })
})

it('a gateway without authenticate lets nobody in but who has a key', async () => {
  const gateway = open(memoryStorage())
  const response = await ask(gateway, 'anything')

  expect(await codeOf(response)).toEqual([401, 'invalid_api_key'])
})

it('a host that knows callers by something else may let keys in besides', async () => {
  const gateway = open(memoryStorage(), {
    authenticate: (request, byApiKey) =>
      request.headers['authorization'] === 'Bearer session' ? { accountId: 'bob' } : byApiKey(request),
  })
  const { key } = await gateway.keys.create({ accountId: 'acme' })

  const answers = [await ask(gateway, key), await ask(gateway, 'session'), await ask(gateway, 'other')]
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 401])
})

it('a key for some models asks for no others, and nothing is held for them', async () => {
  const gateway = open(memoryStorage())
  const key = async (...models: readonly string[]) =>
    (await gateway.keys.create({ accountId: 'acme', models })).key

  expect((await ask(gateway, await key(chatModel))).status).toBe(200)
  expect((await ask(gateway, await key('meta/*', 'openai/*'))).status).toBe(200)
  const before = await gateway.accounts.journal({ accountId: 'acme' })
  expect(await codeOf(await ask(gateway, await key('meta/*')))).toEqual([403, 'model_not_allowed'])
  expect(await codeOf(await ask(gateway, await key('openai/gpt')))).toEqual([403, 'model_not_allowed'])
  expect(await gateway.accounts.journal({ accountId: 'acme' })).toEqual(before)
})

it('a key for some models is shown no others, however it is sent', async () => {
  const gateway = open(memoryStorage())
  const { key } = await gateway.keys.create({ accountId: 'acme', models: ['openai/*', 'no/such-model'] })
  const look = async (path: string, headers: Record<string, string>) => {
    const response = await gateway.fetch(new Request(`http://host${path}`, { headers }))
    if (response === undefined) throw new Error('That path is not the gateway’s.')
    return response
  }
  const listed = async (headers: Record<string, string>) => {
    const { data } = (await (await look('/v1/models', headers)).json()) as { data: readonly { id: string }[] }
    return data.map(({ id }) => id)
  }
  const everything = await listed({})
  const openai = everything.filter((id) => id.startsWith('openai/'))
  const [other = ''] = everything.filter((id) => !openai.includes(id))

  for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }] as const) {
    expect(openai.length).toBeGreaterThan(0)
    expect(await listed(headers)).toEqual(openai)
    expect((await look(`/v1/models/${chatModel}`, headers)).status).toBe(200)
    for (const path of [`/v1/models/${other}`, `/api/models/${other}?expand[]=inferenceProviderMapping`])
      expect(await codeOf(await look(path, headers))).toEqual([403, 'model_not_allowed'])
    expect(await codeOf(await look('/v1/models/no/such-model', headers))).toEqual([404, 'model_not_found'])
  }
  expect((await look(`/v1/models/${other}`, {})).status).toBe(200)
  for (const headers of [{ authorization: 'Bearer bad' }, { 'x-api-key': 'bad' }] as const) {
    expect(await codeOf(await look('/v1/models', headers))).toEqual([401, 'invalid_api_key'])
  }
})

it('a key whose time is over is told so', async () => {
  const clock = fakeClock(Date.UTC(2026, 10, 26))
  const gateway = open(memoryStorage({ clock }), { clock })
  const { key } = await gateway.keys.create({ accountId: 'acme', expiresAtMs: clock.now() + 5_000 })
  clock.advance(5_000)
  const response = await ask(gateway, key, '/v1/credits')

  expect(await response.json()).toMatchObject({
    error: { code: 'invalid_api_key', message: 'This API key has expired.' },
  })
})

it('a gateway needs one or the other: authenticate, or a place for keys', () => {
  const { ledger } = memoryStorage()
  expect(() => open({ ledger })).toThrow('createGateway needs authenticate(request), which says who asks, or')
  expect(() => open({ ledger }, { authenticate: 'key' as never })).toThrow('authenticate must be a function')
})

function keyRequest(key: string): Parameters<Gateway['keys']['authenticate']>[0] {
  return {
    method: 'GET',
    path: '/v1/credits',
    headers: { authorization: `Bearer ${key}` },
    body: { kind: 'drained' },
    signal: new AbortController().signal,
  }
}
