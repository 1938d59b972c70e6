import { describe, expect, it } from 'vitest'
import { noOwnKeys } from '../auth/own-keys.ts'
import type { LimitedBy, Payer } from '../auth/payer.ts'
import { createCatalog } from '../catalog/catalog.ts'
import { bookOf } from '../catalog/price-book.ts'
import type { CatalogRow, Target } from '../catalog/target.ts'
import { fakeClock } from '../clock.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { openaiError } from '../dialects/openai-error.ts'
import { type GatewayError, isGatewayError } from '../errors.ts'
import { createCounting } from '../ledger/counting.ts'
import type { RateLimits } from '../ledger/rate-limits.ts'
import { perMillion } from '../money.ts'
import { createLimiter } from './limiter.ts'

// Ten seconds into a minute, and into an hour.
const startMs = Date.UTC(2026, 10, 26, 12, 0, 10)

const candidates: readonly Target[] = createCatalog({
  books: [
    bookOf([
      {
        providerId: 'p',
        providerModel: 'm',
        model: 'acme/m',
        operation: 'chat',
        price: { input_token: perMillion('1'), output_token: perMillion('1') },
        limits: { contextTokens: 200_000, outputTokens: 100_000 },
        source: 'https://example.com/pricing',
        readOn: '2026-01-31',
      } satisfies CatalogRow,
    ]),
  ],
  providerIds: ['p'],
  now: () => 0,
}).targets

function chat(members: object = {}, content = 'Hi'): InferenceCall {
  const value = { model: 'acme/m', messages: [{ role: 'user', content }], ...members }
  return openaiChat.parse({ value, source: undefined, byteLength: Buffer.byteLength(JSON.stringify(value)) })
}

/** 'Hi' has at most so many tokens: its 62 bytes, and what templates may add. */
const hi = 62 + 256 + 16

interface Limited {
  readonly plan?: RateLimits
  readonly caller?: RateLimits
  readonly key?: RateLimits
}

function start({ plan, caller, key }: Limited) {
  const clock = fakeClock(startMs)
  const limiter = createLimiter({
    planLimits: { of: () => plan, forget: () => {} },
    counting: createCounting({ shared: undefined, clock, onLost: () => {} }),
    clock,
    slotMs: 660_000,
    outputTokensMin: 16,
    outputTokensDefault: 4096,
  })
  const limits: LimitedBy[] = []
  if (caller !== undefined) limits.push({ who: 'caller', name: 'caller:["alice"]', limits: caller })
  if (key !== undefined) limits.push({ who: 'key', name: 'key:k1', limits: key })
  const payer: Payer = {
    accountId: 'alice',
    name: 'alice',
    memberId: undefined,
    preferredProviders: [],
    disabledProviders: [],
    ownKeys: noOwnKeys,
    limits: limits.length === 0 ? undefined : limits,
  }
  let requests = 0
  const take = (call = chat(), changes: Partial<Payer> = {}) => {
    requests += 1
    return limiter.take(
      { requestId: `r${requests}`, payer: { ...payer, ...changes }, call, candidates },
      plan,
    )
  }
  return { clock, limiter, payer, take }
}

async function refusal(taking: Promise<unknown>): Promise<GatewayError> {
  try {
    await taking
  } catch (error) {
    if (isGatewayError(error)) return error
    throw error
  }
  throw new Error('It was admitted.')
}

it('asks for nothing where nothing is limited', () => {
  const { limiter, payer } = start({})

  expect(limiter.planOf(payer)).toBeUndefined()
})

describe('requests', () => {
  it('are refused beyond the limit, with when to come back', async () => {
    const { take } = start({ plan: { requestsPerMinute: 2 } })
    await take()
    await take()
    const error = await refusal(take())

    expect(error).toMatchObject({
      code: 'rate_limit_exceeded',
      status: 429,
      message: "Rate limit reached for 'alice': 2 requests a minute. Try again in 50 seconds.",
      retryAfterSeconds: 50,
      facts: { payer: 'alice', limit: 'requests_per_minute', quota: 2, remaining: 0 },
    })
    const { headers } = openaiError(error, 'r3')
    expect(headers).toMatchObject({
      'retry-after': '50',
      ratelimit: '"requests_per_minute";r=0;t=50',
      'ratelimit-policy': '"fixed window";"requests_per_minute";q=2;w=60',
    })
    expect(headers).not.toHaveProperty('x-should-retry')
  })

  it('are admitted again with the next minute of the clock, not before', async () => {
    const { take, clock } = start({ plan: { requestsPerMinute: 1 } })
    await take()
    clock.advance(49_999)
    expect((await refusal(take())).retryAfterSeconds).toBe(1)
    clock.advance(1)

    expect(await take()).toBeDefined()
    expect((await refusal(take())).retryAfterSeconds).toBe(60)
  })

  it('are counted by the hour besides, and the limit that lasts longest is told', async () => {
    const { take, clock } = start({ plan: { requestsPerMinute: 1, requestsPerHour: 2 } })
    await take()
    clock.advance(60_000)
    await take()
    const error = await refusal(take())

    expect(error.facts).toMatchObject({ limit: 'requests_per_hour' })
    expect(error.retryAfterSeconds).toBe(3600 - 70)
    expect(error.headers?.['ratelimit']).toBe(
      '"requests_per_hour";r=0;t=3530, "requests_per_minute";r=0;t=50',
    )
  })

  it('failure 24: that are refused by one limit count against no other', async () => {
    const { take, clock } = start({ plan: { requestsPerHour: 3, requestsPerMinute: 1 } })
    await take()
    for (let asked = 0; asked < 5; asked += 1) await refusal(take())
    clock.advance(60_000)

    expect((await take())?.headers['ratelimit']).toBe(
      '"requests_per_minute";r=0;t=50, "requests_per_hour";r=1;t=3530',
    )
  })
})

describe('requests under way', () => {
  it('are bounded, and each makes room as it ends', async () => {
    const { take, limiter } = start({ plan: { concurrentRequests: 2 } })
    const [first] = [await take(), await take()]
    const error = await refusal(take())
    expect(error.message).toBe(
      "Rate limit reached for 'alice': 2 requests at once. Wait until one of them is done.",
    )
    expect(error.retryAfterSeconds).toBe(1)
    expect(error.headers?.['ratelimit-policy']).toBe('"concurrency";"concurrent_requests";q=2')
    await limiter.end(first as never, undefined)

    expect(await take()).toBeDefined()
    await refusal(take())
  })

  it('are forgotten when nobody ends them for as long as a request can take', async () => {
    const { take, clock } = start({ plan: { concurrentRequests: 1 } })
    await take()
    clock.advance(659_999)
    await refusal(take())
    clock.advance(1)

    expect(await take()).toBeDefined()
  })
})

describe('tokens', () => {
  it('failure 24: let a first small request through a small limit, with the answer that there is room for', async () => {
    const { take } = start({ plan: { tokensPerMinute: 1000 } })

    expect((await take())?.outputTokens).toBe(1000 - hi)
  })

  it('failure 24: let a first request through a limit below what its bytes could mean', async () => {
    const { take } = start({ plan: { tokensPerMinute: 100 } })

    expect((await take())?.outputTokens).toBe(16)
    expect((await refusal(take())).code).toBe('rate_limit_exceeded')
  })

  it('refuse at once what no window has room for', async () => {
    const { take } = start({ plan: { tokensPerMinute: 100 } })
    const error = await refusal(take(chat({}, 'word '.repeat(200))))

    expect(error).toMatchObject({ code: 'request_over_token_limit', status: 429 })
    expect(openaiError(error, 'r1').headers['x-should-retry']).toBe('false')
  })

  it('are taken for the answer that the caller asks for, or else for one of the usual length', async () => {
    const { take } = start({ plan: { tokensPerMinute: 100_000 } })
    const bounded = await take(chat({ max_tokens: 50 }))
    const open = await take()

    expect([bounded?.outputTokens, bounded?.taken]).toEqual([50, [hi + 16 + 50]])
    expect([open?.outputTokens, open?.taken]).toEqual([4096, [hi + 4096]])
  })

  it('are taken for all answers of a request', async () => {
    const { take } = start({ plan: { tokensPerMinute: 1000 } })
    const counted = await take(chat({ n: 3 }))

    expect(counted?.outputTokens).toBe(Math.floor((1000 - (hi + 6)) / 3))
  })

  it('are given back as far as they were not used, so that the next request has them', async () => {
    const { take, limiter } = start({ plan: { tokensPerMinute: 1000 } })
    const first = await take()
    await refusal(take())
    await limiter.end(first as never, 80)

    expect((await take())?.taken).toEqual([920])
  })

  it('stay taken when nobody knows what was used', async () => {
    const { take, limiter } = start({ plan: { tokensPerMinute: 1000 } })
    await limiter.end((await take()) as never, undefined)

    expect((await refusal(take())).facts).toMatchObject({ limit: 'tokens_per_minute', remaining: 0 })
  })

  it('are corrected in the minute they were taken in, also when it is over', async () => {
    const { take, limiter, clock } = start({ plan: { tokensPerMinute: 1000 } })
    const first = await take()
    clock.advance(60_000)
    const second = await take()
    await limiter.end(first as never, 0)

    expect(second?.taken).toEqual([1000])
    await refusal(take())
  })

  it('are not left to an answer of less than an eighth of the limit: it waits', async () => {
    const { take, limiter } = start({ plan: { tokensPerMinute: 1000 } })
    await limiter.end((await take()) as never, 1000 - hi - 124)
    expect((await refusal(take())).message).toBe(
      "Rate limit reached for 'alice': 1000 tokens a minute. This request may need 459, and 458 are left. " +
        'Try again in 50 seconds, or ask for fewer output tokens.',
    )
    expect((await take(chat({ max_tokens: 20 })))?.outputTokens).toBe(20)
  })

  it('failure 24: never exceed the limit in a burst', async () => {
    const { take } = start({ plan: { tokensPerMinute: 5000 } })
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => take(chat({ max_tokens: 1 + index * 13 }))),
    )
    const taken = results.flatMap((result) =>
      result.status === 'fulfilled' ? (result.value?.taken ?? []) : [],
    )

    expect(taken.length).toBeGreaterThan(5)
    expect(taken.reduce((sum, tokens) => sum + tokens, 0)).toBeLessThanOrEqual(5000)
  })
})

describe('several limits', () => {
  it('hold together: of the account, of the caller, of the key', async () => {
    const { take } = start({
      plan: { requestsPerMinute: 3 },
      caller: { requestsPerMinute: 2 },
      key: { requestsPerMinute: 1 },
    })
    await take()
    const error = await refusal(take())

    expect(error.message).toContain('Rate limit reached for this API key: 1 requests a minute.')
    expect(error.facts).toMatchObject({ limit: 'key_requests_per_minute' })
    expect(error.headers?.['ratelimit']?.split(', ')).toEqual([
      '"key_requests_per_minute";r=0;t=50',
      '"caller_requests_per_minute";r=1;t=50',
      '"requests_per_minute";r=2;t=50',
    ])
  })

  it('of other callers and keys of the same account are apart, and the plan is for all of them', async () => {
    const { take, payer } = start({ plan: { requestsPerMinute: 3 }, key: { requestsPerMinute: 1 } })
    const other: LimitedBy = { who: 'key', name: 'key:k2', limits: { requestsPerMinute: 5 } }
    await take()
    await take(chat(), { limits: [other] })
    await take(chat(), { limits: [other] })
    const error = await refusal(take(chat(), { limits: [other] }))

    expect(error.facts).toMatchObject({ limit: 'requests_per_minute' })
    expect(await take(chat(), { ...payer, accountId: 'bob' })).toBeDefined()
  })

  it('bound an answer by the one that leaves least', async () => {
    const { take } = start({ plan: { tokensPerMinute: 5000 }, key: { tokensPerMinute: 1000 } })

    expect((await take())?.outputTokens).toBe(1000 - hi)
  })
})
