import {
  type CatalogRow,
  createGateway,
  type GatewayRequest,
  memoryStorage,
  perMillion,
  type Storage,
  usd,
} from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { replicate } from '@farebox/core/providers/replicate'
import { together } from '@farebox/core/providers/together'
import { type Simulator, startSimulator } from '@farebox/testkit/simulator'
import { afterEach, beforeEach, expect, it } from 'vitest'

let simulator: Simulator
beforeEach(async () => {
  simulator = await startSimulator()
})
afterEach(() => simulator.close())

function open(storage: Storage, catalog: Parameters<typeof createGateway>[0]['catalog'] = []) {
  return createGateway({
    providers: [
      cerebras({ apiKey: 'k', baseUrl: simulator.baseUrl('cerebras') }),
      together({ apiKey: 'k', baseUrl: simulator.baseUrl('together') }),
      replicate({ apiKey: 'k', baseUrl: simulator.baseUrl('replicate') }),
    ],
    storage,
    catalog,
    authenticate: () => ({ accountId: 'alice' }),
  })
}

async function ask(gateway: ReturnType<typeof open>, path: string, value: object): Promise<void> {
  const request: GatewayRequest = {
    method: 'POST',
    path,
    headers: {},
    body: { kind: 'parsed', value },
    signal: new AbortController().signal,
  }
  const response = await gateway.handle(request)
  expect(response?.status).toBe(200)
  const body = response?.body
  if (typeof body === 'object' && Symbol.asyncIterator in body) for await (const _ of body);
}

/** One request of each kind the simulated providers serve. */
async function useEverything(gateway: ReturnType<typeof open>): Promise<void> {
  await gateway.credits.grant({ accountId: 'alice', grantId: 'g1', amount: usd('5.00') })
  const messages = [{ role: 'user', content: 'say 7 tokens' }]
  for (const suffix of ['cerebras', 'together']) {
    const model = `openai/gpt-oss-120b:${suffix}`
    await ask(gateway, '/v1/chat/completions', { model, messages, max_tokens: 50 })
    await ask(gateway, '/v1/chat/completions', { model, messages, max_tokens: 50, stream: true })
  }
  await ask(gateway, '/v1/embeddings', { model: 'intfloat/multilingual-e5-large-instruct', input: 'hello' })
  await ask(gateway, '/v1/images/generations', {
    model: 'black-forest-labs/FLUX.1-schnell',
    prompt: 'a cat',
  })
}

it('proves zero markup for every request of every kind, at the very cost the providers counted', async () => {
  const gateway = open(memoryStorage())
  await useEverything(gateway)

  const report = await gateway.audit('alice')

  expect(report.findings).toEqual([])
  expect(report.prices).toMatchObject({ verified: 6, unverifiable: 0, mispriced: 0, reported: 0 })
  expect(report.totals.charged).toBe(simulator.served.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n))
  await gateway.close()
})

const dearer: CatalogRow = {
  providerId: 'cerebras',
  providerModel: 'gpt-oss-120b',
  model: 'openai/gpt-oss-120b',
  operation: 'chat',
  price: { input_token: perMillion('9'), output_token: perMillion('9') },
  source: 'https://example.com/pricing',
  readOn: '2026-11-22',
}

it('rates each request at the prices that were in force, also when they have changed since', async () => {
  const storage = memoryStorage()
  await useEverything(open(storage))
  await useEverything(open(storage, [dearer]))

  const { isSound, prices } = await open(storage, [dearer]).audit('alice')

  expect(isSound).toBe(true)
  expect(prices).toMatchObject({ verified: 12, unverifiable: 0, mispriced: 0 })
})

it('says that it cannot verify costs of a price version it does not know, and finds nothing wrong with them', async () => {
  const storage = memoryStorage()
  await useEverything(open(storage, [dearer]))

  const { isSound, prices } = await open(storage).audit('alice')

  expect(isSound).toBe(true)
  expect(prices).toMatchObject({ verified: 4, unverifiable: 2 })
})

it('lists all accounts, page by page', async () => {
  const gateway = open(memoryStorage())
  for (let index = 0; index < 150; index += 1) {
    await gateway.accounts.configure({ accountId: `account-${index}`, planId: 'pro' })
  }
  const first = await gateway.accounts.list()
  const second = await gateway.accounts.list(first.cursor)
  expect(first.accountIds).toHaveLength(100)
  expect(second.accountIds).toHaveLength(50)
  expect(second.cursor).toBeNull()
  await gateway.close()
})
