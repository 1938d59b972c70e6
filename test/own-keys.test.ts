import {
  bearerKey,
  formatUsd,
  type PlanTable,
  type Principal,
  planPreset,
  type Receipt,
  usd,
} from '@farebox/core'
import { type Answer, chatBody, type Rig, type RigOptions } from '@farebox/testkit/adapter'
import type { ProviderName } from '@farebox/testkit/simulator'
import { describe, expect, it } from 'vitest'
import { onExpress } from './on-express.ts'

const gatewayKey = 'provider-key'
const own = {
  cerebras: 'csk-own-0123456789abcdef01234567',
  together: 'tgp-own-0123456789abcdef01234567',
  replicate: 'r8_own-0123456789abcdef01234567',
} as const

const people: Readonly<Record<string, Principal>> = {
  ada: { accountId: 'ada', payers: ['acme'] },
  poor: { accountId: 'poor' },
}

const keyRing = [{ id: '2026', key: Buffer.alloc(32, 7) }]

async function withRig(options: RigOptions, run: (rig: Rig) => Promise<void>): Promise<void> {
  const authenticate: NonNullable<RigOptions['gateway']>['authenticate'] = (request) =>
    people[bearerKey(request) ?? '']
  await onExpress({ ...options, gateway: { authenticate, keyRing, ...options.gateway } }, run)
}

async function bring(rig: Rig, accountId: string, ...providers: readonly ProviderName[]): Promise<void> {
  for (const providerId of providers) {
    await rig.gateway.providerKeys.set({ accountId, providerId, apiKey: own[providerId] })
  }
}

/** A plan that includes nothing and stops there. */
const broke: PlanTable = {
  ...planPreset('hf-2026-02-04'),
  defaultPlanId: 'none',
  plans: [
    {
      planId: 'none',
      subscriptionPrice: { amount: usd('0'), per: 'account' },
      includedCredit: { amount: usd('0'), per: 'account' },
      overage: 'hard-stop',
    },
  ],
}

const model = 'openai/gpt-oss-120b'

function ask(rig: Rig, person: string, body: object = chatBody(), billTo?: string): Promise<Answer> {
  const payer = billTo === undefined ? {} : { 'x-hf-bill-to': billTo }
  return rig.client.ask({
    path: '/v1/chat/completions',
    headers: { authorization: `Bearer ${person}`, ...payer },
    body,
  })
}

const pinned = (provider: string, members: object = {}) =>
  chatBody({ model: `${model}:${provider}`, ...members })

/** What the simulator counted for a key, in nano-USD. */
function counted(rig: Rig, apiKey: string): bigint {
  return rig.simulator.servedTo(apiKey).reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n)
}

function last(rig: Rig): Receipt {
  const receipt = rig.receipts.at(-1)
  if (receipt === undefined) throw new Error('Nothing was settled.')
  return receipt
}

describe('a request paid with the account’s own key', () => {
  it.each([
    { what: 'a whole answer', body: pinned('cerebras') },
    { what: 'a stream', body: pinned('cerebras', { stream: true }) },
  ])(
    'failure 30: $what has what the provider bills apart from cost, charge and absorbed',
    async ({ body }) => {
      await withRig({}, async (rig) => {
        await bring(rig, 'ada', 'cerebras')
        const before = await rig.gateway.accounts.balance('ada')
        const answer = await ask(rig, 'ada', body)
        expect(answer.status).toBe(200)
        await rig.quiet()

        const memo = counted(rig, own.cerebras)
        expect(memo).toBeGreaterThan(0n)
        expect(counted(rig, gatewayKey)).toBe(0n)
        const { cost, charged, absorbed, paidFrom, attempts } = last(rig)
        expect({ cost, charged, absorbed, paidFrom }).toEqual({
          cost: 0n,
          charged: 0n,
          absorbed: 0n,
          paidFrom: [],
        })
        expect(attempts).toMatchObject([
          {
            outcome: 'served',
            payer: 'own-key',
            costSource: 'own-key',
            cost: null,
            charged: 0n,
            absorbed: 0n,
            memoCost: memo,
          },
        ])
        const after = await rig.gateway.accounts.balance('ada')
        expect(after).toEqual(before)
      })
    },
  )

  it('is told as such by its receipt, and leaves the credits as they were', async () => {
    await withRig({}, async (rig) => {
      await bring(rig, 'ada', 'cerebras')
      const headers = { authorization: 'Bearer ada' }
      const credits = async () => (await rig.client.ask({ path: '/v1/credits', headers })).json()
      const before = await credits()
      const answer = await ask(rig, 'ada', pinned('cerebras'))
      expect(answer.headers['x-farebox-cost']).toBe('0.00')
      const path = `/v1/receipts/${answer.headers['x-farebox-receipt']}`

      const memo = formatUsd(last(rig).attempts[0]?.memoCost ?? usd('0'))
      expect((await rig.client.ask({ path, headers })).json()).toMatchObject({
        cost: '0.00',
        charged: '0.00',
        absorbed: '0.00',
        paid_from: [],
        attempts: [
          {
            provider: 'cerebras',
            cost_source: 'own-key',
            payer: 'own-key',
            cost: null,
            charged: '0.00',
            memo_cost: memo,
          },
        ],
      })
      expect(await credits()).toEqual(before)
    })
  })

  it('tells a caller who asks for usage in a stream both numbers, each under its name', async () => {
    await withRig({}, async (rig) => {
      await bring(rig, 'ada', 'together')
      const asking = { stream: true, stream_options: { include_usage: true } }
      const answer = await ask(rig, 'ada', pinned('together', asking))
      const memo = formatUsd(last(rig).attempts[0]?.memoCost ?? usd('0'))
      expect(answer.text).toContain(`"cost":"0.00","memo_cost":"${memo}"`)
      const paid = await ask(rig, 'poor', pinned('together', asking))
      expect(paid.text).toMatch(/"cost":"0\.0+[1-9]\d*"/)
      expect(paid.text).not.toContain('memo_cost')
    })
  })

  it('is in the journal, so that usage can be asked of it, and moves no money there', async () => {
    await withRig({}, async (rig) => {
      await bring(rig, 'ada', 'cerebras')
      await ask(rig, 'ada', pinned('cerebras'))
      const entries = await rig.gateway.accounts.journal({ accountId: 'ada' })
      const settled = entries.filter(({ kind }) => kind === 'settled')
      expect(settled).toMatchObject([{ postings: [], attempts: [{ costSource: 'own-key' }] }])
    })
  })

  it('is served to an account without any credit; without the key it is not', async () => {
    await withRig({ gateway: { plans: broke } }, async (rig) => {
      expect((await rig.gateway.accounts.balance('poor')).spendable).toBe(0n)
      const question = pinned('cerebras', { max_tokens: 5000 })
      expect((await ask(rig, 'poor', question)).status).toBe(402)
      await bring(rig, 'poor', 'cerebras')

      for (const body of [question, { ...question, stream: true }]) {
        const answer = await ask(rig, 'poor', body)
        expect(answer.status, answer.text).toBe(200)
        // Nothing was lowered to what credit pays.
        expect(answer.headers['x-farebox-max-tokens']).toBeUndefined()
      }
      expect(rig.simulator.servedTo(own.cerebras)).toHaveLength(2)
      // What it does not pay itself is still refused.
      expect((await ask(rig, 'poor', pinned('together'))).status).toBe(402)
      expect((await rig.gateway.accounts.balance('poor')).charged).toBe(0n)

      await rig.gateway.providerKeys.remove({ accountId: 'poor', providerId: 'cerebras' })
      expect((await ask(rig, 'poor', question)).status).toBe(402)
    })
  })

  it('goes through every operation', async () => {
    await withRig({}, async (rig) => {
      await bring(rig, 'ada', 'together', 'replicate')
      const headers = { authorization: 'Bearer ada' }
      const embedding = { model: 'intfloat/multilingual-e5-large-instruct', input: 'Hello' }
      const image = { model: 'black-forest-labs/FLUX.1-schnell:replicate', prompt: 'a lighthouse' }
      expect((await rig.client.ask({ path: '/v1/embeddings', headers, body: embedding })).status).toBe(200)
      expect((await rig.client.ask({ path: '/v1/images/generations', headers, body: image })).status).toBe(
        200,
      )

      expect(rig.receipts.map(({ charged, attempts }) => [charged, attempts[0]?.memoCost])).toEqual([
        [0n, counted(rig, own.together)],
        [0n, counted(rig, own.replicate)],
      ])
    })
  })

  it('has its job polled and cancelled with the same key', async () => {
    await withRig({}, async (rig) => {
      await bring(rig, 'ada', 'replicate')
      rig.simulator.fault('replicate', { kind: 'slow-job', polls: 100 })
      const exchange = rig.client.open({
        path: '/v1/images/generations',
        headers: { authorization: 'Bearer ada' },
        body: { model: 'black-forest-labs/FLUX.1-schnell:replicate', prompt: 'a lighthouse' },
      })
      const paths = () =>
        rig.simulator.requests.map(({ method, path }) => `${method} ${path.split('/').at(-1)}`)
      await expect.poll(paths).toContainEqual(expect.stringMatching(/^GET /))
      exchange.leave()
      await expect.poll(paths).toContain('POST cancel')
      await expect.poll(() => rig.receipts.length).toBe(1)

      const keys = rig.simulator.requests.map(({ headers }) => headers.authorization)
      expect(new Set(keys)).toEqual(new Set([`Bearer ${own.replicate}`]))
      expect(last(rig)).toMatchObject({ charged: 0n, absorbed: 0n })
    })
  })

  it('that broke off is asked for with the same key, and the provider’s word is remembered', async () => {
    await withRig({ tellsCosts: true }, async (rig) => {
      await bring(rig, 'ada', 'cerebras')
      rig.simulator.fault('cerebras', { kind: 'truncate', afterChunks: 3 })
      await ask(rig, 'ada', pinned('cerebras', { stream: true }))
      await expect.poll(() => rig.receipts.length).toBe(1)

      const costs = rig.simulator.requests.filter(({ path }) => path.endsWith('/billing/costs'))
      expect(costs.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${own.cerebras}`])
      expect(last(rig)).toMatchObject({
        charged: 0n,
        absorbed: 0n,
        attempts: [{ outcome: 'aborted', cost: null, memoCost: counted(rig, own.cerebras) }],
      })
    })
  })
})

describe('whose key pays', () => {
  it('is the payer’s: the organisation’s for its requests, the member’s for their own', async () => {
    await withRig({}, async (rig) => {
      await bring(rig, 'acme', 'cerebras')
      await ask(rig, 'ada', pinned('cerebras'), 'acme')
      expect(rig.simulator.servedTo(own.cerebras)).toHaveLength(1)
      expect(last(rig)).toMatchObject({ accountId: 'acme', memberId: 'ada', charged: 0n })

      await ask(rig, 'ada', pinned('cerebras'))
      expect(rig.simulator.servedTo(own.cerebras)).toHaveLength(1)
      expect(last(rig).charged).toBe(counted(rig, gatewayKey))
    })
  })

  it('is the account’s at its provider and the gateway’s at all others', async () => {
    await withRig({}, async (rig) => {
      await bring(rig, 'ada', 'cerebras')
      await ask(rig, 'ada', pinned('together'))
      expect(rig.simulator.servedTo(own.cerebras)).toHaveLength(0)
      expect(last(rig).charged).toBe(counted(rig, gatewayKey))
    })
  })

  it('changes from the next request on', async () => {
    await withRig({}, async (rig) => {
      const { providerKeys } = rig.gateway
      await ask(rig, 'ada', pinned('cerebras'))
      await bring(rig, 'ada', 'cerebras')
      await ask(rig, 'ada', pinned('cerebras'))
      await providerKeys.set({ accountId: 'ada', providerId: 'cerebras', apiKey: `${own.cerebras}-2` })
      await ask(rig, 'ada', pinned('cerebras'))
      await providerKeys.remove({ accountId: 'ada', providerId: 'cerebras' })
      await ask(rig, 'ada', pinned('cerebras'))

      const by = (key: string) => rig.simulator.servedTo(key).length
      expect([by(gatewayKey), by(own.cerebras), by(`${own.cerebras}-2`)]).toEqual([2, 1, 1])
    })
  })
})

describe('an own key that fails', () => {
  const preferring = chatBody({ model: `${model}:preferred` })

  it.each([401, 402, 429])(
    'with %i gives way to the next target, whose cost alone is charged',
    async (status) => {
      await withRig({}, async (rig) => {
        await bring(rig, 'ada', 'cerebras')
        rig.simulator.fault('cerebras', { kind: 'status', status })
        const answer = await ask(rig, 'ada', preferring)

        expect(answer.status).toBe(200)
        expect(answer.headers['x-inference-provider']).toBe('together')
        const { charged, cost, attempts } = last(rig)
        expect(charged).toBe(counted(rig, gatewayKey))
        expect(cost).toBe(charged)
        expect(attempts).toMatchObject([
          { providerId: 'cerebras', outcome: 'failed', costSource: 'own-key', cost: null },
          { providerId: 'together', outcome: 'served', costSource: 'price-book', cost: charged },
        ])
        expect(attempts[0]?.memoCost).toBeUndefined()
        expect(rig.events).toContainEqual(
          expect.objectContaining({ kind: 'attempt.failed', providerId: 'cerebras', isOwnKey: true }),
        )
      })
    },
  )

  it('is named when nobody served, and nothing is charged or held', async () => {
    await withRig({ simulator: { apiKeys: { cerebras: gatewayKey } } }, async (rig) => {
      await bring(rig, 'ada', 'cerebras')
      const answer = await ask(rig, 'ada', pinned('cerebras'))

      expect(answer.status).toBe(502)
      expect(answer.json()).toMatchObject({
        error: {
          code: 'provider_failed',
          message:
            'No provider could serve this request: cerebras answered 401 with your own key. Check your own key for cerebras.',
          tried: [{ provider: 'cerebras', reason: 'status', status: 401, own_key: true }],
        },
      })
      expect(await rig.gateway.accounts.balance('ada')).toMatchObject({ charged: 0n, held: 0n })
      // The gateway's own key is never used in its place.
      expect(rig.simulator.served).toHaveLength(0)
    })
  })

  it('closes the provider to nobody else', async () => {
    await withRig({ simulator: { apiKeys: { cerebras: gatewayKey } } }, async (rig) => {
      await bring(rig, 'ada', 'cerebras')
      for (let round = 0; round < 5; round += 1) await ask(rig, 'ada', pinned('cerebras'))

      expect(rig.events.filter(({ kind }) => kind === 'circuit.changed')).toEqual([])
      expect((await ask(rig, 'poor', preferring)).headers['x-inference-provider']).toBe('cerebras')
    })
  })
})

describe('failure 28: every way to an answer is metered', () => {
  const routes = [
    ['/v1/chat/completions', chatBody()],
    ['/v1/chat/completions', chatBody({ stream: true })],
    ['/v1/embeddings', { model: 'intfloat/multilingual-e5-large-instruct', input: 'Hello' }],
    ['/v1/images/generations', { model: 'black-forest-labs/FLUX.1-schnell', prompt: 'a lighthouse' }],
  ] as const
  const identities = [
    ['the caller', 'ada', undefined, 'ada'],
    ['an organisation', 'ada', 'acme', 'acme'],
    ['an account with keys of its own', 'poor', undefined, 'poor'],
  ] as const

  it.each(identities)('whoever pays: %s', async (_who, person, billTo, accountId) => {
    await withRig({}, async (rig) => {
      await bring(rig, 'poor', 'cerebras', 'together', 'replicate')
      for (const [path, body] of routes) {
        const payer = billTo === undefined ? {} : { 'x-hf-bill-to': billTo }
        const headers = { authorization: `Bearer ${person}`, ...payer }
        // A user that the body names, or a header of another gateway, is no way around.
        const question = { ...body, user: 'nobody', metadata: { account: 'nobody' } }
        const answer = await rig.client.ask({
          path,
          headers: { ...headers, 'x-account': 'nobody' },
          body: question,
        })
        expect(answer.status, answer.text).toBe(200)
      }
      await expect.poll(() => rig.receipts.length).toBe(routes.length)

      const entries = await rig.gateway.accounts.journal({ accountId })
      const attempts = entries.flatMap((entry) => entry.attempts ?? [])
      const told = attempts.map(({ cost, memoCost }) => cost ?? memoCost)
      expect(told).toEqual(rig.simulator.served.map(({ costNanoUsd }) => costNanoUsd))
      const { charged } = await rig.gateway.accounts.balance(accountId)
      expect(charged).toBe(counted(rig, gatewayKey))
      expect(await rig.gateway.audit(accountId)).toMatchObject({ isSound: true, attempts: routes.length })
    })
  })

  it.each([
    ['without a key', {}, 401],
    ['with an unknown key', { authorization: 'Bearer stranger' }, 401],
    ['for a payer that is not theirs', { authorization: 'Bearer poor', 'x-hf-bill-to': 'acme' }, 403],
    ['for a payer nobody knows', { authorization: 'Bearer ada', 'x-hf-bill-to': 'nobody' }, 403],
  ])('nobody gets an answer %s', async (_who, headers, status) => {
    await withRig({}, async (rig) => {
      for (const [path, body] of routes)
        expect((await rig.client.ask({ path, headers, body })).status).toBe(status)
      expect(rig.simulator.requests).toEqual([])
    })
  })

  it('no other path reaches a provider', async () => {
    await withRig({}, async (rig) => {
      const headers = { authorization: 'Bearer ada' }
      for (const path of ['/v1/assistants', '/v1/chat', '/v1/files', '/cerebras/v2/chat']) {
        const answer = await rig.client.ask({ path, headers, body: chatBody() })
        expect(answer.headers['x-answered-by']).toBe('host')
      }
      for (const [path] of routes) {
        const answer = await rig.client.ask({ method: 'PUT', path, headers, body: chatBody() })
        expect(answer.status).toBe(405)
      }
      expect(rig.simulator.requests).toEqual([])
    })
  })
})
