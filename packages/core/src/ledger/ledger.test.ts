import { describe, expect, it } from 'vitest'
import { type Clock, type FakeClock, fakeClock } from '../clock.ts'
import { isGatewayError } from '../errors.ts'
import { type Nano, nano, usd } from '../money.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { memoryStorage } from './memory-storage.ts'
import { planPreset } from './plan-presets.ts'
import { type LedgerStore, OutcomeUnknown, Unavailable } from './storage.ts'

type Fault = 'none' | 'unavailable' | 'lost before' | 'lost after' | 'late' | 'broken'

interface Subject {
  readonly ledger: Ledger
  readonly clock: FakeClock
  /** What the next calls of the store meet, one each; nothing more when they are used up. */
  meet(...faults: Fault[]): void
  readonly calls: () => number
  /** What was late arrives at the store. Gives whether it was applied. */
  readonly land: () => Promise<boolean>
  /** From now on the store cannot read the journal or look for accounts. */
  readonly cut: () => void
}

const second = 1000

/** A ledger on a store that fails to order. Pauses are over at once. */
function failingLedger(): Subject {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const { ledger: store } = memoryStorage({ clock })
  let faults: Fault[] = []
  let calls = 0
  let land = async () => false
  let isCut = false
  const reachable = () => {
    if (isCut) throw new Unavailable('The store is down.')
  }
  const failing: LedgerStore = {
    ...store,
    async transact(accountId, keys, reduce, options) {
      calls += 1
      const fault = faults.shift() ?? 'none'
      if (fault === 'unavailable') throw new Unavailable('The store is down.')
      if (fault === 'broken') throw new TypeError('a bug')
      if (fault === 'lost before') throw new OutcomeUnknown('The connection broke.')
      if (fault === 'late') {
        const { version, write } = await store.transact(accountId, keys, (cut) => ({
          result: { version: cut.version, write: reduce(cut).write },
        }))
        land = () =>
          store.transact(accountId, [], (cut) =>
            cut.version === version ? { result: true, write } : { result: false },
          )
        clock.advance(second)
        throw new OutcomeUnknown('Nobody answered for a second.')
      }
      const result = await store.transact(accountId, keys, reduce, options)
      if (fault === 'lost after') throw new OutcomeUnknown('The connection broke.')
      return result
    },
    async journal(...request) {
      reachable()
      return store.journal(...request)
    },
    async scan(...request) {
      reachable()
      return store.scan(...request)
    },
  }
  const hasty: Clock = {
    ...clock,
    after: (_delayMs, task) => {
      queueMicrotask(task)
      return () => {}
    },
  }
  const plans = planPreset('hf-2026-02-04')
  return {
    ledger: createLedger({ store: failing, plans, clock: hasty }),
    clock,
    land: () => land(),
    meet: (...next) => {
      faults = next
      calls = 0
    },
    calls: () => calls,
    cut: () => {
      isCut = true
    },
  }
}

const hold = (reservationId: string, amount: Nano) => ({
  accountId: 'alice',
  reservationId,
  amount,
  timeToLiveMs: 60_000,
  subject: { model: 'model', costProviderIds: [], attemptsMax: 1 },
})

const settlement = (reservationId: string, cost: Nano) => ({
  accountId: 'alice',
  reservationId,
  attempts: [
    {
      attemptId: `${reservationId}.1`,
      providerId: 'provider',
      providerModel: 'model',
      outcome: 'served' as const,
      costSource: 'provider' as const,
      cost,
      payer: 'customer' as const,
    },
  ],
})

describe('a ledger whose store is down', () => {
  it('failure 4: refuses instead of letting requests through for free', async () => {
    const { ledger, meet, calls } = failingLedger()
    meet('unavailable')
    const refusal = await ledger.reserve(hold('r1', usd('0.01'))).catch((error: unknown) => error)

    expect(isGatewayError(refusal)).toBe(true)
    expect(refusal).toMatchObject({ code: 'store_unavailable', retryAfterSeconds: 1 })
    expect(calls()).toBe(1)
    expect((await ledger.balance('alice')).held).toBe(0n)
  })

  it('failure 4: says so too when it cannot read the journal or look for accounts', async () => {
    const { ledger, meet, cut } = failingLedger()
    await ledger.reserve(hold('r1', usd('0.05')))
    await ledger.settle(settlement('r1', usd('0.03')))
    cut()
    meet()
    const operations = [
      () => ledger.journal('alice', 0n, 10),
      () => ledger.receipt('alice', 'r1'),
      () => ledger.settle(settlement('r1', usd('0.03'))),
      () => ledger.accountsDue(null),
    ]
    for (const operation of operations) {
      await expect(operation()).rejects.toMatchObject({ code: 'store_unavailable' })
    }
  })

  it('passes on what is not the store’s fault', async () => {
    const { ledger, meet } = failingLedger()
    meet('broken')
    await expect(ledger.balance('alice')).rejects.toThrow(TypeError)
  })
})

describe('a ledger whose store does not answer', () => {
  const losses: Fault[][] = [
    ['lost before'],
    ['lost after'],
    ['lost before', 'lost after', 'lost before'],
    ['lost after', 'lost after', 'lost after'],
  ]

  it.each(losses.map((faults) => [faults] as const))(
    'failure 29: grants once when replies are %j',
    async (faults) => {
      const { ledger, meet } = failingLedger()
      meet(...faults)
      const result = await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: usd('1.00') })

      expect(result.outcome).toBe('granted')
      expect((await ledger.balance('alice')).purchased).toBe(usd('1.00'))
    },
  )

  it.each(losses.map((faults) => [faults] as const))(
    'reserves, extends and settles once when replies are %j (failures 5 and 16)',
    async (faults) => {
      const { ledger, meet } = failingLedger()
      meet(...faults)
      expect(await ledger.reserve(hold('r1', usd('0.05')))).toMatchObject({ outcome: 'reserved' })
      expect((await ledger.balance('alice')).held).toBe(usd('0.05'))
      meet(...faults)
      const more = {
        accountId: 'alice',
        reservationId: 'r1',
        ordinal: 1,
        amount: usd('0.02'),
        timeToLiveMs: 0,
      }
      expect(await ledger.extend(more)).toMatchObject({ outcome: 'extended' })
      expect((await ledger.balance('alice')).held).toBe(usd('0.07'))
      meet(...faults)
      expect(await ledger.settle(settlement('r1', usd('0.03')))).toMatchObject({ outcome: 'settled' })

      const { held, charged, spendable } = await ledger.balance('alice')
      expect([held, charged, spendable]).toEqual([0n, usd('0.03'), usd('0.07')])
      expect((await ledger.journal('alice', 0n, 10)).filter(({ kind }) => kind === 'settled')).toHaveLength(1)
    },
  )

  it('configures once when replies are lost', async () => {
    const { ledger, meet } = failingLedger()
    meet('lost after', 'lost after')
    await ledger.configure({ accountId: 'alice', planId: 'pro' })

    const { included } = await ledger.balance('alice')
    expect(included).toBe(usd('2.00'))
    expect((await ledger.journal('alice', 0n, 10)).filter(({ kind }) => kind === 'configured')).toHaveLength(
      1,
    )
  })

  it('failure 16: holds nothing for a request that was refused, though its first try arrives in the end', async () => {
    const { ledger, clock, meet, land, calls } = failingLedger()
    const expiresAtMs = clock.now() + second
    await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: usd('1.00'), expiresAtMs })
    meet('late')
    // The credit expires meanwhile, and nothing is written about it: a refusal reads and leaves.
    expect(await ledger.reserve(hold('r1', usd('1.00')))).toMatchObject({ outcome: 'insufficient' })
    expect(calls()).toBe(2)

    expect(await land()).toBe(false)
    expect(await ledger.balance('alice')).toMatchObject({ held: 0n, spendable: usd('0.10') })
  })

  it('takes nothing by an adjustment that was refused, though its first try arrives in the end', async () => {
    const { ledger, clock, meet, land } = failingLedger()
    const expiresAtMs = clock.now() + second
    await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: usd('1.00'), expiresAtMs })
    meet('late')
    const adjustment = { accountId: 'alice', opId: 'o1', actor: 'support', reason: 'test' }
    const result = await ledger.adjust({ ...adjustment, amount: nano(-usd('1.00')) })
    expect(result).toMatchObject({ outcome: 'insufficient' })

    expect(await land()).toBe(false)
  })

  it('failure 5: gives up after four times, and charges once when it is asked to settle again later', async () => {
    const { ledger, meet, calls } = failingLedger()
    await ledger.reserve(hold('r1', usd('0.05')))
    meet('lost before', 'lost after', 'lost before', 'lost before')
    await expect(ledger.settle(settlement('r1', usd('0.03')))).rejects.toMatchObject({
      code: 'store_unavailable',
    })
    expect(calls()).toBe(4)
    meet()
    const result = await ledger.settle(settlement('r1', usd('0.03')))

    expect(result).toMatchObject({ outcome: 'settled', receipt: { charged: usd('0.03') } })
    expect((await ledger.balance('alice')).charged).toBe(usd('0.03'))
  })
})

it('rejects, and never throws at once, when a request makes no sense', async () => {
  const { ledger } = failingLedger()
  const results = await Promise.allSettled([
    ledger.configure({ accountId: 'alice', planId: 'gold' }),
    ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(0n) }),
    ledger.reserve(hold('r1', nano(-1n))),
    ledger.extend({ accountId: 'alice', reservationId: 'r1', ordinal: 0, amount: nano(1n), timeToLiveMs: 0 }),
  ])
  for (const result of results)
    expect(result).toMatchObject({ status: 'rejected', reason: expect.any(RangeError) })
})

describe.each([
  ['shorter', second],
  ['longer', 24 * 3600 * second],
])('a ledger that waits for late costs for %s than it asks about requests that died', (_which, withinMs) => {
  const open = () => {
    const clock = fakeClock(Date.UTC(2026, 10, 10))
    const { ledger: store } = memoryStorage({ clock })
    const late = { withinMs, policy: 'waive' } as const
    const ledger = createLedger({ store, plans: planPreset('hf-2026-02-04'), clock, late })
    return { clock, ledger }
  }
  const subject = { model: 'model', costProviderIds: ['provider'], attemptsMax: 1 }

  it('finds costs that are still to come from the moment a request is settled', async () => {
    const { ledger } = open()
    await ledger.reserve({ ...hold('r1', usd('0.05')), subject })
    const [attempt] = settlement('r1', usd('0.03')).attempts as [object]
    const expected = { ...attempt, costSource: 'estimate', state: 'provisional' } as never
    await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts: [expected] })
    expect((await ledger.accountsDue(null)).accountIds).toEqual(['alice'])
    expect((await ledger.unresolved('alice')).late.map(({ reservationId }) => reservationId)).toEqual(['r1'])
  })

  it('finds requests that died from the moment they may be asked about', async () => {
    const { ledger, clock } = open()
    await ledger.reserve({ ...hold('r1', usd('0.05')), subject })
    clock.advance(60_000 + 30_000)
    for (let look = 0; look < 2; look += 1) {
      expect((await ledger.accountsDue(null)).accountIds).toEqual(['alice'])
      const { reservations } = await ledger.unresolved('alice')
      expect(reservations.map(({ reservationId }) => reservationId)).toEqual(['r1'])
    }
  })
})
