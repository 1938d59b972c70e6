import {
  type CounterStore,
  createGateway,
  type FakeClock,
  fakeClock,
  type Gateway,
  type GatewayEvent,
  memoryStorage,
  type Storage,
  Unavailable,
  usd,
} from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { together } from '@farebox/core/providers/together'
import { eventually } from '@farebox/testkit/adapter'
import { type Simulator, startSimulator } from '@farebox/testkit/simulator'
import { expect, it, onTestFinished } from 'vitest'
import { describeStores } from './stores/store-kinds.ts'

/** A gateway that would rather ask Cerebras than Together. */
interface Process {
  readonly gateway: Gateway
  readonly clock: FakeClock
  readonly events: readonly GatewayEvent[]
  /** How often it has told other processes of a target, to the end. */
  told(): number
  ask(): Promise<number>
}

async function simulator(): Promise<Simulator> {
  const running = await startSimulator()
  onTestFinished(() => running.close())
  return running
}

function processOn(storage: Storage, running: Simulator, shared = true): Process {
  const events: GatewayEvent[] = []
  const clock = fakeClock(Date.now())
  let told = 0
  const { counters = memoryStorage().counters } = storage
  const counted: CounterStore = {
    async take(request) {
      const taken = await counters?.take(request)
      if (request.counts.some(({ limit }) => limit > 0)) told += 1
      if (taken === undefined) throw new Error('There are no counters.')
      return taken
    },
    async giveBack(request) {
      await counters?.giveBack(request)
      told += 1
    },
  }
  const gateway = createGateway({
    providers: [
      cerebras({ apiKey: 'k', baseUrl: running.baseUrl('cerebras') }),
      together({ apiKey: 'k', baseUrl: running.baseUrl('together') }),
    ],
    policy: (candidates) => candidates.toSorted((a, b) => (a.providerId < b.providerId ? -1 : 1)),
    storage: { ...storage, counters: counted },
    authenticate: () => ({ accountId: 'alice' }),
    onEvent: (event) => events.push(event),
    clock,
    health: { shared },
  })
  return {
    gateway,
    clock,
    events,
    told: () => told,
    async ask() {
      const response = await gateway.handle({
        method: 'POST',
        path: '/v1/chat/completions',
        headers: {},
        body: {
          kind: 'parsed',
          value: {
            model: 'openai/gpt-oss-120b',
            max_tokens: 20,
            messages: [{ role: 'user', content: 'say 5 tokens' }],
          },
        },
        signal: new AbortController().signal,
      })
      return response?.status ?? 0
    },
  }
}

const askedOf = ({ requests }: Simulator) => ({
  cerebras: requests.filter(({ provider }) => provider === 'cerebras').length,
  together: requests.filter(({ provider }) => provider === 'together').length,
})

const circuits = ({ events }: Process) =>
  events.flatMap((event) => (event.kind === 'circuit.changed' ? [`${event.providerId} ${event.state}`] : []))

async function askThrice({ ask }: Process): Promise<void> {
  for (let asked = 0; asked < 3; asked += 1) expect(await ask()).toBe(200)
}

describeStores('a provider that is down', (store) => {
  async function two(shared: boolean) {
    const running = await simulator()
    const address = await store().create()
    const opened = [await store().open(address), await store().open(address)] as const
    for (const { close } of opened) onTestFinished(close)
    const [one, other] = opened.map(({ storage }) => processOn(storage, running, shared))
    if (one === undefined || other === undefined) throw new Error('There are two.')
    await one.gateway.credits.grant({
      grantId: 'g',
      accountId: 'alice',
      amount: usd('5.00'),
      kind: 'purchased',
    })
    return { running, one, other }
  }

  it('is not asked by a second process’ first request, and is asked by all once it has answered one', async () => {
    const { running, one, other } = await two(true)
    running.fault('cerebras', { kind: 'status', status: 503 })
    await askThrice(one)
    expect(askedOf(running)).toEqual({ cerebras: 3, together: 3 })
    await eventually('it is told', async () => one.told() > 0)
    other.clock.advance(1000)
    await eventually('the other process has heard', async () => circuits(other).length > 0)
    expect(circuits(other)).toEqual(['cerebras open'])

    expect(await other.ask()).toBe(200)
    expect(askedOf(running)).toEqual({ cerebras: 3, together: 4 })

    running.fault('cerebras', undefined)
    other.clock.advance(5000)
    expect(await other.ask()).toBe(200)
    expect(askedOf(running)).toEqual({ cerebras: 4, together: 4 })
    await eventually('it is told', async () => other.told() > 0)
    one.clock.advance(1000)
    await eventually('the first process has heard', async () => circuits(one).length > 1)
    expect(circuits(one)).toEqual(['cerebras open', 'cerebras closed'])
    expect(await one.ask()).toBe(200)
    expect(askedOf(running)).toEqual({ cerebras: 5, together: 4 })
    for (const { events } of [one, other]) {
      expect(events.filter(({ kind }) => kind === 'counters.lost')).toEqual([])
    }
  })

  it('is asked by each process for itself where they do not share what they know', async () => {
    const { running, one, other } = await two(false)
    running.fault('cerebras', { kind: 'status', status: 503 })
    await askThrice(one)
    other.clock.advance(1000)
    await askThrice(other)
    expect(askedOf(running)).toEqual({ cerebras: 6, together: 6 })
    expect([one.told(), other.told()]).toEqual([0, 0])
  })
})

it('requests are served while the counters are out of reach, and this process still keeps away from what fails', async () => {
  const running = await simulator()
  const down: CounterStore = {
    take: () => Promise.reject(new Unavailable('down')),
    giveBack: () => Promise.reject(new Unavailable('down')),
  }
  const one = processOn({ ...memoryStorage(), counters: down }, running)
  await one.gateway.credits.grant({
    grantId: 'g',
    accountId: 'alice',
    amount: usd('5.00'),
    kind: 'purchased',
  })
  running.fault('cerebras', { kind: 'status', status: 503 })
  await askThrice(one)
  await askThrice(one)

  expect(askedOf(running)).toEqual({ cerebras: 3, together: 6 })
  expect(one.events.filter(({ kind }) => kind === 'counters.lost')).toHaveLength(1)
  await one.gateway.close()
})

it('a request waits for no counters: they may never answer', async () => {
  const running = await simulator()
  const never = () => new Promise<never>(() => undefined)
  const one = processOn({ ...memoryStorage(), counters: { take: never, giveBack: never } }, running)
  one.clock.advance(1000)
  running.fault('cerebras', { kind: 'status', status: 503 })
  await askThrice(one)
  await askThrice(one)

  expect(askedOf(running)).toEqual({ cerebras: 3, together: 6 })
})

it('a storage without counters cannot share, and is refused at the start', () => {
  const { ledger, keys } = memoryStorage()
  const create = () =>
    createGateway({
      providers: [cerebras({ apiKey: 'k', baseUrl: 'http://127.0.0.1:9' })],
      storage: { ledger, ...(keys && { keys }) },
      health: { shared: true },
    })
  expect(create).toThrow('health.shared needs a storage with `counters`')
  expect(() => createGateway({ providers: [], health: { shared: true } })).toThrow(RangeError)
})
