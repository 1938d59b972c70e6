import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  type Account,
  createGateway,
  memoryStorage,
  type PlanTable,
  planPreset,
  type Storage,
  usd,
} from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { type Simulator, startSimulator } from '@farebox/testkit/simulator'
import { afterEach, describe, expect, it } from 'vitest'
import { startServer } from './servers/child.ts'
import { requestCost as cost, outputPrice, simulatorPrices } from './stores/gateway-on.ts'
import { type ServedOn, servedOn } from './stores/served-on.ts'
import { describeStores, storeKinds } from './stores/store-kinds.ts'

// Ten output tokens at 199 USD per million cost 1,990,000 nano-USD: $0.3985 pay exactly 200 and leave 500,000.
const included = '0.3985'
const affordable = 200
const sent = 1000
const stormed = 500

const undo: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

function plansWith(lease: PlanTable['plans'][number]['lease']): PlanTable {
  return {
    ...planPreset('hf-2026-02-04'),
    defaultPlanId: 'busy',
    plans: [
      {
        planId: 'busy',
        subscriptionPrice: undefined,
        includedCredit: { amount: usd('10.00'), per: 'account' },
        overage: 'hard-stop',
        ...(lease && { lease }),
      },
    ],
  }
}

/** A store that counts how often it is asked about an account. */
function counted(): { readonly storage: Storage; readonly calls: () => number } {
  const { ledger } = memoryStorage()
  let calls = 0
  const transact: typeof ledger.transact = (...call) => {
    calls += 1
    return ledger.transact(...call)
  }
  return { storage: { ledger: { ...ledger, transact } }, calls: () => calls }
}

async function simulator(): Promise<Simulator> {
  const running = await startSimulator({ prices: simulatorPrices })
  undo.push(() => running.close())
  return running
}

async function serve(running: Simulator, storage: Storage, plans: PlanTable): Promise<ServedOn> {
  const served = await servedOn(storage, running, { plans })
  undo.push(served.close)
  return served
}

/** So many requests, a few dozen at a time, in turns over these servers. Gives the status of each. */
async function ask(urls: readonly string[], count: number): Promise<readonly number[]> {
  const statuses: number[] = []
  let next = 0
  const client = async () => {
    while (next < count) {
      const index = next
      next += 1
      const response = await fetch(`${urls[index % urls.length]}/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer alice' },
        body: JSON.stringify({
          model: 'test/output-only',
          max_tokens: 10,
          stream: index % 2 === 1,
          messages: [{ role: 'user', content: 'say 10 tokens' }],
        }),
      })
      await response.text()
      statuses.push(response.status)
    }
  }
  await Promise.all(Array.from({ length: 24 }, client))
  return statuses
}

describe('an account whose plan leases', () => {
  it('asks the store for less than a twentieth of what 1,000 requests ask it for without leases', async () => {
    const running = await simulator()
    const strict = counted()
    const leased = counted()
    const busy = await serve(running, leased.storage, plansWith({ most: usd('5.00') }))
    const plain = await serve(running, strict.storage, plansWith(undefined))
    for (const [{ url }, count] of [
      [busy, sent],
      [plain, sent / 20],
    ] as const) {
      const statuses = await ask([url], count)
      expect(statuses.every((status) => status === 200)).toBe(true)
    }
    // A twentieth of the requests, at least twice each.
    expect(strict.calls()).toBeGreaterThanOrEqual(sent / 10)
    expect(leased.calls()).toBeLessThan(strict.calls())

    const spent = BigInt(sent) * cost
    expect(await busy.gateway.accounts.balance('alice')).toMatchObject({ charged: spent, absorbed: 0n })
    expect((await busy.gateway.audit('alice')).findings).toEqual([])
    const told = busy.events.flatMap((event) => (event.kind === 'request.settled' ? [event.receipt] : []))
    expect(new Set(told.map(({ requestId }) => requestId)).size).toBe(sent)
    expect(told.every(({ seq, charged }) => seq !== null && charged === cost)).toBe(true)
    await busy.gateway.close()
  })

  it('is shown every request by the server that answered it, and loses none as that shuts down', async () => {
    const running = await simulator()
    const { storage } = counted()
    const { ledger } = storage
    const { url, gateway, events } = await serve(
      running,
      { ledger: { ...ledger, close: async () => {} } },
      plansWith({ most: usd('5.00') }),
    )
    await ask([url], 50)
    const credits = await fetch(`${url}/credits`, { headers: { authorization: 'Bearer alice' } })
    expect(credits.status).toBe(200)
    expect((await gateway.accounts.balance('alice')).charged).toBe(50n * cost)
    await ask([url], 30)
    await gateway.close()
    expect(events.filter(({ kind }) => kind === 'request.settled')).toHaveLength(80)

    const later = createGateway({
      providers: [cerebras({ apiKey: 'k', baseUrl: running.baseUrl('cerebras') })],
      storage: { ledger },
      plans: plansWith(undefined),
      authenticate: () => undefined,
    })
    const { charged, held, spendable } = await later.accounts.balance('alice')
    expect([charged, held, spendable]).toEqual([80n * cost, 0n, usd('10.00') - 80n * cost])
    await later.close()
  })

  it('is refused at start with terms that make no sense, and told which', async () => {
    const running = await simulator()
    expect(() =>
      createGateway({
        providers: [cerebras({ apiKey: 'k', baseUrl: running.baseUrl('cerebras') })],
        plans: plansWith({ most: usd('1.00'), graceMs: 5 }),
        authenticate: () => undefined,
      }),
    ).toThrow('The plan "busy" has lease.graceMs: 5')
  })
})

/** Looks at an account again and again. Gives the most leases it had at once. */
function watchLeases({ ledger }: Storage): { readonly stop: () => Promise<number> } {
  let most = 0
  let isOver = false
  const watching = (async () => {
    while (!isOver) {
      const head = await ledger.transact('alice', [], (cut) => ({ result: cut.head as Account | null }))
      most = Math.max(most, head?.leases?.length ?? 0)
      await pause(20)
    }
    return most
  })()
  return {
    stop() {
      isOver = true
      return watching
    },
  }
}

describeStores(
  'failures 1 and 2: credit for exactly 200 of 500 requests that ask two processes with leases,',
  (store) => {
    it('is spent to the last request, and no further', async () => {
      const running = await simulator()
      const address = await store().create()
      const opened = await store().open(address)
      undo.push(() => opened.close())
      const provider = (name: 'cerebras' | 'together') => ({ apiKey: 'k', baseUrl: running.baseUrl(name) })
      const providers = { cerebras: provider('cerebras'), together: provider('together') }
      const lease = { included, most: '0.20' }
      const environment = { FAREBOX_TEST: JSON.stringify({ address, outputPrice, providers, lease }) }
      const script = fileURLToPath(new URL('servers/app.js', import.meta.url))
      const servers = await Promise.all([startServer(script, environment), startServer(script, environment)])
      for (const server of servers) undo.push(() => server.stop('SIGKILL'))
      const urls = servers.map(({ baseUrl }) => baseUrl)

      const watch = watchLeases(opened.storage)
      const statuses = await ask(urls, stormed)
      expect(await watch.stop()).toBeGreaterThan(0)
      expect(statuses.filter((status) => status === 200)).toHaveLength(affordable)
      expect(statuses.filter((status) => status === 402)).toHaveLength(stormed - affordable)
      for (const url of urls) {
        const credits = await fetch(`${url}/credits`, { headers: { authorization: 'Bearer alice' } })
        expect(await credits.json()).toMatchObject({ spendable: '0.0005', held: '0.00' })
      }
      const counted = running.served.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n)
      expect(counted).toBe(BigInt(affordable) * cost)
    }, 120_000)
  },
  { kinds: storeKinds.filter(({ name }) => name !== 'memory') },
)
