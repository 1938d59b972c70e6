import { describe, expect, it } from 'vitest'
import { exampleRow } from '../catalog/__fixtures__/example-rows.ts'
import { createCatalog } from '../catalog/catalog.ts'
import { createPriceBook } from '../catalog/price-book.ts'
import type { CatalogRow } from '../catalog/target.ts'
import { fakeClock } from '../clock.ts'
import { createLedger } from '../ledger/ledger.ts'
import { memoryStorage } from '../ledger/memory-storage.ts'
import { planPreset } from '../ledger/plan-presets.ts'
import type { SettledAttempt } from '../ledger/share.ts'
import { nano, perMillion, perUnit, usd } from '../money.ts'
import type { Price } from '../price.ts'
import type { Quantities } from '../usage.ts'
import { createPrices } from './prices.ts'

const september = Date.UTC(2026, 8, 1)
const cheap: Price = { input_token: perMillion('2'), output_token: perMillion('10') }
const dear: Price = { input_token: perMillion('3'), output_token: perMillion('15') }

function row(members: Partial<CatalogRow> = {}): CatalogRow {
  return exampleRow({ price: cheap, ...members })
}

const image = row({
  providerModel: 'i-1',
  model: 'acme/i',
  operation: 'images',
  price: { output_image: perUnit('0.01') },
})
const book = createPriceBook([
  { effectiveAtMs: 0, rows: [row(), image] },
  { effectiveAtMs: september, rows: [row({ price: dear }), image] },
])
const [before, after] = book.versions.map(({ version }) => version) as [string, string]

/** A gateway's prices over a ledger in memory, and a way to settle requests in it. */
async function start() {
  const clock = fakeClock(Date.UTC(2026, 7, 15))
  const ledger = createLedger({
    store: memoryStorage({ clock }).ledger,
    plans: planPreset('hf-2026-02-04'),
    clock,
  })
  await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: usd('50') })
  const catalog = createCatalog({ books: [book], providerIds: ['acme'], now: clock.now })
  async function settle(requestId: string, attempts: readonly SettledAttempt[], model = 'acme/m') {
    await ledger.reserve({
      accountId: 'alice',
      reservationId: requestId,
      amount: usd('5'),
      timeToLiveMs: 60_000,
      subject: { model, costProviderIds: [], attemptsMax: 4 },
    })
    await ledger.settle({ accountId: 'alice', reservationId: requestId, attempts })
  }
  return { prices: createPrices(catalog, ledger), settle }
}

function served(quantities: Quantities, cost: bigint, members: Partial<SettledAttempt> = {}): SettledAttempt {
  return {
    attemptId: 'r.1',
    providerId: 'acme',
    providerModel: 'm-1',
    outcome: 'served',
    payer: 'customer',
    usage: { quantities, certainty: 'exact' },
    costSource: 'price-book',
    priceVersion: before,
    cost: nano(cost),
    ...members,
  }
}

const usage: Quantities = { input_token: 1_000_000n, output_token: 100_000n }

describe('rating a past request again', () => {
  it('says what it would have cost at another version, or at a moment', async () => {
    const { prices, settle } = await start()
    await settle('r1', [served(usage, 3_000_000_000n)])

    const request = { accountId: 'alice', requestId: 'r1' }
    const rerated = await prices.rerate({ ...request, version: after })

    expect(rerated).toEqual({
      outcome: 'rerated',
      ...request,
      attempts: [
        {
          attemptId: 'r.1',
          providerId: 'acme',
          providerModel: 'm-1',
          was: usd('3'),
          costSource: 'price-book',
          cost: usd('4.5'),
          priceVersion: after,
          certainty: 'exact',
        },
      ],
      was: usd('3'),
      cost: usd('4.5'),
      difference: 1_500_000_000n,
      rated: 1,
      unrated: 0,
    })
    expect(await prices.rerate({ ...request, atMs: september })).toEqual(rerated)
    expect(await prices.rerate({ ...request, atMs: september - 1 })).toMatchObject({ difference: 0n })
    expect(await prices.rerate({ ...request, version: before })).toMatchObject({ cost: usd('3') })
  })

  it('failure 15: rates every attempt at the price of its own provider and model, and the total is their sum', async () => {
    const { prices, settle } = await start()
    await settle('r1', [
      served({ output_image: 1n }, 10_000_000n, {
        providerModel: 'i-1',
        outcome: 'failed',
        payer: 'operator',
      }),
      served(usage, 3_000_000_000n, { attemptId: 'r.2' }),
    ])
    const rerated = await prices.rerate({ accountId: 'alice', requestId: 'r1', version: after })
    expect(rerated).toMatchObject({
      attempts: [{ cost: usd('0.01') }, { cost: usd('4.5') }],
      was: usd('3.01'),
      cost: usd('4.51'),
    })
  })

  it('goes by the tier that was served, and by estimates where usage was estimated', async () => {
    const { settle, prices } = await start()
    const estimated = { quantities: usage, certainty: 'estimate' } as const
    await settle('r1', [served(usage, 5n, { serviceTier: 'flex' })])
    await settle('r2', [served(usage, 5n, { usage: estimated, costSource: 'estimate' })])
    expect(await prices.rerate({ accountId: 'alice', requestId: 'r1', version: after })).toMatchObject({
      attempts: [{ cost: null, reason: 'unpriced' }],
      rated: 0,
      unrated: 1,
      difference: 0n,
    })
    expect(await prices.rerate({ accountId: 'alice', requestId: 'r2', version: after })).toMatchObject({
      attempts: [{ cost: usd('4.5'), certainty: 'estimate', costSource: 'estimate' }],
    })
  })

  it('says why there is no cost, instead of a wrong one', async () => {
    const { prices, settle } = await start()
    const { usage: _usage, ...silent } = served({}, 7n, { costSource: 'provider' })
    await settle('r1', [
      silent,
      served(usage, 7n, { attemptId: 'r.2', providerModel: 'gone' }),
      served({ compute_second: '3' }, 7n, { attemptId: 'r.3' }),
      served({ ...usage, web_search_request: 1n }, 7n, { attemptId: 'r.4' }),
    ])
    const rerated = await prices.rerate({ accountId: 'alice', requestId: 'r1', version: after })
    expect(rerated).toMatchObject({
      attempts: [
        { cost: null, reason: 'no-usage' },
        { cost: null, reason: 'no-price' },
        { cost: null, reason: 'not-measured' },
        { cost: null, reason: 'unpriced' },
      ],
      was: 0n,
      cost: 0n,
      unrated: 4,
    })
  })

  it('compares an attempt on the customer’s own key with what the provider bills', async () => {
    const { prices, settle } = await start()
    await settle('r1', [
      served(usage, 0n, { cost: null, memoCost: usd('3'), payer: 'own-key', costSource: 'own-key' }),
    ])
    expect(await prices.rerate({ accountId: 'alice', requestId: 'r1', version: after })).toMatchObject({
      was: usd('3'),
      cost: usd('4.5'),
    })
  })

  it('knows neither requests nor versions that do not exist', async () => {
    const { prices, settle } = await start()
    await settle('r1', [served(usage, 7n)])
    const request = { accountId: 'alice', requestId: 'r1' }
    expect(await prices.rerate({ ...request, version: 'none' })).toEqual({ outcome: 'unknown-version' })
    expect(await prices.rerate({ ...request, requestId: 'r2', version: after })).toEqual({
      outcome: 'unknown-request',
    })
    expect(await prices.rerate({ ...request, accountId: 'bob', version: after })).toEqual({
      outcome: 'unknown-request',
    })
  })
})

describe('the versions', () => {
  it('are all that the gateway knows, past and future', async () => {
    const { prices } = await start()
    expect(prices.versions()).toEqual([
      { version: before, effectiveAtMs: 0, rows: 2 },
      { version: after, effectiveAtMs: september, rows: 2 },
    ])
  })

  it('differ in the rates that changed', async () => {
    const { prices } = await start()
    const expected = {
      outcome: 'compared',
      changes: [
        {
          kind: 'changed',
          providerId: 'acme',
          providerModel: 'm-1',
          model: 'acme/m',
          operation: 'chat',
          lines: [
            { unit: 'input_token', from: cheap.input_token, to: dear.input_token },
            { unit: 'output_token', from: cheap.output_token, to: dear.output_token },
          ],
        },
      ],
    }
    expect(prices.compare({ from: { version: before }, to: { version: after } })).toEqual(expected)
    expect(prices.compare({ from: { atMs: 0 }, to: { atMs: september } })).toEqual(expected)
    expect(prices.compare({ from: { atMs: 0 }, to: { version: before } })).toMatchObject({ changes: [] })
    expect(prices.compare({ from: { version: 'none' }, to: { version: after } })).toEqual({
      outcome: 'unknown-version',
      version: 'none',
    })
  })
})

describe('simulating a price change', () => {
  async function withJournal() {
    const started = await start()
    for (const requestId of ['r1', 'r2', 'r3']) {
      await started.settle(requestId, [served(usage, 3_000_000_000n)])
    }
    await started.settle(
      'r4',
      [served({ output_image: 2n }, 20_000_000n, { providerModel: 'i-1' })],
      'acme/i',
    )
    return started
  }

  it('sums what a journal would have cost, in all and by model', async () => {
    const { prices } = await withJournal()
    expect(await prices.simulate({ accountId: 'alice', version: after })).toEqual({
      outcome: 'simulated',
      requests: 4,
      was: usd('9.02'),
      cost: usd('13.52'),
      difference: 4_500_000_000n,
      rated: 4,
      unrated: 0,
      byModel: [
        {
          model: 'acme/m',
          requests: 3,
          was: usd('9'),
          cost: usd('13.5'),
          difference: usd('4.5'),
          rated: 3,
          unrated: 0,
        },
        {
          model: 'acme/i',
          requests: 1,
          was: usd('0.02'),
          cost: usd('0.02'),
          difference: 0n,
          rated: 1,
          unrated: 0,
        },
      ],
      nextAfterSeq: null,
    })
  })

  it('gives the same in stretches, as far apart as they may be', async () => {
    const { prices } = await withJournal()
    for (const limit of [1, 2, 3]) {
      let [cost, requests, pages] = [0n, 0, 0]
      for (let afterSeq: bigint | null = 0n; afterSeq !== null; ) {
        const page = await prices.simulate({ accountId: 'alice', version: after, afterSeq, limit })
        if (page.outcome !== 'simulated') throw new Error(page.outcome)
        cost += page.cost
        requests += page.requests
        pages += 1
        afterSeq = page.nextAfterSeq
      }
      expect([cost, requests]).toEqual([usd('13.52'), 4])
      expect(pages).toBeGreaterThan(4 / limit)
    }
  })

  it('takes rows that are only proposed, and leaves everything else as it was', async () => {
    const { prices } = await withJournal()
    const proposed = row({ price: { input_token: perMillion('1'), output_token: perMillion('1') } })
    expect(await prices.simulate({ accountId: 'alice', rows: [proposed] })).toMatchObject({
      was: usd('9.02'),
      cost: usd('3.32'),
      byModel: [{ difference: -5_700_000_000n }, { difference: 0n }],
    })
  })

  it('refuses prices that could not be sold, and stretches without a bound', async () => {
    const { prices } = await withJournal()
    const negative = row({ price: { ...cheap, input_token: { nano: -1n, per: 1n } } })
    await expect(prices.simulate({ accountId: 'alice', rows: [negative] })).rejects.toThrow(/m-1 on acme/)
    for (const limit of [0, 1001, 1.5, Number.NaN]) {
      await expect(prices.simulate({ accountId: 'alice', version: after, limit })).rejects.toThrow(/limit/)
    }
    expect(await prices.simulate({ accountId: 'alice', version: 'none' })).toEqual({
      outcome: 'unknown-version',
    })
  })

  it('finds nothing in an account that has used nothing', async () => {
    const { prices } = await start()
    expect(await prices.simulate({ accountId: 'bob', version: after })).toMatchObject({
      requests: 0,
      byModel: [],
      nextAfterSeq: null,
    })
  })
})
