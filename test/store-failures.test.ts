import { setTimeout as delay } from 'node:timers/promises'
import { fakeClock, type LedgerStore, OutcomeUnknown, type Storage, Unavailable } from '@farebox/core'
import { eventually } from '@farebox/testkit/adapter'
import { type Fault, type Simulator, startSimulator } from '@farebox/testkit/simulator'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { gatewayOn, requestCost, simulatorPrices } from './stores/gateway-on.ts'
import { isLong } from './stores/is-long.ts'
import { describeStores } from './stores/store-kinds.ts'

// What goes wrong between a gateway and its store, on every store there is.

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator({ prices: simulatorPrices })
})
afterAll(() => simulator.close())
beforeEach(() => simulator.fault('cerebras', undefined))

/** There and back. */
const latencyMs = isLong ? 5_000 : 300

describeStores('a gateway', (server) => {
  it('failure 3: holds nothing in the end, whatever went wrong between hold and settlement', async () => {
    const clock = fakeClock(Date.UTC(2026, 10, 10, 12))
    const address = await server().create()
    const { storage, close } = await server().open(address, { clock })
    const faulty = withFaults(storage)
    const { gateway, ask, grant } = gatewayOn(faulty.storage, simulator, { clock })
    // Time passes faster than usual, because settlements are tried again after a while.
    const pump = setInterval(() => clock.advance(100), 5)
    try {
      for (const [index, trouble] of troubles.entries()) {
        const account = `account-${index}`
        await grant(account, 3)
        faulty.plan(account, trouble.store)
        simulator.script('cerebras', [trouble.provider])
        const leaving = new AbortController()
        const asked = simulator.requests.length
        const answering = ask(account, { stream: trouble.isStreaming ?? false, signal: leaving.signal })
        if (trouble.leaves) {
          await eventually('the provider is at work', () => simulator.requests.length > asked)
          leaving.abort()
        }
        await answering.catch(() => undefined)
      }
      simulator.script('cerebras', [])
      await simulator.idle()
      for (let minutes = 0; minutes < 60; minutes += 12) {
        clock.advance(12 * 60_000)
        await gateway.reconcile()
      }

      for (const [index, trouble] of troubles.entries()) {
        const { held, spendable, charged } = await gateway.accounts.balance(`account-${index}`)
        const isMet = faulty.isMet(`account-${index}`)
        expect({ trouble, isMet, held, sum: spendable + charged }).toEqual({
          trouble,
          isMet: true,
          held: 0n,
          sum: 3n * requestCost,
        })
        expect((await gateway.audit(`account-${index}`)).findings).toEqual([])
      }
    } finally {
      clearInterval(pump)
      await gateway.close()
      await close()
    }
  })

  it('failure 4: asks no provider for what has no price, nor while the store is out of reach', async () => {
    const { storage, cutOff, close } = await server().disturb(await server().create())
    const { gateway, ask, grant } = gatewayOn(storage, simulator)
    try {
      await grant('alice', 2)
      const asked = simulator.requests.length
      expect((await ask('alice', { model: 'test/unpriced' })).status).toBe(404)
      await cutOff(true)
      // The first to notice may have sent its hold already: then it is refused as well, and nothing is lost.
      const refused = await Promise.all([ask('alice'), ask('alice', { stream: true }), ask('alice')])
      expect(refused.map(({ status }) => status)).toEqual([503, 503, 503])
      expect(simulator.requests.length).toBe(asked)

      await cutOff(false)
      await eventually('the store is back', async () => (await ask('alice')).status === 200)
      expect(simulator.requests.length).toBe(asked + 1)
      const { charged, held } = await gateway.accounts.balance('alice')
      expect({ charged, held }).toEqual({ charged: requestCost, held: 0n })
    } finally {
      await gateway.close()
      await close()
    }
  })

  it.each([false, true])(
    'failure 5: settles once, later, what was answered while the store was out of reach (stream: %s)',
    async (stream) => {
      const { storage, cutOff, close } = await server().disturb(await server().create())
      const { gateway, events, ask, grant } = gatewayOn(storage, simulator)
      try {
        await grant('alice', 1)
        simulator.fault('cerebras', { kind: 'slow', firstTokenMs: 60, tokenMs: 0 })
        const asked = simulator.requests.length
        const answering = ask('alice', { stream })
        await eventually('the provider is asked', () => simulator.requests.length > asked)
        await cutOff(true)
        const { status, text } = await answering
        expect({ status, isWhole: text.includes('Simulated') }).toEqual({ status: 200, isWhole: true })

        await cutOff(false)
        const isSettled = () => events.some(({ kind }) => kind === 'request.settled')
        await eventually('the request is settled', isSettled)
        const { charged, held } = await gateway.accounts.balance('alice')
        expect({ charged, held }).toEqual({ charged: requestCost, held: 0n })
        expect(events.filter(({ kind }) => kind === 'request.settled')).toHaveLength(1)
      } finally {
        await gateway.close()
        await close()
      }
    },
  )

  it(
    `failure 20: with ${latencyMs} ms to the store and back, serves exactly what is paid for, and nobody waits for each other`,
    async () => {
      const affordable = 10
      const address = await server().create()
      const { storage, close, delay: slow } = await server().disturb(address, { isPatient: true })
      const { gateway, ask, grant } = gatewayOn(storage, simulator)
      try {
        await grant('alice', affordable)
        const served = simulator.served.length
        slow(latencyMs / 2)
        const startedMs = performance.now()
        const answers = await Promise.all(
          Array.from({ length: 40 }, (_, index) => ask('alice', { stream: index % 2 === 1 })),
        )
        const elapsedMs = performance.now() - startedMs
        slow(0)

        const count = (status: number) => answers.filter((answer) => answer.status === status).length
        const [paid, short, unavailable] = [count(200), count(402), count(503)]
        expect(paid + short + unavailable).toBe(40)
        expect(simulator.served.length - served).toBe(paid)
        // Ways of five seconds are longer than some stores wait by default. Then they refuse, and nothing is free either.
        if (isLong) expect(paid).toBeLessThanOrEqual(affordable)
        else expect({ paid, short }).toEqual({ paid: affordable, short: 40 - affordable })
        // Forty requests one after the other would take eighty ways there and back at least; together they take a few, and a busy
        // machine its time.
        expect(elapsedMs).toBeLessThan(40 * latencyMs)
        const isCharged = async () => {
          const { charged } = await gateway.accounts.balance('alice')
          return charged === BigInt(paid) * requestCost
        }
        await eventually('what was served is charged', isCharged)
      } finally {
        await gateway.close()
        await close()
      }
    },
    isLong ? 300_000 : 120_000,
  )

  it('failure 20: has nothing of an account locked while a provider answers', async () => {
    const address = await server().create()
    const [mine, other] = [await server().open(address), await server().open(address)]
    const { gateway, ask, grant } = gatewayOn(mine.storage, simulator)
    const elsewhere = gatewayOn(other.storage, simulator)
    const leaving = new AbortController()
    try {
      await grant('alice', 3)
      simulator.script('cerebras', [{ kind: 'hang' }])
      const asked = simulator.requests.length
      const waiting = ask('alice', { signal: leaving.signal }).catch(() => undefined)
      await eventually('the provider is asked', () => simulator.requests.length > asked)
      expect((await gateway.accounts.balance('alice')).held).toBe(requestCost)

      const others = Promise.all([elsewhere.ask('alice'), ask('alice')])
      const answers = await Promise.race([others, delay(60_000, undefined, { ref: false })])
      expect(answers?.map(({ status }) => status)).toEqual([200, 200])
      leaving.abort()
      await waiting
    } finally {
      leaving.abort()
      await gateway.close()
      await elsewhere.gateway.close()
      await mine.close()
      await other.close()
    }
  })
})

interface Trouble {
  readonly what: string
  /** Which of the account's writes fails, and how: the hold is 0, the settlement 1. */
  readonly store?: { readonly write: number; readonly how: 'unavailable' | 'request lost' | 'reply lost' }
  readonly provider?: Fault
  readonly isStreaming?: boolean
  readonly leaves?: boolean
}

const stream = { isStreaming: true }
const troubles: readonly Trouble[] = [
  ...[0, 1].flatMap((write) =>
    (['unavailable', 'request lost', 'reply lost'] as const).flatMap((how) => [
      { what: `write ${write}: ${how}`, store: { write, how } },
      { what: `write ${write} of a stream: ${how}`, store: { write, how }, ...stream },
    ]),
  ),
  { what: 'refused', provider: { kind: 'status', status: 500 } },
  { what: 'reset', provider: { kind: 'reset' } },
  { what: 'head cut', provider: { kind: 'close-mid-headers' }, ...stream },
  { what: 'empty', provider: { kind: 'empty' }, ...stream },
  { what: 'error instead of an answer', provider: { kind: 'error-in-200' }, ...stream },
  { what: 'cut before the first token', provider: { kind: 'truncate', afterChunks: 0 }, ...stream },
  { what: 'cut in the middle', provider: { kind: 'truncate', afterChunks: 3 }, ...stream },
  { what: 'nonsense', provider: { kind: 'malformed', afterChunks: 2 }, ...stream },
  { what: 'left before the answer', provider: { kind: 'hang' }, leaves: true },
  { what: 'left before the stream', provider: { kind: 'hang' }, ...stream, leaves: true },
  { what: 'left in the middle', provider: { kind: 'stall', afterChunks: 2 }, ...stream, leaves: true },
]

/** A storage whose write of an account goes wrong once, as planned. */
function withFaults({ ledger, ...others }: Storage): {
  readonly storage: Storage
  plan(accountId: string, fault: Trouble['store']): void
  /** Whether what was planned has happened. */
  isMet(accountId: string): boolean
} {
  const plans = new Map<string, { left: number; readonly how: string }>()
  const faulty: LedgerStore = {
    ...ledger,
    async transact(accountId, keys, reduce, options) {
      const plan = keys.length === 0 ? undefined : plans.get(accountId)
      const isNow = plan !== undefined && plan.left-- === 0
      if (isNow && plan.how === 'unavailable') throw new Unavailable('Planned.')
      if (isNow && plan.how === 'request lost') throw new OutcomeUnknown('Planned, and not applied.')
      const result = await ledger.transact(accountId, keys, reduce, options)
      if (isNow) throw new OutcomeUnknown('Planned, and applied.')
      return result
    },
  }
  return {
    storage: { ...others, ledger: faulty },
    plan(accountId, fault) {
      if (fault !== undefined) plans.set(accountId, { left: fault.write, how: fault.how })
    },
    isMet: (accountId) => (plans.get(accountId)?.left ?? -1) < 0,
  }
}
