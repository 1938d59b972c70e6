import {
  bearerKey,
  type Clock,
  type CounterStore,
  memoryStorage,
  type Plan,
  type PlanTable,
  type Principal,
  planPreset,
  type RateLimits,
  type Storage,
  systemClock,
  Unavailable,
} from '@farebox/core'
import { type Answer, accountId, chatBody, eventually, type Rig, startRig } from '@farebox/testkit/adapter'
import OpenAI from 'openai'
import { expect, it, onTestFinished } from 'vitest'
import { expressHost } from './express-host.ts'
import { onExpress } from './on-express.ts'
import { describeStores } from './stores/store-kinds.ts'

/** No minute ends in the middle of a test. */
const clock: Clock = { ...systemClock, now: () => Date.UTC(2026, 10, 26, 12, 0, 30) }

function limitedPlans(limits: RateLimits): PlanTable {
  const preset = planPreset('hf-latest')
  return { ...preset, plans: preset.plans.map((plan): Plan => ({ ...plan, limits })) }
}

interface Limited {
  readonly plan?: RateLimits
  readonly caller?: Partial<Principal>
}

async function withRig(storage: Storage, limited: Limited, run: (rig: Rig) => Promise<void>): Promise<void> {
  await onExpress(
    {
      providers: ['cerebras'],
      gateway: {
        storage,
        clock,
        ...(limited.plan && { plans: limitedPlans(limited.plan) }),
        authenticate: (request) =>
          bearerKey(request) === undefined ? undefined : { accountId, ...limited.caller },
      },
    },
    run,
  )
}

function ask(rig: Rig, members: Parameters<typeof chatBody>[0] = {}): Promise<Answer> {
  return rig.client.ask({
    path: '/v1/chat/completions',
    headers: { authorization: 'Bearer any' },
    body: chatBody(members),
  })
}

const burst = (rig: Rig, count: number, members: Parameters<typeof chatBody>[0] = {}) =>
  Promise.all(Array.from({ length: count }, (_, index) => ask(rig, { stream: index % 2 === 1, ...members })))

const statusCounts = (answers: readonly Answer[]) => {
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

describeStores('rate limits', (store) => {
  const create = async (): Promise<Storage> => {
    const opened = await store().open(await store().create())
    onTestFinished(opened.close)
    return opened.storage
  }

  it('failure 24: a burst gets exactly as many requests as the limit has, and no other holds', async () => {
    await withRig(await create(), { plan: { requestsPerMinute: 7 } }, async (rig) => {
      const answers = await burst(rig, 40)
      await rig.quiet()

      expect(statusCounts(answers)).toEqual({ 200: 7, 429: 33 })
      for (const { status, headers } of answers) {
        if (status !== 429) continue
        expect(headers).toMatchObject({
          'retry-after': '30',
          ratelimit: '"requests_per_minute";r=0;t=30',
          'ratelimit-policy': '"fixed window";"requests_per_minute";q=7;w=60',
          'x-error-code': 'rate_limit_exceeded',
        })
      }
      // A refusal wrote nothing to the ledger: the grant, and seven settlements.
      const journal = await rig.gateway.accounts.journal({ accountId })
      expect(journal.map(({ kind }) => kind).filter((kind) => kind === 'settled')).toHaveLength(7)
      expect(journal).toHaveLength(8)
      expect(rig.simulator.servedTo('provider-key')).toHaveLength(7)
      expect((await rig.balance()).held).toBe(0n)
    })
  })

  it('failure 24: a burst never uses more tokens than the limit', async () => {
    const tokensPerMinute = 4000
    await withRig(await create(), { plan: { tokensPerMinute } }, async (rig) => {
      const answers = await burst(rig, 30, { max_tokens: 400, say: 400 })
      await rig.quiet()

      let tokens = 0
      for (const { usage } of rig.receipts.flatMap(({ attempts }) => attempts)) {
        for (const [unit, quantity] of Object.entries(usage?.quantities ?? {})) {
          if (unit.endsWith('_token')) tokens += Number(quantity)
        }
      }
      expect(statusCounts(answers)[200]).toBeGreaterThan(3)
      expect(statusCounts(answers)[429]).toBeGreaterThan(10)
      expect(tokens).toBeGreaterThan(1200)
      expect(tokens).toBeLessThanOrEqual(tokensPerMinute)
    })
  })

  it('failure 24: a small limit lets small requests through one after another, as far as they go', async () => {
    await withRig(await create(), { plan: { tokensPerMinute: 1000 } }, async (rig) => {
      const answers: Answer[] = []
      for (let asked = 0; asked < 4; asked += 1) answers.push(await ask(rig, { say: 5 }))

      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      expect(answers[0]?.headers['x-farebox-max-tokens']).toMatch(/^[56]\d\d$/)
      const left = answers.map(({ headers }) => Number(/r=(\d+)/.exec(String(headers['ratelimit']))?.[1]))
      expect(left).toEqual([0, 0, 0, 0])
    })
  })

  it('failure 24: as many requests as may are under way, and each makes room', async () => {
    await withRig(await create(), { caller: { limits: { concurrentRequests: 3 } } }, async (rig) => {
      const answers = await burst(rig, 20, { say: 50 })
      await rig.quiet()
      expect(statusCounts(answers)[200]).toBeGreaterThanOrEqual(3)

      for (let round = 0; round < 3; round += 1) {
        expect(statusCounts(await burst(rig, 3))).toEqual({ 200: 3 })
      }
    })
  })
})

it('failure 24: two gateways on one store share a limit', async () => {
  const storage = memoryStorage()
  await withRig(storage, { plan: { requestsPerMinute: 9 } }, (one) =>
    withRig(storage, { plan: { requestsPerMinute: 9 } }, async (other) => {
      const answers = (await Promise.all([burst(one, 12), burst(other, 12)])).flat()

      expect(statusCounts(answers)).toEqual({ 200: 9, 429: 15 })
    }),
  )
})

it('failure 24: while the counters are out of reach each process keeps the limit by itself, and money holds', async () => {
  const down: CounterStore = {
    take: () => Promise.reject(new Unavailable('down')),
    giveBack: () => Promise.reject(new Unavailable('down')),
  }
  const storage = { ...memoryStorage(), counters: down }
  await withRig(storage, { plan: { requestsPerMinute: 5 } }, async (rig) => {
    const answers = await burst(rig, 20)
    await rig.quiet()

    expect(statusCounts(answers)).toEqual({ 200: 5, 429: 15 })
    expect(rig.events.filter(({ kind }) => kind === 'counters.lost')).toHaveLength(1)
    const { charged, held } = await rig.balance()
    expect(held).toBe(0n)
    expect(charged).toBe(rig.receipts.reduce((sum, receipt) => sum + receipt.charged, 0n))
  })
})

it('failure 24: the limits of a caller and of a key hold besides those of the plan', async () => {
  const caller = { keyId: 'k1', limits: { requestsPerMinute: 6 }, keyLimits: { requestsPerMinute: 4 } }
  await withRig(memoryStorage(), { plan: { requestsPerMinute: 9 }, caller }, async (rig) => {
    const answers = await burst(rig, 20)

    expect(statusCounts(answers)).toEqual({ 200: 4, 429: 16 })
    const refused = answers.find(({ status }) => status === 429)
    expect(refused?.json()).toMatchObject({
      error: {
        type: 'rate_limit_error',
        code: 'rate_limit_exceeded',
        limit: 'key_requests_per_minute',
        quota: 4,
        remaining: 0,
      },
    })
  })
})

it('failure 24: a caller who leaves makes room, and a later one does not wait for the longest request', async () => {
  await withRig(memoryStorage(), { plan: { concurrentRequests: 1 } }, async (rig) => {
    rig.simulator.fault('cerebras', { kind: 'stall', afterChunks: 2 })
    const exchange = rig.client.open({
      path: '/v1/chat/completions',
      headers: { authorization: 'Bearer any' },
      body: chatBody({ stream: true }),
    })
    await exchange.reads('answer:')
    expect((await ask(rig)).status).toBe(429)
    exchange.leave()
    rig.simulator.fault('cerebras', undefined)
    await rig.quiet()

    await eventually('there is room again', async () => (await ask(rig)).status === 200)
  })
})

it('failure 24: an Idempotency-Key whose request was refused is free, and its answer counts once', async () => {
  await withRig(memoryStorage(), { plan: { requestsPerMinute: 2 } }, async (rig) => {
    const askOnce = (key: string) =>
      rig.client.ask({
        path: '/v1/chat/completions',
        headers: { authorization: 'Bearer any', 'idempotency-key': key },
        body: chatBody(),
      })
    const first = await askOnce('a')
    const repeated = await askOnce('a')
    const second = await askOnce('b')
    const refused = await askOnce('c')
    const again = await askOnce('c')

    expect([first, repeated, second].map(({ status }) => status)).toEqual([200, 200, 200])
    expect(repeated.text).toBe(first.text)
    expect([refused, again].map(({ status }) => status)).toEqual([429, 429])
  })
})

it('failure 24: a plan without limits lets everything through at once, in the process that changed it', async () => {
  const preset = planPreset('hf-latest')
  const plans = preset.plans.map(
    (plan): Plan => (plan.planId === 'free' ? { ...plan, limits: { requestsPerMinute: 1 } } : plan),
  )
  const rig = await startRig(expressHost, {
    providers: ['cerebras'],
    gateway: {
      storage: memoryStorage(),
      clock,
      plans: { ...preset, plans },
      authenticate: () => ({ accountId }),
    },
  })
  try {
    expect(statusCounts(await burst(rig, 3))).toEqual({ 200: 1, 429: 2 })
    await rig.gateway.accounts.configure({ accountId, planId: 'pro' })
    expect(statusCounts(await burst(rig, 3))).toEqual({ 200: 3 })
  } finally {
    await rig.close()
  }
})

it('answers without limits tell of none', async () => {
  await withRig(memoryStorage(), {}, async (rig) => {
    const { status, headers } = await ask(rig)

    expect(status).toBe(200)
    expect(headers).not.toHaveProperty('ratelimit')
    expect(headers).not.toHaveProperty('ratelimit-policy')
  })
})

it('a request that is refused for lack of credit gives its tokens and its place back', async () => {
  const caller = { accountId: 'poor', limits: { tokensPerMinute: 2000, concurrentRequests: 1 } }
  await withRig(memoryStorage(), { plan: { requestsPerHour: 100 }, caller }, async (rig) => {
    for (let asked = 0; asked < 4; asked += 1) expect((await ask(rig)).status).toBe(402)
  })
})

it('OpenAI’s client raises its rate limit error, and can read when to come back', async () => {
  await withRig(memoryStorage(), { plan: { requestsPerMinute: 1 } }, async (rig) => {
    const client = new OpenAI({ apiKey: 'any', baseURL: `${rig.url}/v1`, maxRetries: 0 })
    const create = () => client.chat.completions.create(chatBody() as never)
    await create()
    const error = await create().catch((cause: unknown) => cause)

    expect(error).toBeInstanceOf(OpenAI.RateLimitError)
    const { code, headers } = error as InstanceType<typeof OpenAI.RateLimitError>
    expect(code).toBe('rate_limit_exceeded')
    expect(headers?.get('retry-after')).toBe('30')
  })
})
