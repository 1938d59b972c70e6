import { fakeClock, formatUsd, memoryStorage } from '@farebox/core'
import {
  authorization,
  chat,
  chatModel,
  type Rig,
  type RigOptions,
  startRig,
  streamedChat,
} from '@farebox/testkit/adapter'
import { afterEach, describe, expect, it } from 'vitest'
import { expressHost } from './express-host.ts'

const minute = 60_000
const afterwards: RigOptions = { providers: ['together', 'cerebras'], tellsCosts: 'afterwards' }

const open: Rig[] = []
afterEach(async () => {
  for (const rig of open.splice(0)) await rig.close()
})

async function start(options: RigOptions = {}) {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const storage = memoryStorage({ clock })
  const rig = await startRig(expressHost, {
    ...afterwards,
    ...options,
    gateway: { clock, storage, ...options.gateway },
  })
  open.push(rig)
  return { rig, clock }
}

const model = `${chatModel}:together`

async function settled(rig: Rig, count: number): Promise<void> {
  await expect.poll(() => rig.receipts.length).toBe(count)
}

describe('a provider that prices afterwards', () => {
  it('is charged for at its own word, which comes after the answer', async () => {
    const { rig } = await start()
    const answer = await rig.client.ask(chat({ model, say: 7 }))

    expect(answer.status).toBe(200)
    expect(answer.headers['x-farebox-cost']).toBeUndefined()
    const [receipt] = rig.receipts
    expect(receipt).toMatchObject({ state: 'provisional', charged: 0n })
    const before = await rig.balance()
    expect(before.provisional).toBe(receipt?.attempts[0]?.estimate)
    expect(before.held).toBe(before.provisional)

    expect(await rig.gateway.reconcile()).toMatchObject({ reconciled: 1, pending: 0 })
    const cost = rig.simulator.served[0]?.costNanoUsd
    const after = await rig.balance()
    expect([after.charged, after.provisional]).toEqual([cost, 0n])
    expect(rig.receipts[1]).toMatchObject({ charged: cost, attempts: [{ costSource: 'provider' }] })
    expect(rig.receipts[1]?.state).toBeUndefined()
  })

  it('shows a receipt that is provisional, and then final', async () => {
    const { rig } = await start()
    await rig.client.ask(chat({ model, say: 7 }))
    const id = rig.receipts[0]?.requestId
    const show = async () => {
      const question = { path: `/v1/receipts/${id}`, headers: authorization }
      return (await rig.client.ask(question)).json()
    }

    expect(await show()).toMatchObject({
      state: 'provisional',
      cost: '0.00',
      attempts: [{ state: 'provisional' }],
    })
    await rig.gateway.reconcile()
    expect(await show()).toMatchObject({
      state: 'final',
      cost: formatUsd(rig.simulator.served[0]?.costNanoUsd ?? 0n),
    })
  })

  it('tells no cost in a stream that nobody has priced yet, but the usage', async () => {
    const { rig } = await start()
    const { text } = await rig.client.ask(
      streamedChat({ model, say: 7, stream_options: { include_usage: true } }),
    )

    expect(text).toContain('"completion_tokens":7')
    expect(text).not.toContain('"cost"')
    await settled(rig, 1)
    await rig.gateway.reconcile()
    expect((await rig.balance()).charged).toBe(rig.simulator.served[0]?.costNanoUsd)
  })

  it('failure 7: is charged for a stream its caller left, at what the provider says', async () => {
    const { rig } = await start()
    rig.simulator.fault('together', { kind: 'stall', afterChunks: 2 })
    const exchange = rig.client.open(streamedChat({ model, say: 50 }))
    await exchange.reads('data:')
    exchange.leave()
    await settled(rig, 1)
    await expect.poll(() => rig.simulator.activeRequests()).toBe(0)

    await rig.gateway.reconcile()
    const cost = rig.simulator.served[0]?.costNanoUsd
    expect(cost).toBeGreaterThan(0n)
    expect((await rig.balance()).charged).toBe(cost)
  })

  it('is asked every minute without being told to, and not after the gateway is closed', async () => {
    const { rig, clock } = await start()
    await rig.client.ask(chat({ model, say: 7 }))
    clock.advance(minute)
    await expect.poll(() => rig.receipts.length).toBe(2)
    expect((await rig.balance()).charged).toBe(rig.simulator.served[0]?.costNanoUsd)

    await rig.client.ask(chat({ model, say: 7 }))
    await rig.gateway.close()
    clock.advance(5 * minute)
    await new Promise((resolve) => setImmediate(resolve))
    expect(rig.receipts).toHaveLength(3)
    expect(rig.events.filter(({ kind }) => kind === 'reconcile.failed')).toEqual([])
  })

  it('is not asked by itself when that is turned off', async () => {
    const { rig, clock } = await start({ gateway: { lateCosts: { everyMs: 0 } } })
    await rig.client.ask(chat({ model, say: 7 }))
    clock.advance(5 * minute)
    await new Promise((resolve) => setImmediate(resolve))
    expect(rig.receipts).toHaveLength(1)
  })

  it('is waived when it never tells a cost, after as long as it was given', async () => {
    const { rig, clock } = await start({ gateway: { lateCosts: { everyMs: 0, withinMs: minute } } })
    await rig.client.ask(chat({ model, say: 7 }))
    clock.advance(minute)
    const { charged, held } = await rig.balance()
    expect([charged, held]).toEqual([0n, 0n])
  })

  it('is charged at the estimate when it never tells a cost and that is the rule', async () => {
    const lateCosts = { everyMs: 0, withinMs: minute, policy: 'charge-estimate' } as const
    const { rig, clock } = await start({ gateway: { lateCosts } })
    await rig.client.ask(chat({ model, say: 7 }))
    clock.advance(minute)
    expect((await rig.balance()).charged).toBe(rig.receipts[0]?.attempts[0]?.estimate)
  })

  it('may call back instead of being asked', async () => {
    const { rig } = await start({ gateway: { lateCosts: { everyMs: 0 } } })
    await rig.client.ask(chat({ model, say: 7 }))
    const [receipt] = rig.receipts
    const attemptId = receipt?.attempts[0]?.attemptId ?? ''
    const requestId = receipt?.requestId ?? ''
    const cost = rig.simulator.served[0]?.costNanoUsd as never
    expect(await rig.gateway.costs.report({ accountId: 'alice', requestId, attemptId, cost })).toBe(true)
    expect((await rig.balance()).charged).toBe(cost)
  })
})

describe('an attempt that failed, and whose provider can be asked', () => {
  it('is asked about afterwards, and what it cost is absorbed', async () => {
    const { rig } = await start({ tellsCosts: true })
    rig.simulator.fault('cerebras', { kind: 'malformed' })
    const answer = await rig.client.ask(chat({ model: chatModel, say: 7 }))
    expect(answer.status).toBe(200)
    await settled(rig, 1)
    const first = rig.receipts[0]
    expect(first?.attempts[0]).toMatchObject({ outcome: 'failed', cost: null, state: 'provisional' })
    expect(first?.charged).toBe(rig.simulator.served.at(-1)?.costNanoUsd)

    const lost = rig.simulator.served.find(({ provider }) => provider === 'cerebras')
    expect(lost?.costNanoUsd).toBeGreaterThan(0n)
    expect(await rig.gateway.reconcile()).toMatchObject({ reconciled: 1, pending: 0 })
    expect((await rig.balance()).absorbed).toBe(lost?.costNanoUsd)
  })
})
