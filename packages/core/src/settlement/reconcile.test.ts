import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../clock.ts'
import type { Transport } from '../dispatch/transport.ts'
import type { GatewayEvent } from '../events.ts'
import { ByteStream } from '../http/byte-stream.ts'
import type { LateTerms } from '../ledger/late.ts'
import { createLedger, type Ledger } from '../ledger/ledger.ts'
import { memoryStorage } from '../ledger/memory-storage.ts'
import { planPreset } from '../ledger/plan-presets.ts'
import type { SettledAttempt } from '../ledger/share.ts'
import { type LedgerStore, Unavailable } from '../ledger/storage.ts'
import { type Nano, nano, usd } from '../money.ts'
import { openaiCompatible } from '../providers/openai-compatible.ts'
import { createAnnounce } from './announce.ts'
import { reconcile } from './reconcile.ts'
import { tellCost } from './tell-cost.ts'

const minute = 60_000

interface Subject {
  readonly clock: FakeClock
  readonly ledger: Ledger
  readonly events: GatewayEvent[]
  /** What the provider tells when it is asked, by attempt; and how many ids each question had. */
  readonly prices: Map<string, bigint>
  readonly asked: number[]
  readonly run: () => ReturnType<typeof reconcile>
  readonly tell: (attemptId: string, cost: bigint) => Promise<boolean>
}

function subject({
  late,
  store,
}: {
  late?: LateTerms
  store?: (store: LedgerStore) => LedgerStore
} = {}): Subject {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const { ledger: memory } = memoryStorage({ clock })
  const ledger = createLedger({
    store: store?.(memory) ?? memory,
    plans: planPreset('hf-2026-02-04'),
    clock,
    ...(late === undefined ? {} : { late }),
  })
  const prices = new Map<string, bigint>()
  const asked: number[] = []
  const transport: Transport = {
    async send({ body }) {
      const { requestIds } = JSON.parse(String(body)) as { readonly requestIds: readonly string[] }
      asked.push(requestIds.length)
      const requests = requestIds
        .filter((id) => prices.has(id))
        .map((requestId) => ({ requestId, costNanoUsd: Number(prices.get(requestId)) }))
      const answer = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
      answer.write(Buffer.from(JSON.stringify({ requests })))
      answer.end()
      return { status: 200, headers: {}, body: answer }
    },
    close: async () => undefined,
  }
  const costUrl = 'https://example.com/billing'
  const providers = new Map(
    ['p', 'q'].map((id) => [
      id,
      openaiCompatible({ id, baseUrl: 'https://example.com/v1', costUrl, settles: 'afterwards' }),
    ]),
  )
  const events: GatewayEvent[] = []
  const onEvent = (event: GatewayEvent) => void events.push(event)
  const announce = createAnnounce(onEvent, () => undefined)
  const options = { ledger, providers, transport, onEvent, announce }
  return {
    clock,
    ledger,
    events,
    prices,
    asked,
    run: () => reconcile(options),
    tell: (attemptId, cost) =>
      tellCost(
        { accountId: 'alice', requestId: attemptId.replace(/\.\d+$/, ''), attemptId, cost: nano(cost) },
        options,
      ),
  }
}

function attempt(requestId: string, cost: Nano | null, more: Partial<SettledAttempt> = {}): SettledAttempt {
  return {
    attemptId: `${requestId}.1`,
    providerId: 'p',
    providerModel: 'm',
    outcome: 'served',
    costSource: 'estimate',
    cost,
    payer: 'customer',
    state: 'provisional',
    ...more,
  }
}

async function serve(
  ledger: Ledger,
  requestId: string,
  { accountId = 'alice', attempts }: { accountId?: string; attempts?: SettledAttempt[] } = {},
): Promise<void> {
  await hold(ledger, requestId, accountId)
  await ledger.settle({
    accountId,
    reservationId: requestId,
    attempts: attempts ?? [attempt(requestId, usd('0.00001'))],
  })
}

function hold(ledger: Ledger, reservationId: string, accountId = 'alice', costProviderIds = ['p']) {
  return ledger.reserve({
    accountId,
    reservationId,
    amount: usd('0.00002'),
    timeToLiveMs: minute,
    subject: { model: 'm', costProviderIds, attemptsMax: 3 },
  })
}

const kinds = (events: readonly GatewayEvent[]) => events.map(({ kind }) => kind)

describe('reconciliation of costs that come later', () => {
  it('charges what has been told, and goes on waiting for the rest', async () => {
    const { ledger, prices, run, events } = subject()
    for (const id of ['r1', 'r2']) await serve(ledger, id)
    prices.set('r1.1', 7000n)

    expect(await run()).toEqual({ settled: 0, reconciled: 1, released: 0, pending: 1, failed: 0 })
    expect(kinds(events)).toEqual(['request.settled', 'cost.late'])
    expect(events[0]).toMatchObject({ receipt: { requestId: 'r1', charged: 7000n } })
    expect(events[1]).toMatchObject({ requestId: 'r1', cost: 7000n, charged: 7000n, absorbed: 0n })
    prices.set('r2.1', 20_000n)
    expect(await run()).toMatchObject({ reconciled: 1, pending: 0 })
    expect((await ledger.balance('alice')).charged).toBe(27_000n)
    expect(await run()).toEqual({ settled: 0, reconciled: 0, released: 0, pending: 0, failed: 0 })
  })

  it('asks about many accounts in one question', async () => {
    const { ledger, run, asked } = subject()
    for (let index = 0; index < 50; index += 1) await serve(ledger, `r${index}`, { accountId: `a${index}` })
    expect(await run()).toMatchObject({ pending: 50 })
    expect(asked).toEqual([50])
  })

  it('goes through more than a thousand costs of one account, while there is news', async () => {
    const { ledger, prices, run, asked } = subject()
    for (let index = 0; index < 2100; index += 1) {
      await serve(ledger, `r${index}`)
      prices.set(`r${index}.1`, 1n)
    }
    expect(await run()).toMatchObject({ reconciled: 2100, pending: 0 })
    expect(asked).toEqual([1000, 1000, 100])
  })

  it('ends though the thousand oldest costs of an account never come', async () => {
    const { ledger, run, asked } = subject()
    for (let index = 0; index < 1100; index += 1) await serve(ledger, `r${index}`)
    expect(await run()).toMatchObject({ reconciled: 0, pending: 1000 })
    expect(asked).toEqual([1000])
  })

  it('failure 3: finds out what a failed attempt cost, though the request itself is settled', async () => {
    const { ledger, prices, run } = subject()
    const failed = attempt('r1', null, { outcome: 'failed', costSource: 'unknown', payer: 'operator' })
    const { state: _state, ...served } = attempt('r1', usd('0.00001'), { attemptId: 'r1.2' })
    await serve(ledger, 'r1', { attempts: [failed, served] })
    prices.set('r1.1', 500n)

    expect(await run()).toMatchObject({ reconciled: 1, pending: 0 })
    const receipt = await ledger.receipt('alice', 'r1')
    expect([receipt?.charged, receipt?.absorbed]).toEqual([10_000n, 500n])
    expect(receipt?.attempts[0]).toMatchObject({ cost: 500n, absorbedReason: 'failed_attempt' })
  })

  it('settles what a dead process left behind in the same run', async () => {
    const { ledger, prices, run, clock, events } = subject()
    await hold(ledger, 'lost')
    clock.advance(2 * minute)
    await serve(ledger, 'r1')
    prices.set('lost.1', 3000n).set('r1.1', 4000n)

    expect(await run()).toEqual({ settled: 1, reconciled: 1, released: 0, pending: 0, failed: 0 })
    expect(kinds(events)).toEqual([
      'request.settled',
      'cost.late',
      'hold.resolved',
      'request.settled',
      'cost.late',
    ])
  })

  it('gives back what nobody priced in time, and says so', async () => {
    const { ledger, run, clock, events } = subject()
    await serve(ledger, 'r1')
    clock.advance(30 * minute)

    expect(await run()).toMatchObject({ released: 1, pending: 0 })
    expect(events).toEqual([
      { kind: 'hold.resolved', requestId: 'r1', accountId: 'alice', outcome: 'released' },
    ])
    expect((await ledger.balance('alice')).held).toBe(0n)
  })

  it('looks after the other accounts when one of them fails', async () => {
    const isBroken = (accountId: string) => accountId === 'b'
    const { ledger, prices, run, events, clock } = subject({
      store: (memory) => ({
        ...memory,
        async transact(accountId, keys, reduce, options) {
          if (isBroken(accountId) && clockMs() > Date.UTC(2026, 10, 10)) throw new Unavailable('Torn page.')
          return memory.transact(accountId, keys, reduce, options)
        },
      }),
    })
    const clockMs = () => clock.now()
    for (const accountId of ['a', 'b', 'c']) {
      await serve(ledger, accountId, { accountId })
      prices.set(`${accountId}.1`, 1n)
    }
    clock.advance(1)

    expect(await run()).toMatchObject({ reconciled: 2, failed: 1 })
    expect(events.filter(({ kind }) => kind === 'reconcile.failed')).toMatchObject([
      { accountId: 'b', cause: { code: 'store_unavailable' } },
    ])
  })

  it('takes a cost from a provider that calls back, once', async () => {
    const { ledger, tell, events } = subject()
    await serve(ledger, 'r1')
    expect(await tell('r1.1', 9000n)).toBe(true)
    expect(await tell('r1.1', 9000n)).toBe(false)
    expect(await tell('unknown.1', 9000n)).toBe(false)
    expect(kinds(events)).toEqual(['request.settled', 'cost.late'])
    expect((await ledger.balance('alice')).charged).toBe(9000n)
  })

  it('absorbs a cost that is told too late, and reports it', async () => {
    const { ledger, tell, events, clock } = subject()
    await serve(ledger, 'r1')
    clock.advance(30 * minute)
    expect(await tell('r1.1', 9000n)).toBe(true)
    expect(events.at(-1)).toMatchObject({ kind: 'cost.late', cost: 9000n, charged: 0n, absorbed: 9000n })
  })

  it('charges the estimate where that is the rule', async () => {
    const { ledger, run, clock } = subject({ late: { withinMs: minute, policy: 'charge-estimate' } })
    await serve(ledger, 'r1')
    clock.advance(minute)
    expect(await run()).toMatchObject({ released: 0, pending: 0 })
    expect((await ledger.balance('alice')).charged).toBe(10_000n)
  })
})

describe('reconciliation of what a dead process left behind', () => {
  it('charges the last attempt that was told, and absorbs the ones before it', async () => {
    const { ledger, prices, run, clock } = subject()
    await hold(ledger, 'r1')
    clock.advance(2 * minute)
    prices.set('r1.1', 500n).set('r1.2', 7000n)
    expect(await run()).toMatchObject({ settled: 1, pending: 0 })
    const receipt = await ledger.receipt('alice', 'r1')
    expect([receipt?.charged, receipt?.absorbed]).toEqual([7000n, 500n])
    expect(receipt?.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'aborted'])
  })

  it('goes on asking about attempts that were not told yet, at the cost of the operator', async () => {
    const { ledger, prices, run, clock, events } = subject()
    await hold(ledger, 'r1')
    clock.advance(2 * minute)
    prices.set('r1.2', 7000n)
    expect(await run()).toEqual({ settled: 1, reconciled: 0, released: 0, pending: 0, failed: 0 })
    expect((await ledger.balance('alice')).held).toBe(0n)
    expect(await run()).toEqual({ settled: 0, reconciled: 0, released: 0, pending: 0, failed: 0 })

    prices.set('r1.1', 500n)
    expect(await run()).toMatchObject({ reconciled: 1 })
    prices.set('r1.3', 900n)
    expect(await run()).toMatchObject({ reconciled: 1 })
    expect(events.at(-1)).toMatchObject({ kind: 'cost.late', cost: 900n, charged: 0n, absorbed: 900n })
    const receipt = await ledger.receipt('alice', 'r1')
    expect([receipt?.cost, receipt?.charged, receipt?.absorbed]).toEqual([8400n, 7000n, 1400n])
    expect(await run()).toEqual({ settled: 0, reconciled: 0, released: 0, pending: 0, failed: 0 })
  })

  it('asks no longer than half an hour after the hold has run out', async () => {
    const { ledger, prices, run, clock, asked, tell } = subject()
    await hold(ledger, 'r1')
    clock.advance(2 * minute)
    prices.set('r1.1', 500n)
    await run()
    clock.advance(29 * minute + 29_999)
    await run()
    expect(asked).toEqual([3, 2])
    clock.advance(1)
    await run()
    expect(asked).toEqual([3, 2])
    // Whoever tells it all the same is heard.
    expect(await tell('r1.2', 900n)).toBe(true)
    expect(await tell('r1.2', 900n)).toBe(false)
    expect(await tell('r1.1', 500n)).toBe(false)
    expect(await tell('r1.4', 900n)).toBe(false)
    expect((await ledger.receipt('alice', 'r1'))?.absorbed).toBe(900n)
  })

  it('takes an attempt from the first provider that knows it, and from no other', async () => {
    const { ledger, prices, run, clock } = subject()
    await hold(ledger, 'r1', 'alice', ['p', 'q'])
    clock.advance(2 * minute)
    prices.set('r1.1', 500n)
    expect(await run()).toMatchObject({ settled: 1 })
    prices.set('r1.2', 70n)
    expect(await run()).toMatchObject({ reconciled: 1 })
    const receipt = await ledger.receipt('alice', 'r1')
    expect([receipt?.charged, receipt?.absorbed]).toEqual([500n, 70n])
    expect(receipt?.attempts.map(({ providerId }) => providerId)).toEqual(['p', 'p'])
  })
})
