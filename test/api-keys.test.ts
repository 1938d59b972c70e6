import {
  createGateway,
  fakeClock,
  type Gateway,
  memoryStorage,
  type Storage,
  systemClock,
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

async function ask(gateway: Gateway, key: string, path = '/v1/chat/completions'): Promise<Response> {
  const init = path.includes('chat') ? { method: 'POST', body: JSON.stringify(chatBody()) } : {}
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
