import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createGateway, type PlanTable, planPreset, systemClock, usd } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { together } from '@farebox/core/providers/together'
import { type Simulator, startSimulator } from '@farebox/testkit/simulator'
import { expect, it } from 'vitest'
import { startServer } from './servers/child.ts'
import { askWhole, inFlight, journalOf } from './servers/crash-caller.ts'
import { outputOnly, outputPrice, simulatorPrices } from './stores/gateway-on.ts'
import { describeStores, type StoreServer, storeKinds } from './stores/store-kinds.ts'

const included = '20.00'
/** What 80 requests cost: much less than what the processes spend. */
const most = '0.16'
/** What a process may have answered and not written yet: `checkpointMs`, and what a checkpoint takes on a busy machine. */
const unwrittenMs = 1_000 + 2_000

/** How a process ends: by itself at a step of its lease, or killed after so many answers, so long after the first. */
type Ending =
  | { readonly step: number; readonly when: 'before' | 'after' }
  | { readonly answers: number; readonly afterMs: number }

/** The lease is opened by its first step; the others are checkpoints. */
const namedPoints: readonly Ending[] = [1, 2, 4].flatMap((step) => [
  { step, when: 'before' as const },
  { step, when: 'after' as const },
])
/** Around the first checkpoint of a lease. */
const somePoints = namedPoints.slice(2, 4)

/** The last one lives long enough for most of it to be written, whatever happens. */
const otherPoints: readonly Ending[] = [
  { answers: 37, afterMs: 0 },
  { answers: 311, afterMs: 0 },
  { answers: 250, afterMs: 5_000 },
]

/** The plan of the processes, for one that does not lease. */
const plans: PlanTable = {
  ...planPreset('hf-2026-02-04'),
  defaultPlanId: 'leased',
  plans: [
    {
      planId: 'leased',
      subscriptionPrice: undefined,
      includedCredit: { amount: usd(included), per: 'account' },
      overage: 'hard-stop',
    },
  ],
}

/** One process, from its start to its end. */
interface Life {
  /** How many attempts the provider had counted before its first. What is counted until the next process asks is its own. */
  readonly countedBefore: number
  /** How long before its last answer each request was answered as a whole, by its id, in milliseconds. */
  readonly answered: ReadonlyMap<string, number>
  /** Requests whose settlement the process knew to be written. */
  readonly told: readonly string[]
}

describeStores(
  'failures 3, 5 and 19: after kill -9 of a process that leases',
  (store, { name }) => {
    it('no more is lost than its lease and its last second, and everything that was written is charged once', async () => {
      // The steps are the ledger's own. One store goes through all of them, the others through those that differ most.
      await expectBoundedLoss(store(), [...(name === 'SQLite' ? namedPoints : somePoints), ...otherPoints])
    }, 240_000)
  },
  { isDurable: true, kinds: storeKinds.filter(({ name }) => name !== 'memory') },
)

async function expectBoundedLoss(store: StoreServer, endings: readonly Ending[]): Promise<void> {
  const address = await store.create()
  const simulator = await startSimulator({ prices: simulatorPrices, pace: { firstTokenMs: 10, tokenMs: 4 } })
  const options = (provider: 'cerebras' | 'together') => ({
    apiKey: 'k',
    baseUrl: simulator.baseUrl(provider),
    costUrl: simulator.costUrl(provider),
  })
  const providers = { cerebras: options('cerebras'), together: options('together') }
  try {
    const lives: Life[] = []
    for (const ending of endings) {
      lives.push(
        await live(simulator, { address, providers, outputPrice, lease: { included, most } }, ending),
      )
    }

    // An hour later every hold and lease has expired, and the providers are asked.
    const clock = { ...systemClock, now: () => Date.now() + 3_600_000 }
    const opened = await store.open(address, { clock })
    const gateway = createGateway({
      providers: [cerebras(providers.cerebras), together(providers.together)],
      storage: opened.storage,
      clock,
      plans,
      catalog: [outputOnly],
      authenticate: () => undefined,
    })
    await gateway.reconcile()
    await gateway.reconcile()
    expect(await gateway.reconcile()).toMatchObject({ pending: 0, settled: 0, released: 0 })

    const booked = new Map<string, bigint>()
    for await (const { attempts = [] } of journalOf(gateway)) {
      for (const { attemptId, charged, absorbed } of attempts) {
        expect(booked.has(attemptId), `${attemptId} was settled twice`).toBe(false)
        booked.set(attemptId, charged + absorbed)
      }
    }
    let counted = 0n
    let lost = 0n
    let found = 0
    for (const [index, life] of lives.entries()) {
      const counts = simulator.served.slice(life.countedBefore, lives[index + 1]?.countedBefore)
      const missing = counts.filter(({ requestId }) => !booked.has(requestId))
      const lostHere = missing.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n)
      expect(lostHere).toBeLessThanOrEqual(usd(most))
      const lostIds = new Set(missing.map(({ requestId }) => requestIdOf(requestId)))
      expect(life.told.filter((requestId) => lostIds.has(requestId))).toEqual([])
      const old = [...life.answered].filter(([, beforeMs]) => beforeMs > unwrittenMs)
      expect(old.filter(([requestId]) => lostIds.has(requestId))).toEqual([])
      // A provider knows an attempt as the request that it is to it.
      for (const { requestId, costNanoUsd } of counts) {
        counted += costNanoUsd
        if (!booked.has(requestId)) continue
        expect(booked.get(requestId)).toBe(costNanoUsd)
        found += 1
      }
      lost += lostHere
    }
    // Nothing is booked that no provider has served, and everything that is not lost is.
    expect(found).toBe(booked.size)
    const { findings, totals } = await gateway.audit('alice')
    expect(findings).toEqual([])
    expect(totals.cost + lost).toBe(counted)
    const { held, charged, spendable } = await gateway.accounts.balance('alice')
    expect(held).toBe(0n)
    expect(spendable).toBe(usd(included) - charged)

    // The points were such that leases were lost, and that the second before the last was looked at.
    expect(lost).toBeGreaterThan(0n)
    expect(lives.at(-1)?.told.length).toBeGreaterThan(100)
    expect([...(lives.at(-1)?.answered.values() ?? [])].some((beforeMs) => beforeMs > unwrittenMs)).toBe(true)
    await gateway.close()
    await opened.close()
  } finally {
    await simulator.close()
  }
}

/** Starts a process, keeps it busy until its end, and waits until the provider has noticed. */
async function live(simulator: Simulator, configuration: object, ending: Ending): Promise<Life> {
  const killed = 'step' in ending ? ending : undefined
  const server = await startServer(fileURLToPath(new URL('servers/app.js', import.meta.url)), {
    FAREBOX_TEST: JSON.stringify({ ...configuration, killed, tellsSettled: true }),
  })
  const gone = once(server.process, 'close')
  const countedBefore = simulator.served.length
  const answeredAt = new Map<string, number>()
  let firstAt: number | undefined
  let lastAt = 0
  let isUp = true
  let onEnough: (() => void) | undefined
  const enough = new Promise<void>((resolve) => {
    onEnough = resolve
  })
  try {
    const clients = Array.from({ length: inFlight }, async (_, client) => {
      for (let asked = client; isUp && asked < 10_000; asked += inFlight) {
        const requestId = await ask(server.baseUrl, asked)
        if (requestId === undefined) continue
        lastAt = performance.now()
        firstAt ??= lastAt
        answeredAt.set(requestId, lastAt)
        if ('step' in ending || answeredAt.size < ending.answers) continue
        if (lastAt - firstAt >= ending.afterMs) onEnough?.()
      }
    })
    await Promise.race([gone, enough, Promise.all(clients)])
    expect(server.process.signalCode, 'who is to end itself has, and others have not').toBe(
      'step' in ending ? 'SIGKILL' : null,
    )
    isUp = false
    await server.stop('SIGKILL')
    await Promise.all([gone, ...clients])
    await simulator.idle()
    return {
      countedBefore,
      answered: new Map([...answeredAt].map(([requestId, atMs]) => [requestId, lastAt - atMs])),
      told: [...server.output().matchAll(/^settled (\S+)$/gm)].map((match) => match[1] ?? ''),
    }
  } finally {
    isUp = false
    await server.stop('SIGKILL')
  }
}

/** The id of a request that was answered as a whole. */
async function ask(baseUrl: string, index: number): Promise<string | undefined> {
  const question = { model: 'test/output-only', max_tokens: 10, content: 'say 10 tokens' }
  return (await askWhole(baseUrl, index, question))?.headers.get('x-request-id') ?? undefined
}

/** An attempt has the id of its request, and its ordinal. */
function requestIdOf(attemptId: string): string {
  return attemptId.slice(0, attemptId.lastIndexOf('.'))
}
