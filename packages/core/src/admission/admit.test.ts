import { describe, expect, it } from 'vitest'
import { noOwnKeys, type OwnKeys } from '../auth/own-keys.ts'
import type { Payer } from '../auth/payer.ts'
import { createCatalog } from '../catalog/catalog.ts'
import { bookOf } from '../catalog/price-book.ts'
import type { CatalogRow, Target } from '../catalog/target.ts'
import { fakeClock } from '../clock.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { openaiError } from '../dialects/openai-error.ts'
import { openaiImages } from '../dialects/openai-images.ts'
import { type GatewayError, isGatewayError } from '../errors.ts'
import type { KeyCap } from '../ledger/key-cap.ts'
import { createLedger } from '../ledger/ledger.ts'
import { memoryStorage } from '../ledger/memory-storage.ts'
import { planPreset } from '../ledger/plan-presets.ts'
import { formatUsd, type Nano, nano, perMillion, perUnit, usd } from '../money.ts'
import type { Price } from '../price.ts'
import { openaiCompatible } from '../providers/openai-compatible.ts'
import { type AdmitOptions, createAdmit } from './admit.ts'
import { ceiling } from './ceiling.ts'

const now = Date.UTC(2026, 0, 15)

/** Output costs a thousand nano-USD a token, and input nothing: easy to reckon with. */
const plain: Price = { input_token: perMillion('0'), output_token: perMillion('1') }
const dear: Price = { input_token: perMillion('0'), output_token: perMillion('10') }

function targets(...rows: Partial<CatalogRow>[]): readonly Target[] {
  return createCatalog({
    books: [
      bookOf(
        rows.map((members, index) => ({
          providerId: `p${index}`,
          providerModel: 'm',
          model: 'acme/m',
          operation: 'chat',
          price: plain,
          source: 'https://example.com/pricing',
          readOn: '2026-01-31',
          ...members,
        })),
      ),
    ],
    providerIds: rows.map((_, index) => `p${index}`),
    now: () => 0,
  }).targets
}

function chat(members: object = {}): InferenceCall {
  const value = { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }], ...members }
  return openaiChat.parse({ value, source: undefined, byteLength: Buffer.byteLength(JSON.stringify(value)) })
}

const alice: Payer = {
  accountId: 'alice',
  name: 'alice',
  memberId: undefined,
  preferredProviders: [],
  disabledProviders: [],
  ownKeys: noOwnKeys,
}

/** An account on a hard stop with this much bought on top of the $0.10 that its plan includes. */
async function start(bought?: Nano, options: Partial<AdmitOptions> = {}) {
  const clock = fakeClock(now)
  const ledger = createLedger({
    store: memoryStorage({ clock }).ledger,
    plans: planPreset('hf-2026-02-04'),
    clock,
  })
  if (bought !== undefined) await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: bought })
  const admit = createAdmit({
    ledger,
    defaults: { outputTokens: 4096 },
    outputTokensMin: 16,
    timeToLiveMs: 660_000,
    attemptsMax: 4,
    tellsCosts: (providerId) => providerId === 'p1',
    ...options,
  })
  let requests = 0
  return {
    ledger,
    admit: (
      call: InferenceCall,
      candidates: readonly Target[],
      memberId?: string,
      ownKeys: OwnKeys = noOwnKeys,
      keyCap?: KeyCap,
    ) => {
      requests += 1
      const payer = { ...alice, memberId, ownKeys, ...(keyCap !== undefined && { keyId: 'k1', keyCap }) }
      return admit({ requestId: `r${requests}`, payer, call, candidates })
    },
    held: async () => (await ledger.balance('alice')).held,
  }
}

async function refusal(admitting: Promise<unknown>): Promise<GatewayError> {
  try {
    await admitting
  } catch (error) {
    if (isGatewayError(error)) return error
    throw error
  }
  throw new Error('It was admitted.')
}

describe('an account that can pay the longest answer', () => {
  it('has the ceiling of the dearest candidate held', async () => {
    const { admit, held } = await start(usd('5.00'))
    const candidates = targets({}, { price: dear })
    const call = chat({ max_tokens: 1000 })
    const admission = await admit(call, candidates)
    expect(admission.reservation.amount).toBe(10_000_000n)
    expect(await held()).toBe(10_000_000n)
    expect(admission.targets).toEqual(candidates)
    expect(admission.loweredTo).toBeUndefined()
  })

  it('sends the caller’s own bound to every candidate', async () => {
    const { admit } = await start(usd('5.00'))
    const candidates = targets({}, { limits: { outputTokens: 500 } })
    const admission = await admit(chat({ max_tokens: 1000 }), candidates)
    expect(candidates.map(admission.outputTokens)).toEqual([1000, 500])
    // The caller is told of the bound that is lower than asked for.
    expect(admission.loweredTo).toBe(500)
  })

  it('sends no bound where the model keeps to its own, and the default where nobody has one', async () => {
    const { admit } = await start(usd('5.00'))
    const candidates = targets({ limits: { outputTokens: 500 } }, {})
    const admission = await admit(chat(), candidates)
    expect(candidates.map(admission.outputTokens)).toEqual([undefined, 4096])
    expect(admission.loweredTo).toBeUndefined()
    expect(admission.reservation.amount).toBe(4_096_000n)
  })

  it('leaves on the hold what is needed to resolve it when its process dies', async () => {
    const { admit } = await start(usd('5.00'))
    const { reservation } = await admit(chat({ max_tokens: 10 }), targets({}, {}), 'member-7')
    expect(reservation.subject).toEqual({
      model: 'acme/m',
      memberId: 'member-7',
      costProviderIds: ['p1'],
      attemptsMax: 4,
    })
    expect(reservation.expiresAtMs).toBe(now + 660_000)
  })
})

describe('an account that can pay only a shorter answer', () => {
  it('has all it has held, and the answer is lowered to what that pays at every candidate', async () => {
    const { admit } = await start()
    const candidates = targets({}, { price: dear })
    const call = chat({ max_tokens: 1_000_000 })
    const options = { defaults: { outputTokens: 1_000_000 } }
    const { admit: generous } = await start(undefined, options)
    const admission = await generous(call, candidates)
    expect(admission.reservation.amount).toBe(usd('0.10'))
    expect(admission.loweredTo).toBe(10_000)
    for (const target of candidates) {
      const tokens = admission.outputTokens(target) ?? Number.NaN
      expect(ceiling(call, target, tokens) <= admission.reservation.amount).toBe(true)
    }
    // One token more would be too much for the dearest.
    expect(ceiling(call, candidates[1] as Target, 10_001) > admission.reservation.amount).toBe(true)
    expect((await admit(chat({ max_tokens: 10 }), candidates)).loweredTo).toBeUndefined()
  })

  it('has a bound sent also where the model would keep to its own', async () => {
    const { admit } = await start()
    const candidates = targets({ price: dear, limits: { outputTokens: 32_768 } })
    const admission = await admit(chat(), candidates)
    expect(candidates.map(admission.outputTokens)).toEqual([10_000])
    expect(admission.loweredTo).toBe(10_000)
  })

  it('is admitted with the shortest answer that is worth it, and not below', async () => {
    const call = chat({ max_tokens: 1000 })
    const candidates = targets({ price: { input_token: perMillion('0'), output_token: perUnit('0.00625') } })
    const enough = await start()
    expect((await enough.admit(call, candidates)).loweredTo).toBe(16)
    const dearer = targets({ price: { input_token: perMillion('0'), output_token: perUnit('0.00625001') } })
    const tooLittle = await start()
    expect((await refusal(tooLittle.admit(call, dearer))).code).toBe('insufficient_credits')
    expect(await tooLittle.held()).toBe(0n)
  })

  it('needs no more than the caller asked for, also below the shortest answer', async () => {
    const { admit } = await start()
    const candidates = targets({ price: { input_token: perMillion('0'), output_token: perUnit('0.01') } })
    const admission = await admit(chat({ max_tokens: 1, n: 10 }), candidates)
    expect(admission.reservation.amount).toBe(usd('0.10'))
    expect(admission.loweredTo).toBeUndefined()
  })

  it('counts every answer that was asked for', async () => {
    const { admit } = await start(undefined, { defaults: { outputTokens: 1_000_000 } })
    const admission = await admit(chat({ max_tokens: 1_000_000, n: 4 }), targets({}))
    expect(admission.loweredTo).toBe(25_000)
  })

  it('loses the candidates that it cannot pay at all, and the hold is for the others', async () => {
    const { admit } = await start()
    const unaffordable: Price = { input_token: perMillion('0'), output_token: perUnit('0.01') }
    const candidates = targets({ price: unaffordable }, {}, { price: dear })
    const admission = await admit(chat({ max_tokens: 1000 }), candidates)
    expect(admission.targets.map(({ providerId }) => providerId)).toEqual(['p1', 'p2'])
    expect(admission.reservation.amount).toBe(10_000_000n)
    expect(admission.reservation.subject.costProviderIds).toEqual(['p1'])
  })
})

describe('an account that cannot pay', () => {
  const unaffordable = targets({ price: { output_image: perUnit('0.25') }, operation: 'images' })
  const image = openaiImages.parse({
    value: { model: 'acme/m', prompt: 'a cat' },
    source: undefined,
    byteLength: 50,
  })

  it('is refused in OpenAI’s form, with what is missing and when credit comes back', async () => {
    const { admit, held } = await start()
    const error = await refusal(admit(image, unaffordable))
    const { status, headers, body } = openaiError(error, 'r1')
    const message =
      "You have exceeded your monthly included credits: this request needs $0.15 more than the $0.10 that 'alice' has left. " +
      'Add credits or choose a plan with pay-as-you-go, or wait until 2026-02-01T00:00:00.000Z.'
    expect(status).toBe(402)
    expect(headers).toMatchObject({
      'x-should-retry': 'false',
      'x-error-code': 'insufficient_credits',
      'x-error-message': message,
    })
    expect(JSON.parse(body)).toEqual({
      error: {
        message,
        type: 'insufficient_quota',
        param: null,
        code: 'insufficient_credits',
        payer: 'alice',
        limit: 'credit',
        missing_usd: '0.15',
        spendable_usd: '0.10',
        held_usd: '0.00',
        spending_limit_usd: '0.00',
        plan: 'free',
        resets_at: '2026-02-01T00:00:00.000Z',
      },
    })
    expect(await held()).toBe(0n)
  })

  it('is told what is held for requests under way', async () => {
    const { admit } = await start()
    await admit(
      chat({ max_tokens: 40 }),
      targets({ price: { input_token: perMillion('0'), output_token: perUnit('0.001') } }),
    )
    const error = await refusal(admit(image, unaffordable))
    expect(error.message).toContain(
      "$0.19 more than the $0.06 that 'alice' has left. $0.04 is held for requests under way.",
    )
    expect(error.facts).toMatchObject({ held_usd: '0.04', spendable_usd: '0.06', missing_usd: '0.19' })
  })

  it('is told of its spending limit when it may overdraw', async () => {
    const { admit, ledger } = await start()
    await ledger.configure({ accountId: 'alice', planId: 'pro', spendingLimit: usd('3.00') })
    const big = targets({ price: { output_image: perUnit('5.25') }, operation: 'images' })
    const error = await refusal(admit(image, big))
    expect(error.message).toContain(
      'exceeded your monthly included credits and the spending limit of $3.00: this request needs ' +
        "$0.25 more than the $5.00 that 'alice' has left. Raise the spending limit or add credits",
    )
    expect(error.facts).toMatchObject({ limit: 'spending-limit', spending_limit_usd: '3.00', plan: 'pro' })
  })

  it('is told of the member’s cap when that stopped it, and leaves the account to the others', async () => {
    const { admit, ledger } = await start(usd('5.00'))
    await ledger.configure({ accountId: 'alice', planId: 'free', memberCap: usd('0.20') })
    const error = await refusal(admit(image, unaffordable, 'ada'))
    expect(error.message).toContain(
      "exceeded your monthly included credits, as far as your cap of $0.20 at 'alice' goes: this request needs " +
        "$0.05 more than the $0.20 that is left of it. Ask 'alice' to raise it, or wait until 2026-02-01T00:00:00.000Z.",
    )
    expect(error.facts).toMatchObject({
      payer: 'alice',
      limit: 'member-cap',
      member_cap_usd: '0.20',
      spendable_usd: '0.20',
      missing_usd: '0.05',
    })
    expect((await admit(image, unaffordable)).reservation.amount).toBe(usd('0.25'))
  })

  it('is given the longest answer that the member’s cap can pay', async () => {
    const { admit, ledger } = await start(usd('5.00'))
    await ledger.configure({ accountId: 'alice', planId: 'free', memberCap: usd('0.01') })
    const candidates = targets({ price: { input_token: perMillion('0'), output_token: perUnit('0.0001') } })
    const admission = await admit(chat({ max_tokens: 1000 }), candidates, 'ada')
    expect(admission.reservation.amount).toBe(usd('0.01'))
    expect(admission.loweredTo).toBe(100)
  })

  it('is told of the key’s cap when that stopped it, and leaves the account to other keys', async () => {
    const { admit } = await start(usd('5.00'))
    const keyCap = { amount: usd('0.20'), per: 'period' } as const
    const error = await refusal(admit(image, unaffordable, 'ada', noOwnKeys, keyCap))
    expect(error.message).toBe(
      'You have exceeded your monthly included credits, as far as the cap of $0.20 of this API key goes: this request needs ' +
        "$0.05 more than the $0.20 that is left of it. Ask 'alice' to raise it, or use another key, " +
        'or wait until 2026-02-01T00:00:00.000Z.',
    )
    expect(error.facts).toMatchObject({
      payer: 'alice',
      limit: 'key-cap',
      key_cap_usd: '0.20',
      key_cap_per: 'period',
      spendable_usd: '0.20',
      missing_usd: '0.05',
      resets_at: '2026-02-01T00:00:00.000Z',
    })
    expect(error.facts).not.toHaveProperty('member_cap_usd')
    expect((await admit(image, unaffordable)).reservation.amount).toBe(usd('0.25'))
  })

  it('is not told to wait when the key’s cap is for good, and that nothing comes back', async () => {
    const { admit, ledger } = await start(usd('5.00'))
    const keyCap = { amount: usd('0.20'), per: 'lifetime' } as const
    const error = await refusal(admit(image, unaffordable, undefined, noOwnKeys, keyCap))
    expect(error.message).toContain("left of it. Ask 'alice' to raise it, or use another key.")
    expect(error.facts).toMatchObject({ limit: 'key-cap', key_cap_per: 'lifetime', resets_at: null })

    // Another limit that stopped it does come back.
    await ledger.configure({ accountId: 'alice', planId: 'free', memberCap: usd('0.10') })
    const other = await refusal(admit(image, unaffordable, 'ada', noOwnKeys, keyCap))
    expect(other.facts).toMatchObject({
      limit: 'member-cap',
      key_cap_usd: '0.20',
      resets_at: '2026-02-01T00:00:00.000Z',
    })
  })

  it('is given the longest answer that the key’s cap can pay, and the next one what is left', async () => {
    const { admit } = await start(usd('5.00'))
    const candidates = targets({ price: { input_token: perMillion('0'), output_token: perUnit('0.0001') } })
    const keyCap = { amount: usd('0.01'), per: 'lifetime' } as const
    const ask = (tokens: number) =>
      admit(chat({ max_tokens: tokens }), candidates, undefined, noOwnKeys, keyCap)
    const first = await ask(60)
    expect([first.reservation.amount, first.loweredTo]).toEqual([usd('0.006'), undefined])
    const second = await ask(1000)
    expect([second.reservation.amount, second.loweredTo]).toEqual([usd('0.004'), 40])
    expect((await refusal(ask(1000))).facts).toMatchObject({ limit: 'key-cap', held_usd: '0.01' })
  })

  it('is told what is missing for the cheapest candidate, because that would do', async () => {
    const { admit } = await start()
    const candidates = targets(
      { price: { output_image: perUnit('9') }, operation: 'images' },
      { price: { output_image: perUnit('0.25') }, operation: 'images' },
    )
    expect((await refusal(admit(image, candidates))).facts).toMatchObject({ missing_usd: '0.15' })
  })

  it('lacks no more than it says: with that much it is admitted', async () => {
    const { admit, ledger } = await start()
    const missing = (await refusal(admit(image, unaffordable))).facts?.['missing_usd']
    await ledger.grant({ accountId: 'alice', grantId: 'g9', amount: nano(usd(String(missing)) - 1n) })
    expect((await refusal(admit(image, unaffordable))).facts?.['missing_usd']).toBe(formatUsd(1n))
    await ledger.grant({ accountId: 'alice', grantId: 'g10', amount: nano(1n) })
    expect((await admit(image, unaffordable)).reservation.amount).toBe(usd('0.25'))
  })
})

it('admits no two requests under the same id', async () => {
  const clock = fakeClock(now)
  const ledger = createLedger({
    store: memoryStorage({ clock }).ledger,
    plans: planPreset('hf-2026-02-04'),
    clock,
  })
  const admit = createAdmit({
    ledger,
    defaults: { outputTokens: 4096 },
    outputTokensMin: 16,
    timeToLiveMs: 1000,
    attemptsMax: 4,
    tellsCosts: () => false,
  })
  const request = { requestId: 'r1', payer: alice, candidates: targets({}) }
  await admit({ ...request, call: chat({ max_tokens: 10 }) })
  await expect(admit({ ...request, call: chat({ max_tokens: 11 }) })).rejects.toThrow('r1 was used before')
})

it('never admits more than there is, however many requests come at once', async () => {
  const { admit, held } = await start()
  const candidates = targets({ price: { input_token: perMillion('0'), output_token: perUnit('0.001') } })
  const results = await Promise.allSettled(
    Array.from({ length: 50 }, () => admit(chat({ max_tokens: 10 }), candidates)),
  )
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
  expect(await held()).toBe(usd('0.10'))
})

describe('an account with keys of its own', () => {
  function keysFor(...providerIds: readonly string[]): OwnKeys {
    const own = (id: string) => ({
      provider: openaiCompatible({ id, baseUrl: 'http://127.0.0.1:9' }),
      hide: (text: string) => text,
    })
    return { ready: new Map(providerIds.map((id) => [id, own(id)])), locked: [] }
  }

  it('has nothing held when it pays every candidate itself', async () => {
    const { admit, held } = await start()
    const admission = await admit(
      chat({ max_tokens: 1000 }),
      targets({}, { price: dear }),
      'ada',
      keysFor('p0', 'p1'),
    )
    expect(admission.reservation.amount).toBe(0n)
    expect(await held()).toBe(0n)
    // Costs that the account pays itself are nothing to ask for when this process dies.
    expect(admission.reservation.subject.costProviderIds).toEqual([])
  })

  it('is admitted although it has no credit, to the candidates it pays itself', async () => {
    const { admit, ledger } = await start()
    const everything = await ledger.reserve({
      accountId: 'alice',
      reservationId: 'all',
      amount: usd('0.10'),
      timeToLiveMs: 660_000,
      subject: { model: 'm', costProviderIds: [], attemptsMax: 1 },
    })
    expect(everything.outcome).toBe('reserved')
    const candidates = targets({}, { price: dear }, {})
    expect((await refusal(admit(chat({ max_tokens: 1000 }), candidates))).code).toBe('insufficient_credits')

    const admission = await admit(chat({ max_tokens: 1000 }), candidates, undefined, keysFor('p1'))
    expect(admission.targets.map(({ providerId }) => providerId)).toEqual(['p1'])
    expect(admission.reservation.amount).toBe(0n)
  })

  it('has the dearest of the other candidates held', async () => {
    const { admit } = await start(usd('5.00'))
    const candidates = targets({}, { price: dear })
    const admission = await admit(chat({ max_tokens: 1000 }), candidates, undefined, keysFor('p1'))
    expect(admission.reservation.amount).toBe(1_000_000n)
    expect(admission.targets).toEqual(candidates)
    expect(admission.reservation.subject.costProviderIds).toEqual([])
    const other = await admit(chat({ max_tokens: 1000 }), candidates, undefined, keysFor('p0'))
    expect(other.reservation.amount).toBe(10_000_000n)
    expect(other.reservation.subject.costProviderIds).toEqual(['p1'])
  })

  it('gets its own bound sent where it pays itself, however little credit there is', async () => {
    const { admit } = await start(undefined, { defaults: { outputTokens: 1_000_000 } })
    const candidates = targets({}, { price: dear }, { limits: { outputTokens: 300_000 } })
    const call = chat({ max_tokens: 500_000 })
    const admission = await admit(call, candidates, undefined, keysFor('p0', 'p2'))
    expect(admission.reservation.amount).toBe(usd('0.10'))
    expect(admission.loweredTo).toBe(10_000)
    // As asked for, lowered to what credit pays, and what the model can write at all.
    expect(candidates.map(admission.outputTokens)).toEqual([500_000, 10_000, 300_000])
    const unbound = await admit(chat(), candidates, undefined, keysFor('p0', 'p1', 'p2'))
    expect(candidates.map(unbound.outputTokens)).toEqual([undefined, undefined, undefined])
    expect(unbound.loweredTo).toBeUndefined()
  })
})
