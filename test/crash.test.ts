import { fileURLToPath } from 'node:url'
import { createGateway, systemClock } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { together } from '@farebox/core/providers/together'
import { startSimulator } from '@farebox/testkit/simulator'
import { expect, it } from 'vitest'
import { startServer } from './servers/child.ts'
import { askWhole, inFlight, journalOf } from './servers/crash-caller.ts'
import { startServerHere } from './servers/here.ts'
import { isLong } from './stores/is-long.ts'
import { describeStores, type StoreServer } from './stores/store-kinds.ts'

/** A seeded sequence in [0, 1): the same kills in every run. */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describeStores(
  'failures 3, 5 and 19: after kill -9 at any point',
  (store, { name }) => {
    const requests = name === 'SQLite' || isLong ? 1_000 : 200

    it(`of ${requests} requests, every request is charged once, at the provider’s own count,`, async () => {
      await expectChargedOnce(store(), requests, name === 'memory')
    }, 180_000)
  },
  { isDurable: true },
)

async function expectChargedOnce(store: StoreServer, requests: number, isHere: boolean): Promise<void> {
  const address = await store.create()
  const simulator = await startSimulator({ pace: { firstTokenMs: 4, tokenMs: 1 } })
  const options = (provider: 'cerebras' | 'together') => ({
    apiKey: 'k',
    baseUrl: simulator.baseUrl(provider),
    costUrl: simulator.costUrl(provider),
  })
  const providers = { cerebras: options('cerebras'), together: options('together') }
  const environment = { FAREBOX_TEST: JSON.stringify({ address, providers, planId: 'pro' }) }
  const script = fileURLToPath(new URL('servers/app.js', import.meta.url))
  const start = () =>
    isHere ? startServerHere(store, { address, providers }) : startServer(script, environment)
  const random = sequence(7)
  let server: Awaited<ReturnType<typeof start>> | undefined
  try {
    let sent = 0
    let answered = 0
    let kills = 0
    while (sent < requests) {
      server = await start()
      const { baseUrl } = server
      // Counted in answers, not in time, so that a slow machine is killed at the same points of the work.
      const lifetime = 20 + Math.floor(random() * 100)
      let isUp = true
      let answeredNow = 0
      let onEnough: (() => void) | undefined
      const enough = new Promise<void>((resolve) => {
        onEnough = resolve
      })
      const clients = Array.from({ length: inFlight }, async () => {
        while (isUp && sent < requests) {
          sent += 1
          if (await ask(baseUrl, sent)) answeredNow += 1
          if (answeredNow >= lifetime) onEnough?.()
        }
      })
      await Promise.race([enough, Promise.all(clients)])
      answered += answeredNow
      isUp = false
      await server.stop('SIGKILL')
      kills += 1
      await Promise.all(clients)
    }
    expect(kills).toBeGreaterThan(requests / 200)
    expect(answered).toBeGreaterThan(requests / 2)
    await simulator.idle()

    // An hour later every hold has expired, and the providers are asked.
    const clock = { ...systemClock, now: () => Date.now() + 3_600_000 }
    const opened = await store.open(address, { clock })
    const gateway = createGateway({
      providers: [cerebras(providers.cerebras), together(providers.together)],
      storage: opened.storage,
      clock,
      authenticate: () => undefined,
    })
    const first = await gateway.reconcile()
    expect(first.settled).toBeGreaterThan(0)
    // Holds whose request never reached a provider are released once the time to ask is over.
    await gateway.reconcile()
    expect(await gateway.reconcile()).toMatchObject({ pending: 0, settled: 0, released: 0 })
    expect((await gateway.accounts.balance('alice')).held).toBe(0n)

    const charged = new Map<string, bigint>()
    for await (const entry of journalOf(gateway)) {
      for (const attempt of entry.attempts ?? []) {
        expect(charged.has(attempt.attemptId), `${attempt.attemptId} was settled twice`).toBe(false)
        charged.set(attempt.attemptId, attempt.charged + attempt.absorbed)
      }
    }
    const counted = new Map(simulator.served.map((served) => [served.requestId, served.costNanoUsd]))
    expect(charged).toEqual(counted)
    const { findings, totals } = await gateway.audit('alice')
    expect(findings).toEqual([])
    expect(totals.cost).toBe([...counted.values()].reduce((sum, cost) => sum + cost, 0n))
    await gateway.close()
    await opened.close()
  } finally {
    await server?.stop('SIGKILL')
    await simulator.close()
  }
}

/** Whether the whole answer arrived. */
async function ask(baseUrl: string, index: number): Promise<boolean> {
  const question = { model: 'openai/gpt-oss-120b', max_tokens: 40, content: `question ${index}` }
  return (await askWhole(baseUrl, index, question)) !== undefined
}
