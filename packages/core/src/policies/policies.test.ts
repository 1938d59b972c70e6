import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exampleTarget } from '../catalog/__fixtures__/example-rows.ts'
import type { Target, TargetStats } from '../catalog/target.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { estimateUsage } from '../metering/estimate.ts'
import { perMillion } from '../money.ts'
import { charge, type Price } from '../price.ts'
import type { RouteContext, RoutePolicy } from '../routing/policy.ts'
import { cheapest } from './cheapest.ts'
import { fastest } from './fastest.ts'
import { preferred } from './preferred.ts'
import { weighted } from './weighted.ts'

const call = openaiChat.parse({
  value: { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }] },
  source: undefined,
  byteLength: 100,
})

function targetOf(
  providerId: string,
  price: Price = { input_token: perMillion('1'), output_token: perMillion('1') },
): Target {
  return exampleTarget({ providerId, price })
}

type Seen = {
  readonly stats?: Readonly<Record<string, Partial<TargetStats>>>
  readonly costs?: Readonly<Record<string, bigint>>
  readonly preferred?: readonly string[]
}

function contextOf({ stats = {}, costs = {}, preferred: preferredProviders = [] }: Seen = {}): RouteContext {
  return {
    call,
    stats: ({ providerId }) => ({
      isHealthy: true,
      firstTokenMs: undefined,
      tokensPerSecond: undefined,
      ...stats[providerId],
    }),
    expectedCost: ({ providerId }) => costs[providerId] ?? 0n,
    preferredProviders,
  }
}

function order(policy: RoutePolicy, ids: string, context: RouteContext): string {
  return policy(
    Array.from(ids, (id) => targetOf(id)),
    context,
  )
    .map(({ providerId }) => providerId)
    .join('')
}

const ids = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 1 })
const speed = fc.record({
  firstTokenMs: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  tokensPerSecond: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
})
const contexts = fc
  .record({
    stats: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), speed, { noNullPrototype: true }),
    costs: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.bigInt(0n, 3n), {
      noNullPrototype: true,
    }),
    preferred: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'x')),
  })
  .map(contextOf)

describe.each<[string, () => RoutePolicy]>([
  ['fastest', fastest],
  ['cheapest', cheapest],
  ['preferred', preferred],
  ['weighted', () => weighted({ a: 3, b: 1, c: 2 })],
])('%s', (_name, create) => {
  it('adds no target, leaves none out, and leaves its input alone', () => {
    fc.assert(
      fc.property(ids, contexts, (given, context) => {
        const candidates = Object.freeze(given.map((id) => targetOf(id)))
        const ordered = create()(candidates, context)
        expect([...ordered].sort((a, b) => (a.providerId < b.providerId ? -1 : 1))).toEqual(
          [...candidates].sort((a, b) => (a.providerId < b.providerId ? -1 : 1)),
        )
      }),
    )
  })

  it('keeps the order of the catalog where nothing tells targets apart', () => {
    expect(order(create(), 'fed', contextOf())).toBe('fed')
  })
})

it.each([
  ['fastest', fastest],
  ['cheapest', cheapest],
  ['preferred', preferred],
])('%s gives the same order for the same facts, however often it is asked', (_name, create) => {
  fc.assert(
    fc.property(ids, contexts, (given, context) => {
      const policy = create()
      const first = order(policy, given.join(''), context)
      expect(order(policy, given.join(''), context)).toBe(first)
      expect(order(create(), given.join(''), context)).toBe(first)
    }),
  )
})

describe('fastest', () => {
  it('tries a target without history before all others, so that there is something to compare', () => {
    const stats = { a: { firstTokenMs: 10, tokensPerSecond: 5000 } }
    expect(order(fastest(), 'abc', contextOf({ stats }))).toBe('bca')
  })

  it('orders by throughput, highest first', () => {
    const stats = {
      a: { firstTokenMs: 10, tokensPerSecond: 50 },
      b: { firstTokenMs: 500, tokensPerSecond: 2000 },
      c: { firstTokenMs: 100, tokensPerSecond: 300 },
    }
    expect(order(fastest(), 'abc', contextOf({ stats }))).toBe('bca')
  })

  it('orders equal throughput by time to the first byte', () => {
    const stats = {
      a: { firstTokenMs: 90, tokensPerSecond: 50 },
      b: { firstTokenMs: 20, tokensPerSecond: 50 },
    }
    expect(order(fastest(), 'ab', contextOf({ stats }))).toBe('ba')
  })

  it('puts a target whose throughput is unknown behind those whose is known', () => {
    const stats = { a: { firstTokenMs: 1 }, b: { firstTokenMs: 900, tokensPerSecond: 1 } }
    expect(order(fastest(), 'ab', contextOf({ stats }))).toBe('ba')
  })
})

describe('cheapest', () => {
  it('goes by the expected cost of this request, not by the price of an output token', () => {
    // A long prompt and a short answer: cheap output does not help where input is dear.
    const long = openaiChat.parse({
      value: { model: 'acme/m', messages: [{ role: 'user', content: 'x' }], max_tokens: 100 },
      source: undefined,
      byteLength: 400_000,
    })
    const cheapOutput = targetOf('a', { input_token: perMillion('2'), output_token: perMillion('0.1') })
    const cheapInput = targetOf('b', { input_token: perMillion('0.2'), output_token: perMillion('3') })
    const context: RouteContext = {
      ...contextOf(),
      call: long,
      expectedCost: (target) => charge(estimateUsage(long, target, { outputTokens: 100 }), target.price),
    }
    expect(cheapest()([cheapOutput, cheapInput], context)).toEqual([cheapInput, cheapOutput])
    const short: RouteContext = {
      ...context,
      expectedCost: (target) => charge(estimateUsage(call, target, { outputTokens: 5000 }), target.price),
    }
    expect(cheapest()([cheapInput, cheapOutput], short)).toEqual([cheapOutput, cheapInput])
  })

  it('tells amounts apart that no float could', () => {
    const costs = { a: 9_007_199_254_740_993n, b: 9_007_199_254_740_992n }
    expect(order(cheapest(), 'ab', contextOf({ costs }))).toBe('ba')
  })
})

describe('preferred', () => {
  it('is the account’s own order, then the catalog’s', () => {
    expect(order(preferred(), 'abcd', contextOf({ preferred: ['d', 'nobody', 'b'] }))).toBe('dbac')
    expect(order(preferred(), 'abcd', contextOf())).toBe('abcd')
  })
})

describe('weighted', () => {
  const firsts = (policy: RoutePolicy, candidates: string, rounds: number) =>
    Array.from({ length: rounds }, () => order(policy, candidates, contextOf())[0]).join('')

  it('gives first attempts in these proportions, in turns', () => {
    expect(firsts(weighted({ a: 3, b: 1 }), 'ab', 8)).toBe('aabaaaba')
    const turns = firsts(weighted({ a: 5, b: 3, c: 2 }), 'abc', 1000)
    expect(turns.split('a')).toHaveLength(501)
    expect(turns.split('b')).toHaveLength(301)
    expect(turns.split('c')).toHaveLength(201)
  })

  it('puts providers without a weight last, in every turn', () => {
    const policy = weighted({ a: 5, b: 1, c: 1 })
    for (let turn = 0; turn < 20; turn += 1) {
      expect(order(policy, 'xaybc', contextOf())).toMatch(/^[abc]{3}xy$/)
    }
  })

  it('starts every gateway’s turns anew', () => {
    const first = weighted({ a: 1, b: 1 })
    expect(firsts(first, 'ab', 1)).toBe('a')
    expect(firsts(weighted({ a: 1, b: 1 }), 'ab', 1)).toBe('a')
    expect(firsts(first, 'ab', 1)).toBe('b')
  })
})
